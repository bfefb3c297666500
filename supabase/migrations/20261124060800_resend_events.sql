-- What Resend tells of mails and contacts, once each. The answer is kept: a repeat may come because the worker died
-- after this committed, and must be told the same again.
create table public.email_events (
  event_id text not null check (length(event_id) between 1 and 200),
  email text not null,
  type text not null,
  occurred_at timestamptz not null,
  email_id text,
  bounce_kind text check (bounce_kind in ('hard', 'soft')),
  answer jsonb,
  applied_at timestamptz not null,
  primary key (event_id, email)
);
create index email_events_email_idx on public.email_events (email, type, occurred_at);
alter table public.email_events enable row level security;

create function public.email_address_or_null(p_text text) returns text
language plpgsql immutable set search_path = '' as $$
begin
  return lower(trim(coalesce(substring(p_text from '<([^<>]+)>\s*$'), p_text)))::public.email_address;
exception when check_violation then
  return null;
end
$$;

create function public.get_blocked_emails(p_emails text[]) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('email', email, 'reason', reason) order by email), '[]')
  from public.email_blocklist
  where email in (select public.email_address_or_null(address) from unnest(p_emails) as address)
$$;

-- The graver reason stays.
create function public.block_email(
  p_email text, p_reason public.email_blocklist_reason, p_notes text, p_now timestamptz
) returns void
language sql security definer set search_path = '' as $$
  insert into public.email_blocklist as b (email, reason, notes, created_at, updated_at)
  values (p_email, p_reason, left(p_notes, 1000), p_now, p_now)
  on conflict (email) do update set reason = excluded.reason, notes = excluded.notes, updated_at = excluded.updated_at
  -- The enum lists the graver first.
  where excluded.reason < b.reason
$$;

-- Counts the event and locks the address's row, so that events about one address are applied one after another.
create function public.count_email_event(p_email text, p_type text, p_occurred_at timestamptz, p_now timestamptz)
returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.email_engagement_summary as s (
    email, emails_sent, emails_delivered, emails_opened, emails_clicked, emails_bounced, emails_complained,
    emails_failed, last_sent_at, last_delivered_at, last_opened_at, last_clicked_at, last_bounced_at,
    last_complained_at, created_at, updated_at
  ) values (
    p_email, (p_type = 'email.sent')::integer, (p_type = 'email.delivered')::integer,
    (p_type = 'email.opened')::integer, (p_type = 'email.clicked')::integer, (p_type = 'email.bounced')::integer,
    (p_type = 'email.complained')::integer, (p_type in ('email.failed', 'email.suppressed'))::integer,
    case when p_type = 'email.sent' then p_occurred_at end, case when p_type = 'email.delivered' then p_occurred_at end,
    case when p_type = 'email.opened' then p_occurred_at end, case when p_type = 'email.clicked' then p_occurred_at end,
    case when p_type = 'email.bounced' then p_occurred_at end,
    case when p_type = 'email.complained' then p_occurred_at end, p_now, p_now
  )
  on conflict (email) do update set
    emails_sent = s.emails_sent + excluded.emails_sent,
    emails_delivered = s.emails_delivered + excluded.emails_delivered,
    emails_opened = s.emails_opened + excluded.emails_opened,
    emails_clicked = s.emails_clicked + excluded.emails_clicked,
    emails_bounced = s.emails_bounced + excluded.emails_bounced,
    emails_complained = s.emails_complained + excluded.emails_complained,
    emails_failed = s.emails_failed + excluded.emails_failed,
    -- Deliveries come in any order; greatest() passes over null.
    last_sent_at = greatest(s.last_sent_at, excluded.last_sent_at),
    last_delivered_at = greatest(s.last_delivered_at, excluded.last_delivered_at),
    last_opened_at = greatest(s.last_opened_at, excluded.last_opened_at),
    last_clicked_at = greatest(s.last_clicked_at, excluded.last_clicked_at),
    last_bounced_at = greatest(s.last_bounced_at, excluded.last_bounced_at),
    last_complained_at = greatest(s.last_complained_at, excluded.last_complained_at),
    updated_at = excluded.updated_at;
  update public.email_engagement_summary s set (opens_last_30d, clicks_last_30d) = (
    select count(*) filter (where e.type = 'email.opened'), count(*) filter (where e.type = 'email.clicked')
    from public.email_events e where e.email = p_email and e.occurred_at > p_now - interval '30 days'
  ) where s.email = p_email;
end
$$;

