-- For runs that wait until a provider takes calls again.

-- Of the people of a digest batch that was fixed a while ago, those who still want it: as in get_digest_recipients.
create function public.keep_digest_recipients(p_subscription_ids uuid[]) returns uuid[]
language sql stable security definer set search_path = '' as $$
  select coalesce(array_agg(m.id), '{}') from public.mailable_subscriptions m
  where m.id = any (p_subscription_ids) and m.preferred_email_frequency <> 'paused'
$$;

-- What is due is judged by the run's own time, but whether a batch's owner is alive by the clock: a run that waits
-- renews its lease, and one that is made up for days later does not take a live run's batch.
drop function public.claim_due_sequence_emails(timestamptz, integer, integer, text, uuid[]);
create function public.claim_due_sequence_emails(
  p_now timestamptz, p_limit integer, p_lease_seconds integer, p_owner text, p_except uuid[] default '{}',
  p_clock timestamptz default null
) returns table (
  batch_id uuid, schedule_id uuid, subscription_id uuid, email text, step integer, first_claim boolean, mailable boolean
)
language plpgsql security definer set search_path = '' as $$
declare
  v_batch uuid;
  v_clock timestamptz := coalesce(p_clock, p_now);
  v_lease timestamptz := v_clock + make_interval(secs => p_lease_seconds);
  v_due uuid[];
  v_first boolean := false;
begin
  select b.id into v_batch from public.email_sequence_batches b
  -- A run that tries again after an error or a wait takes up its own batch at once.
  where b.finished_at is null and (b.lease_expires_at <= v_clock or b.owner = p_owner) and b.id <> all (p_except)
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
