-- A webhook is stored once and worked on until it is done: a repeat of a failed one is work, not a duplicate (D-15).
create type public.webhook_source as enum ('resend', 'vercel', 'discord', 'supabase_db', 'custom', 'polar');
create type public.webhook_direction as enum ('inbound', 'outbound');
create type public.webhook_delivery_status as enum ('running', 'succeeded', 'failed');

create table public.webhook_events (
  id uuid primary key default gen_random_uuid(),
  source public.webhook_source not null,
  direction public.webhook_direction not null default 'inbound',
  -- Text, because a vendor's new type must be kept and looked at, not refused.
  type text not null check (length(type) between 1 and 200),
  dedupe_key text not null check (length(dedupe_key) between 1 and 500),
  data jsonb not null,
  occurred_at timestamptz,
  related_id text,
  processed boolean not null default false,
  processed_at timestamptz,
  error text,
  attempt_count integer not null default 0,
  received_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (source, dedupe_key),
  check (processed = (processed_at is not null))
);
create index webhook_events_pending_idx on public.webhook_events (received_at) where not processed;
alter table public.webhook_events enable row level security;

create table public.webhook_event_runs (
  id uuid primary key default gen_random_uuid(),
  webhook_event_id uuid not null references public.webhook_events (id) on delete cascade,
  attempt integer not null,
  status public.webhook_delivery_status not null default 'running',
  lease_expires_at timestamptz not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  duration_ms integer generated always as ((extract(epoch from finished_at - started_at) * 1000)::integer) stored,
  error text,
  metadata jsonb,
  created_at timestamptz not null default now(),
  unique (webhook_event_id, attempt),
  check ((status = 'running') = (finished_at is null))
);
-- At most one run of an event at a time.
create unique index webhook_event_runs_running_idx on public.webhook_event_runs (webhook_event_id)
  where status = 'running';
alter table public.webhook_event_runs enable row level security;

create function public.receive_webhook_event(
  p_source text, p_dedupe_key text, p_type text, p_occurred_at timestamptz, p_data jsonb, p_now timestamptz
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid;
  v_processed boolean;
begin
  insert into public.webhook_events (source, dedupe_key, type, occurred_at, data, received_at, created_at, updated_at)
  values (p_source::public.webhook_source, p_dedupe_key, p_type, p_occurred_at, p_data, p_now, p_now, p_now)
  on conflict (source, dedupe_key) do nothing
  returning id into v_id;
  if v_id is not null then
    return jsonb_build_object('webhook_event_id', v_id, 'state', 'new');
  end if;
  select id, processed into strict v_id, v_processed from public.webhook_events
  where source = p_source::public.webhook_source and dedupe_key = p_dedupe_key;
  return jsonb_build_object(
    'webhook_event_id', v_id, 'state', case when v_processed then 'processed' else 'pending' end
  );
end
$$;

create function public.start_webhook_event_run(p_webhook_event_id uuid, p_lease_seconds integer, p_now timestamptz)
returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_event public.webhook_events;
  v_state text := 'started';
  v_run uuid;
begin
  select * into v_event from public.webhook_events where id = p_webhook_event_id for update;
  if not found then
    return null;
  end if;
  -- A run whose function died is closed by its successor.
  update public.webhook_event_runs set status = 'failed', finished_at = p_now, error = 'The lease ran out'
  where webhook_event_id = v_event.id and status = 'running' and lease_expires_at <= p_now;
  if v_event.processed then
    v_state := 'processed';
  elsif exists (
    select from public.webhook_event_runs where webhook_event_id = v_event.id and status = 'running'
  ) then
    v_state := 'running';
  else
    update public.webhook_events set attempt_count = attempt_count + 1, updated_at = p_now
    where id = v_event.id returning * into v_event;
    insert into public.webhook_event_runs (webhook_event_id, attempt, started_at, lease_expires_at)
    values (v_event.id, v_event.attempt_count, p_now, p_now + make_interval(secs => p_lease_seconds))
    returning id into v_run;
  end if;
  return jsonb_build_object(
    'state', v_state, 'run_id', v_run, 'attempt', v_event.attempt_count, 'source', v_event.source,
    'type', v_event.type, 'occurred_at', v_event.occurred_at, 'data', v_event.data, 'related_id', v_event.related_id
  );
end
$$;

-- Success counts even after the lease: the work is done. A late failure says nothing about the run that took over.
create function public.finish_webhook_event_run(
  p_run_id uuid, p_status text, p_error text, p_metadata jsonb, p_related_id text, p_now timestamptz
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_event public.webhook_events;
  v_running boolean;
begin
  if p_status is null or p_status not in ('succeeded', 'failed') then
    raise exception 'p_status must be succeeded or failed, not %', p_status using errcode = '22023';
  end if;
  select e.* into v_event from public.webhook_events e
  join public.webhook_event_runs r on r.webhook_event_id = e.id where r.id = p_run_id for update of e;
  if not found then
    raise exception 'Run % does not exist', p_run_id using errcode = '22023';
  end if;
  update public.webhook_event_runs set
    status = p_status::public.webhook_delivery_status, finished_at = p_now, error = p_error, metadata = p_metadata
  where id = p_run_id and (status = 'running' or (status = 'failed' and p_status = 'succeeded'));
  v_running := found;
  if v_running and not v_event.processed then
    update public.webhook_events set
      processed = p_status = 'succeeded',
      processed_at = case when p_status = 'succeeded' then p_now end,
      error = case when p_status = 'failed' then p_error end,
      related_id = coalesce(p_related_id, related_id),
      updated_at = p_now
    where id = v_event.id returning * into v_event;
  end if;
  return jsonb_build_object('webhook_event_id', v_event.id, 'processed', v_event.processed);
end
$$;

create function public.get_webhook_event(p_webhook_event_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'webhook_event_id', id, 'source', source, 'type', type, 'dedupe_key', dedupe_key, 'occurred_at', occurred_at,
    'received_at', received_at, 'data', data, 'processed', processed, 'processed_at', processed_at,
    'attempt_count', attempt_count, 'error', error, 'related_id', related_id
  )
  from public.webhook_events where id = p_webhook_event_id
$$;
