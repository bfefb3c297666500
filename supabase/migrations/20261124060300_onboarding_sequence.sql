create type public.email_sequence_id as enum ('onboarding');
create type public.email_sequence_status as enum ('active', 'completed', 'cancelled');
create type public.email_sequence_outcome as enum ('sent', 'failed', 'suppressed', 'cancelled');

create table public.email_sequences (
  id uuid primary key default gen_random_uuid(),
  sequence_id public.email_sequence_id not null default 'onboarding',
  email public.email_address not null references public.newsletter_subscriptions (email) on update cascade on delete cascade,
  current_step integer not null default 1 check (current_step between 1 and 5),
  total_steps integer not null default 5 check (total_steps = 5),
  status public.email_sequence_status not null default 'active',
  started_at timestamptz not null,
  last_sent_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (sequence_id, email)
);
alter table public.email_sequences enable row level security;

-- A batch is fixed when it is claimed: a retry after a crash sends the same mails to the same people.
create table public.email_sequence_batches (
  id uuid primary key default gen_random_uuid(),
  owner text not null,
  lease_expires_at timestamptz not null,
  claim_count integer not null default 1,
  claimed_at timestamptz not null,
  finished_at timestamptz
);
create index email_sequence_batches_open_idx on public.email_sequence_batches (lease_expires_at) where finished_at is null;
alter table public.email_sequence_batches enable row level security;

create table public.email_sequence_schedule (
  id uuid primary key default gen_random_uuid(),
  sequence_id public.email_sequence_id not null default 'onboarding',
  email public.email_address not null,
  step integer not null check (step between 2 and 5),
  due_at timestamptz not null,
  batch_id uuid references public.email_sequence_batches (id),
  processed boolean not null default false,
  processed_at timestamptz,
  outcome public.email_sequence_outcome,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (sequence_id, email, step),
  foreign key (sequence_id, email) references public.email_sequences (sequence_id, email)
    on update cascade on delete cascade,
  check (processed = (processed_at is not null)),
  check (processed = (outcome is not null))
);
create index email_sequence_schedule_due_idx on public.email_sequence_schedule (due_at, id)
  where not processed and batch_id is null;
create index email_sequence_schedule_batch_idx on public.email_sequence_schedule (batch_id);
alter table public.email_sequence_schedule enable row level security;

-- Days count from sign-up, not from the step before (D-59). Null past the last step.
create function public.onboarding_due_at(p_started_at timestamptz, p_step integer) returns timestamptz
language sql immutable set search_path = '' as $$
  select p_started_at + make_interval(hours => 24 * case p_step when 2 then 2 when 3 then 5 when 4 then 9 when 5 then 14 end)
$$;

create function public.cancel_email_sequence(p_email text, p_outcome public.email_sequence_outcome, p_now timestamptz)
returns void
language plpgsql security definer set search_path = '' as $$
begin
  update public.email_sequences set status = 'cancelled', updated_at = p_now
  where email = p_email and status = 'active';
  -- A row in a batch belongs to the batch's owner, who settles it.
  update public.email_sequence_schedule
  set processed = true, processed_at = p_now, outcome = p_outcome, updated_at = p_now
  where email = p_email and not processed and batch_id is null;
end
$$;

