-- What Polar says of a job's payment, once per webhook. The answer is kept for a worker that must ask again.
create table public.job_payment_events (
  webhook_event_id uuid primary key references public.webhook_events (id) on delete cascade,
  job_id uuid references public.jobs (id) on delete set null,
  type text not null,
  order_id text,
  occurred_at timestamptz not null,
  outcome text,
  answer jsonb,
  applied_at timestamptz not null
);
create index job_payment_events_job_idx on public.job_payment_events (job_id, occurred_at);
alter table public.job_payment_events enable row level security;

-- Polar copies the metadata given at checkout into the order or subscription: inside `data`, not beside it (D-30).
create function public.polar_job_id(p_data jsonb) returns uuid
language sql immutable set search_path = '' as $$
  select public.uuid_or_null(coalesce(
    p_data #>> '{data,metadata,job_id}', p_data #>> '{data,order,metadata,job_id}',
    p_data #>> '{data,subscription,metadata,job_id}', p_data #>> '{data,checkout,metadata,job_id}',
    p_data #>> '{metadata,job_id}'
  ))
$$;

create function public.job_payment_facts(p_job_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'job_id', j.id, 'slug', j.slug, 'title', j.title, 'company', j.company, 'status', j.status, 'plan', j.plan,
    'tier', j.tier, 'user_email', coalesce(j.contact_email, u.email),
    'payment_amount_cents', j.payment_amount_cents, 'currency', j.payment_currency, 'paid_at', j.paid_at,
    'expires_at', j.expires_at, 'view_count', j.view_count, 'click_count', j.click_count
  )
  from public.jobs j left join public.users u on u.id = j.user_id
  where j.id = p_job_id
$$;

create function public.apply_polar_event(
  p_job_id uuid, p_type text, p_order_id text, p_occurred_at timestamptz, p_order jsonb, p_now timestamptz
) returns text
language plpgsql security definer set search_path = '' as $$
declare
  v_job public.jobs;
  v_renews boolean := p_type = 'subscription.renewal' or p_order ->> 'billing_reason' = 'subscription_cycle';
  v_period_end timestamptz := coalesce(
    (p_order ->> 'current_period_end')::timestamptz, (p_order #>> '{subscription,current_period_end}')::timestamptz
  );
  v_live boolean;
  v_days constant interval := interval '720 hours';
begin
  select * into v_job from public.jobs where id = p_job_id for update;
  if not found then
    return 'job_not_found';
  end if;
  -- An order that was paid back stays paid back, and a subscription is what its latest event says.
  if p_type = 'order.paid' and exists (
    select from public.job_payment_events e
    where e.job_id = p_job_id and e.outcome = 'refunded' and e.order_id = p_order_id
  ) or p_type like 'subscription.%' and exists (
    select from public.job_payment_events e
    where e.job_id = p_job_id and e.outcome in ('renewed', 'canceled', 'revoked') and e.occurred_at > p_occurred_at
  ) then
    return 'outdated';
  end if;

  if p_type = 'order.refunded' then
    if p_order ->> 'status' = 'partially_refunded' then
      return 'partially_refunded';
    end if;
    update public.jobs set
      status = case when status = 'active' then 'expired' else status end,
      expires_at = case when status = 'active' then p_occurred_at else expires_at end, updated_at = p_now
    where id = p_job_id;
    return 'refunded';
  end if;
  -- Cancelled means no renewal: what is paid for runs to its end.
  if p_type = 'subscription.canceled' then
    return 'canceled';
  end if;
  if p_type = 'subscription.revoked' then
    update public.jobs set
      status = case when status = 'active' then 'expired' else status end,
      expires_at = least(expires_at, p_occurred_at), updated_at = p_now
    where id = p_job_id;
    return 'revoked';
  end if;

  -- One that is rejected, deleted or still in review keeps the money's record and does not go live by it.
  v_live := v_job.status in ('draft', 'pending_payment', 'active', 'expired');
  update public.jobs set
    status = case when v_live then 'active' else status end,
    posted_at = case when v_live then coalesce(posted_at, p_occurred_at) else posted_at end,
    expires_at = case
      when v_live then greatest(expires_at, coalesce(v_period_end, greatest(expires_at, p_occurred_at) + v_days))
      else expires_at
    end,
    paid_at = greatest(paid_at, p_occurred_at),
    payment_amount_cents = coalesce(
      (p_order ->> 'total_amount')::integer, (p_order ->> 'net_amount')::integer, (p_order ->> 'amount')::integer,
      payment_amount_cents
    ),
    payment_currency = coalesce(lower(p_order ->> 'currency'), payment_currency),
    updated_at = p_now
  where id = p_job_id;
  if not v_live then
    return 'not_live';
  end if;
  return case when v_renews then 'renewed' else 'paid' end;
end
$$;

create function public.handle_polar_event(
  p_webhook_event_id uuid, p_type text, p_occurred_at timestamptz, p_data jsonb, p_now timestamptz
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_job_id uuid := public.polar_job_id(p_data);
  v_order_id text := coalesce(p_data #>> '{data,order_id}', p_data #>> '{data,id}');
  v_occurred_at timestamptz := coalesce(p_occurred_at, p_now);
  v_outcome text;
  v_answer jsonb;
begin
  insert into public.job_payment_events (webhook_event_id, type, order_id, occurred_at, applied_at)
  values (p_webhook_event_id, p_type, v_order_id, v_occurred_at, p_now)
  on conflict (webhook_event_id) do nothing;
  if not found then
    select answer into strict v_answer from public.job_payment_events where webhook_event_id = p_webhook_event_id;
    return v_answer || jsonb_build_object('duplicate', true);
  end if;

  v_outcome := case
    when p_type is null or p_type not in (
      'order.paid', 'order.refunded', 'subscription.renewal', 'subscription.canceled', 'subscription.revoked'
    ) then 'unknown_type'
    when v_job_id is null then 'no_job_id'
    else public.apply_polar_event(v_job_id, p_type, v_order_id, v_occurred_at, p_data -> 'data', p_now)
  end;
  v_answer := jsonb_build_object(
    'handled', v_outcome not in ('unknown_type', 'no_job_id', 'job_not_found'), 'duplicate', false,
    'outcome', v_outcome, 'job', public.job_payment_facts(v_job_id)
  );
  update public.job_payment_events
  set job_id = (select id from public.jobs where id = v_job_id), outcome = v_outcome, answer = v_answer
  where webhook_event_id = p_webhook_event_id;
  return v_answer;
end
$$;