create function public.apply_resend_event(p jsonb, p_now timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  c_known constant text[] := array[
    'email.sent', 'email.delivered', 'email.delivery_delayed', 'email.opened', 'email.clicked', 'email.bounced',
    'email.complained', 'email.failed', 'email.suppressed', 'email.scheduled', 'contact.created', 'contact.updated',
    'contact.deleted'
  ];
  v_event_id text := p ->> 'event_id';
  v_type text := p ->> 'type';
  v_email text := public.email_address_or_null(p ->> 'email');
  v_occurred_at timestamptz := coalesce((p ->> 'occurred_at')::timestamptz, p_now);
  v_bounce text;
  v_before public.newsletter_subscriptions;
  v_after public.newsletter_subscriptions;
  v_block public.email_blocklist_reason;
  v_suppress boolean := false;
  v_answer jsonb;
begin
  if coalesce(v_event_id, '') = '' or v_type is null then
    raise exception 'event_id and type are required' using errcode = '22023';
  end if;
  if v_email is null and p ->> 'contact_id' is not null then
    select email into v_email from public.newsletter_subscriptions where resend_contact_id = p ->> 'contact_id';
  end if;
  if v_type = 'email.bounced' then
    v_bounce := case when lower(p ->> 'bounce_type') in ('permanent', 'hard') then 'hard' else 'soft' end;
  end if;

  insert into public.email_events (event_id, email, type, occurred_at, email_id, bounce_kind, applied_at)
  values (v_event_id, coalesce(v_email, ''), v_type, v_occurred_at, p ->> 'email_id', v_bounce, p_now)
  on conflict (event_id, email) do nothing;
  if not found then
    select answer into strict v_answer from public.email_events
    where event_id = v_event_id and email = coalesce(v_email, '');
    return v_answer || jsonb_build_object('duplicate', true);
  end if;

  if v_email is not null and v_type = any (c_known) then
    if v_type like 'email.%' then
      perform public.count_email_event(v_email, v_type, v_occurred_at, p_now);
    end if;
    select * into v_before from public.newsletter_subscriptions where email = v_email for update;

    if v_type = 'email.complained' then
      v_block := 'spam_complaint';
    elsif v_bounce = 'hard' then
      v_block := 'hard_bounce';
    elsif v_bounce = 'soft' and 3 <= (
      select count(*) from public.email_events e
      where e.email = v_email and e.type = 'email.bounced' and e.bounce_kind = 'soft'
        and e.occurred_at > v_occurred_at - interval '90 days' and e.occurred_at < v_occurred_at + interval '90 days'
    ) then
      v_block := 'repeated_soft_bounce';
    end if;
    if v_block is not null then
      perform public.block_email(v_email, v_block, p ->> 'reason', p_now);
      perform public.cancel_email_sequence(v_email, 'suppressed', p_now);
      v_suppress := true;
    end if;

    -- Somebody who has left gains nothing by an old mail that is opened, whichever event arrived first.
    update public.newsletter_subscriptions s set
      engagement_score = case
        when v_type = 'email.complained' then 0
        when s.status <> 'active' then s.engagement_score
        else least(100, greatest(0, s.engagement_score + case v_type
          when 'email.opened' then 5 when 'email.clicked' then 10 when 'email.bounced' then -20 else 0 end))
      end,
      status = case
        when v_block = 'spam_complaint' then 'complained'
        when v_block is not null and s.status = 'active' then 'bounced'
        else s.status
      end,
      last_active_at = case
        when v_type in ('email.opened', 'email.clicked') then greatest(s.last_active_at, v_occurred_at)
        else s.last_active_at
      end,
      unsubscribe_reason = case when v_block is not null and s.status = 'active' then v_block::text
        else s.unsubscribe_reason end,
      updated_at = p_now
    where s.id = v_before.id and v_type in ('email.opened', 'email.clicked', 'email.bounced', 'email.complained');

    -- What was said before somebody signed up again no longer holds.
    if v_type in ('contact.updated', 'contact.deleted') and v_before.id is not null
      and v_occurred_at >= coalesce(greatest(v_before.subscribed_at, v_before.resubscribed_at), '-infinity') then
      if v_type = 'contact.updated' and (p ->> 'unsubscribed')::boolean then
        perform public.unsubscribe_newsletter(v_before.id, 'resend_contact_unsubscribed', v_occurred_at);
      elsif v_type = 'contact.deleted'
        and coalesce(p ->> 'contact_id' = v_before.resend_contact_id, v_before.resend_contact_id is null) then
        perform public.unsubscribe_newsletter(v_before.id, 'resend_contact_deleted', v_occurred_at);
        update public.newsletter_subscriptions
        set resend_contact_id = null, resend_topics = '{}', sync_status = 'skipped', updated_at = p_now
        where id = v_before.id;
      end if;
    end if;
    select * into v_after from public.newsletter_subscriptions where id = v_before.id;
    update public.email_engagement_summary set
      engagement_score = v_after.engagement_score,
      resend_contact_id = v_after.resend_contact_id,
      health_status = case
        when emails_complained > 0 then 'complained'
        when exists (select from public.email_blocklist b where b.email = v_email) then 'blocked'
        when opens_last_30d + clicks_last_30d > 0 then 'engaged'
        else 'quiet'
      end
    where email = v_email;
    -- Broadcasts go by Resend's consent: it must not be wider than ours.
    if v_type in ('contact.created', 'contact.updated') and not coalesce((p ->> 'unsubscribed')::boolean, false) then
      v_suppress := v_after.status <> 'active'
        or exists (select from public.email_blocklist b where b.email = v_email);
    end if;
  end if;

  v_answer := jsonb_build_object(
    'known', v_type = any (c_known), 'duplicate', false, 'email', v_email, 'subscription_id', v_after.id,
    'resend_contact_id', coalesce(v_after.resend_contact_id, v_before.resend_contact_id),
    'score_before', v_before.engagement_score, 'score_after', v_after.engagement_score, 'status', v_after.status,
    'status_changed', coalesce(v_before.status <> v_after.status, false),
    'suppress_at_resend', coalesce(v_suppress, false)
  );
  update public.email_events set answer = v_answer where event_id = v_event_id and email = coalesce(v_email, '');
  return v_answer;
end
$$;
