create type public.interaction_type as enum (
  'view', 'copy', 'bookmark', 'click', 'time_spent', 'search', 'filter', 'screenshot', 'share', 'download',
  'pwa_installed', 'pwa_launched', 'newsletter_subscribe', 'contact_interact', 'contact_submit', 'form_started',
  'form_step_completed', 'form_field_focused', 'form_template_selected', 'form_abandoned', 'form_submitted',
  'sponsored_impression', 'sponsored_click'
);

create table public.user_interactions (
  id bigint generated always as identity primary key,
  event_id text not null unique,
  user_id uuid,
  session_id uuid,
  content_type public.content_category,
  content_slug text,
  interaction_type public.interaction_type not null,
  metadata jsonb,
  created_at timestamptz not null default now()
);
create index user_interactions_created_at_idx on public.user_interactions (created_at);
alter table public.user_interactions enable row level security;

create table public.search_queries (
  id bigint generated always as identity primary key,
  event_id text not null unique,
  query text not null,
  normalized_query text generated always as (lower(trim(query))) stored,
  filters jsonb,
  result_count integer not null default 0,
  user_id uuid,
  session_id uuid,
  created_at timestamptz not null default now()
);
create index search_queries_created_at_idx on public.search_queries (created_at);
alter table public.search_queries enable row level security;

create table public.segment_sync_evidence (
  id bigint generated always as identity primary key,
  contact_id text not null,
  subscription_id uuid references public.newsletter_subscriptions (id) on delete set null,
  segment_target text not null,
  engagement_score integer,
  retry_attempt integer not null default 0,
  resend_status text,
  calls jsonb,
  recorded_at timestamptz not null
);
create index segment_sync_evidence_contact_idx on public.segment_sync_evidence (contact_id, recorded_at desc);
alter table public.segment_sync_evidence enable row level security;

create function public.record_segment_evidence(p jsonb) returns void
language sql security definer set search_path = '' as $$
  insert into public.segment_sync_evidence (
    contact_id, subscription_id, segment_target, engagement_score, retry_attempt, resend_status, calls, recorded_at
  )
  select contact_id, subscription_id, segment_target, engagement_score, coalesce(retry_attempt, 0), resend_status, calls,
    coalesce(recorded_at, now())
  from jsonb_populate_record(null::public.segment_sync_evidence, p)
$$;

-- Visitors without an account carry ids of their own making; those are nobody's, not errors.
create function public.uuid_or_null(p_text text) returns uuid
language sql immutable set search_path = '' as $$
  select case when pg_input_is_valid(p_text, 'uuid') then p_text::uuid end
$$;

-- Stores one event; false when its event_id was there already, an exception when it can never be stored.
create function public.insert_user_interaction(p_item jsonb, p_now timestamptz) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_type text := p_item ->> 'interaction_type';
  v_category text := p_item ->> 'content_type';
  v_metadata jsonb := nullif(p_item -> 'metadata', 'null');
begin
  if coalesce(p_item ->> 'event_id', '') = '' then
    raise exception 'event_id is missing' using errcode = '22023';
  end if;
  if v_type is null or v_type <> all (enum_range(null::public.interaction_type)::text[]) then
    raise exception 'interaction_type "%" is unknown', v_type using errcode = '22023';
  end if;
  if v_type = 'search' then
    insert into public.search_queries (event_id, query, filters, result_count, user_id, session_id, created_at)
    values (
      p_item ->> 'event_id', coalesce(v_metadata ->> 'query', ''), nullif(v_metadata -> 'filters', 'null'),
      coalesce((v_metadata ->> 'result_count')::integer, 0), public.uuid_or_null(p_item ->> 'user_id'),
      public.uuid_or_null(p_item ->> 'session_id'), p_now
    ) on conflict (event_id) do nothing;
  else
    insert into public.user_interactions (
      event_id, user_id, session_id, content_type, content_slug, interaction_type, metadata, created_at
    ) values (
      p_item ->> 'event_id', public.uuid_or_null(p_item ->> 'user_id'), public.uuid_or_null(p_item ->> 'session_id'),
      case when v_category = any (enum_range(null::public.content_category)::text[]) then v_category end
        ::public.content_category,
      p_item ->> 'content_slug', v_type::public.interaction_type, v_metadata, p_now
    ) on conflict (event_id) do nothing;
  end if;
  return found;
end
$$;

create function public.batch_insert_user_interactions(p_interactions jsonb, p_now timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_item jsonb;
  v_index integer := -1;
  v_inserted integer := 0;
  v_duplicates integer := 0;
  v_errors jsonb := '[]';
  v_users uuid[] := '{}';
  v_gains integer[] := '{}';
  v_repeated uuid[] := '{}';
  v_gain integer;
  v_touched jsonb;
begin
  if jsonb_typeof(p_interactions) is distinct from 'array' then
    raise exception 'p_interactions must be an array' using errcode = '22023';
  end if;
  for v_item in select value from jsonb_array_elements(p_interactions) loop
    v_index := v_index + 1;
    begin
      v_gain := case v_item ->> 'interaction_type' when 'copy' then 8 when 'view' then 2 else 0 end;
      if v_gain = 0 or not pg_input_is_valid(coalesce(v_item ->> 'user_id', ''), 'uuid') then
        v_gain := null;
      end if;
      if public.insert_user_interaction(v_item, p_now) then
        v_inserted := v_inserted + 1;
      else
        v_duplicates := v_duplicates + 1;
        if v_gain is not null then
          v_gain := 0;
          v_repeated := v_repeated || (v_item ->> 'user_id')::uuid;
        end if;
      end if;
      if v_gain is not null then
        v_users := v_users || (v_item ->> 'user_id')::uuid;
        v_gains := v_gains || v_gain;
      end if;
    exception when data_exception or integrity_constraint_violation then
      v_errors := v_errors || jsonb_build_object('index', v_index, 'error', sqlerrm);
    end;
  end loop;

  -- Locked in one order, so that two batches about the same people wait for each other instead of deadlocking.
  with gained as (
    select u.email, sum(g.gain)::integer as gain, bool_or(g.user_id = any (v_repeated)) as repeated
    from unnest(v_users, v_gains) as g (user_id, gain)
    join public.users u on u.id = g.user_id
    group by u.email
  ), before as materialized (
    select s.id, s.engagement_score, least(100, s.engagement_score + gained.gain) as new_score, gained.repeated
    from public.newsletter_subscriptions s
    join gained on gained.email = s.email
    where s.status = 'active'
    order by s.id
    for update of s
  ), changed as (
    update public.newsletter_subscriptions s
    set engagement_score = before.new_score, last_active_at = greatest(s.last_active_at, p_now), updated_at = p_now
    from before where s.id = before.id
    returning s.id, before.engagement_score as score_before, before.new_score as score_after, before.repeated
  )
  -- An event that came before may have moved a score without anybody being told of it: the worker may have died.
  select coalesce(
    jsonb_agg(jsonb_build_object(
      'subscription_id', id,
      'score_before', case when not repeated then score_before end,
      'score_after', score_after
    ) order by id) filter (where repeated or score_before <> score_after),
    '[]'
  ) into v_touched from changed;

  return jsonb_build_object(
    'inserted', v_inserted, 'duplicates', v_duplicates, 'failed', jsonb_array_length(v_errors),
    'errors', v_errors, 'touched', v_touched
  );
end
$$;