create function public.subscribe_newsletter(
  p_email text,
  p_source text default null,
  p_referrer text default null,
  p_copy_type text default null,
  p_copy_category text default null,
  p_copy_slug text default null,
  p_engagement_score integer default 50,
  p_primary_interest text default 'general',
  p_total_copies integer default 0,
  p_topics text[] default '{}',
  p_ip_address text default null,
  p_user_agent text default null,
  p_now timestamptz default now()
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_email public.email_address;
  v_block public.email_blocklist_reason;
  v_row public.newsletter_subscriptions;
  v_mailable boolean;
begin
  begin
    v_email := lower(trim(p_email));
  exception when check_violation then
    v_email := null;
  end;
  if v_email is null then
    raise exception 'The email address is not valid' using errcode = '22023';
  end if;
  select reason into v_block from public.email_blocklist where email = v_email;

  insert into public.newsletter_subscriptions (
    email, status, source, referrer, copy_type, copy_category, copy_slug, primary_interest, engagement_score,
    total_copies, requested_topics, sync_status, confirmed, confirmed_at, consent_given, ip_address, user_agent,
    subscribed_at, last_active_at, created_at, updated_at
  ) values (
    v_email,
    case v_block
      when 'spam_complaint' then 'complained'
      when 'hard_bounce' then 'bounced'
      when 'repeated_soft_bounce' then 'bounced'
      when 'manual' then 'unsubscribed'
      else 'active'
    end::public.newsletter_subscription_status,
    case when p_source = any (enum_range(null::public.newsletter_source)::text[]) then p_source else 'footer' end
      ::public.newsletter_source,
    left(p_referrer, 500),
    case when p_copy_type = any (enum_range(null::public.copy_type)::text[]) then p_copy_type end::public.copy_type,
    case when p_copy_category = any (enum_range(null::public.content_category)::text[]) then p_copy_category end
      ::public.content_category,
    left(p_copy_slug, 200),
    case when p_primary_interest = any (enum_range(null::public.newsletter_interest)::text[]) then p_primary_interest
      else 'general' end::public.newsletter_interest,
    least(100, greatest(0, coalesce(p_engagement_score, 50))),
    greatest(0, coalesce(p_total_copies, 0)),
    coalesce(p_topics, '{}'),
    case when v_block is null then 'pending' else 'skipped' end::public.newsletter_sync_status,
    v_block is null, case when v_block is null then p_now end, true, p_ip_address, p_user_agent,
    p_now, p_now, p_now, p_now
  )
  on conflict (email) do nothing
  returning * into v_row;

  if v_row.id is null then
    select * into strict v_row from public.newsletter_subscriptions where email = v_email for update;
    -- A wish that is delivered again must not undo the unsubscription that came after it.
    if v_block is null and v_row.status = 'unsubscribed' and p_now > coalesce(v_row.unsubscribed_at, '-infinity') then
      update public.newsletter_subscriptions set
        status = 'active', sync_status = 'pending', sync_error = null, confirmed = true, confirmed_at = p_now,
        consent_given = true, engagement_score = least(100, greatest(0, coalesce(p_engagement_score, 50))),
        unsubscribed_at = null, unsubscribe_reason = null, resubscribed_at = p_now, updated_at = p_now,
        requested_topics = array(select distinct unnest(requested_topics || coalesce(p_topics, '{}')) order by 1)
      where id = v_row.id
      returning * into v_row;
    end if;
  end if;

  v_mailable := exists (select from public.mailable_subscriptions m where m.id = v_row.id);
  if v_mailable then
    insert into public.email_sequences (email, started_at, created_at, updated_at) values (v_email, p_now, p_now, p_now)
    on conflict (sequence_id, email) do nothing;
    if found then
      insert into public.email_sequence_schedule (email, step, due_at, created_at, updated_at)
      values (v_email, 2, public.onboarding_due_at(p_now, 2), p_now, p_now)
      on conflict (sequence_id, email, step) do nothing;
    end if;
  end if;
  -- New is judged by the call's own time, so that a message delivered twice gets the answer it got the first time.
  return jsonb_build_object(
    'subscription_id', v_row.id,
    'email', v_row.email,
    'was_new', v_row.subscribed_at = p_now,
    'was_resubscribed', coalesce(v_row.resubscribed_at = p_now, false),
    'subscribed_at', v_row.subscribed_at,
    'resend_contact_id', v_row.resend_contact_id,
    'sync_status', v_row.sync_status,
    'engagement_score', v_row.engagement_score,
    'suppressed', not v_mailable
  );
end
$$;

create function public.unsubscribe_newsletter(p_subscription_id uuid, p_reason text, p_now timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.newsletter_subscriptions;
  v_changed boolean;
begin
  select * into v_row from public.newsletter_subscriptions where id = p_subscription_id for update;
  -- Delivered again after the person subscribed anew: what they wanted last counts, and nobody is to be told.
  if v_row.status = 'active' and p_now < coalesce(v_row.resubscribed_at, v_row.subscribed_at) then
    return jsonb_build_object('email', null, 'resend_contact_id', null, 'changed', false);
  end if;
  v_changed := coalesce(v_row.status = 'active', false);
  if v_changed then
    update public.newsletter_subscriptions
    set status = 'unsubscribed', unsubscribed_at = p_now, unsubscribe_reason = p_reason, updated_at = p_now
    where id = p_subscription_id;
    perform public.cancel_email_sequence(v_row.email, 'cancelled', p_now);
  end if;
  return jsonb_build_object(
    'email', v_row.email, 'resend_contact_id', v_row.resend_contact_id, 'changed', v_changed
  );
end
$$;

create function public.suppress_due_sequence_emails(p_now timestamptz) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_closed integer;
begin
  with closed as (
    update public.email_sequence_schedule d
    set processed = true, processed_at = p_now, outcome = 'suppressed', updated_at = p_now
    where not d.processed and d.batch_id is null and d.due_at <= p_now
      and not exists (select from public.mailable_subscriptions m where m.email = d.email)
    returning d.email
  ), cancelled as (
    update public.email_sequences q set status = 'cancelled', updated_at = p_now
    from closed where q.email = closed.email and q.status = 'active'
  )
  select count(*) into v_closed from closed;
  return v_closed;
end
$$;

create function public.claim_due_sequence_emails(
  p_now timestamptz, p_limit integer, p_lease_seconds integer, p_owner text, p_except uuid[] default '{}'
) returns table (
  batch_id uuid, schedule_id uuid, subscription_id uuid, email text, step integer, first_claim boolean, mailable boolean
)
language plpgsql security definer set search_path = '' as $$
declare
  v_batch uuid;
  v_lease timestamptz := p_now + make_interval(secs => p_lease_seconds);
  v_due uuid[];
  v_first boolean := false;
begin
  select b.id into v_batch from public.email_sequence_batches b
  -- A run that tries again after an error takes up its own batch at once.
  where b.finished_at is null and (b.lease_expires_at <= p_now or b.owner = p_owner) and b.id <> all (p_except)
  order by b.claimed_at, b.id limit 1 for update skip locked;

  if v_batch is not null then
    update public.email_sequence_batches b
    set owner = p_owner, lease_expires_at = v_lease, claim_count = b.claim_count + 1 where b.id = v_batch;
  else
    v_due := array(
      select d.id from public.email_sequence_schedule d
      join public.email_sequences q on q.sequence_id = d.sequence_id and q.email = d.email and q.status = 'active'
      join public.mailable_subscriptions m on m.email = d.email
      where not d.processed and d.batch_id is null and d.due_at <= p_now
      order by d.due_at, d.id limit p_limit for update of d skip locked
    );
    if cardinality(v_due) = 0 then
      return;
    end if;
    v_first := true;
    insert into public.email_sequence_batches (owner, lease_expires_at, claimed_at)
    values (p_owner, v_lease, p_now) returning id into v_batch;
    update public.email_sequence_schedule d set batch_id = v_batch, updated_at = p_now where d.id = any (v_due);
  end if;

  return query
    select d.batch_id, d.id, s.id, d.email::text, d.step, v_first,
      exists (select from public.mailable_subscriptions m where m.email = d.email)
    from public.email_sequence_schedule d
    join public.newsletter_subscriptions s on s.email = d.email
    where d.batch_id = v_batch and not d.processed
    order by d.due_at, d.id;
end
$$;

create function public.complete_sequence_batch(p_batch_id uuid, p_outcomes jsonb, p_now timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_counts jsonb;
begin
  perform from public.email_sequence_batches where id = p_batch_id for update;
  if not found then
    raise exception 'Batch % does not exist', p_batch_id using errcode = '22023';
  end if;

  with reported as (
    select schedule_id, outcome, error
    from jsonb_to_recordset(p_outcomes) as r (schedule_id uuid, outcome public.email_sequence_outcome, error text)
  ), settled as (
    update public.email_sequence_schedule d
    set processed = true, processed_at = p_now, outcome = r.outcome, error = r.error, updated_at = p_now
    from reported r
    where d.id = r.schedule_id and d.batch_id = p_batch_id and not d.processed
    returning d.sequence_id, d.email, d.step, d.outcome
  ), moved as (
    update public.email_sequences q set
      current_step = case when t.outcome = 'sent' then t.step else q.current_step end,
      last_sent_at = case when t.outcome = 'sent' then p_now else q.last_sent_at end,
      status = case
        when q.status <> 'active' then q.status
        when t.outcome <> 'sent' then 'cancelled'
        when t.step = q.total_steps then 'completed'
        else q.status
      end,
      updated_at = p_now
    from settled t
    where q.sequence_id = t.sequence_id and q.email = t.email
    returning q.sequence_id, q.email, q.status, q.started_at, t.step, t.outcome
  ), mailed as (
    update public.newsletter_subscriptions s set last_email_sent_at = p_now, updated_at = p_now
    from settled t where s.email = t.email and t.outcome = 'sent'
  ), scheduled as (
    insert into public.email_sequence_schedule (sequence_id, email, step, due_at, created_at, updated_at)
    select m.sequence_id, m.email, m.step + 1, public.onboarding_due_at(m.started_at, m.step + 1), p_now, p_now
    from moved m where m.status = 'active' and m.outcome = 'sent'
    on conflict (sequence_id, email, step) do nothing
    returning id
  )
  select jsonb_build_object(
    'sent', count(*) filter (where outcome = 'sent'),
    'failed', count(*) filter (where outcome = 'failed'),
    'suppressed', count(*) filter (where outcome = 'suppressed'),
    'scheduled', (select count(*) from scheduled)
  ) into v_counts from settled;

  -- Rows nobody reported keep the batch open; its lease runs out and the next claimer gets the same batch.
  update public.email_sequence_batches b set finished_at = p_now
  where b.id = p_batch_id and b.finished_at is null
    and not exists (select from public.email_sequence_schedule d where d.batch_id = b.id and not d.processed);
  return v_counts;
end
$$;
