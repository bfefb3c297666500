create table public.digest_runs (
  week text primary key check (week ~ '^\d{4}-W(0[1-9]|[1-4]\d|5[0-3])$'),
  status text not null,
  mode text,
  recipients integer not null default 0,
  sent integer not null default 0,
  suppressed integer not null default 0,
  failed integer not null default 0,
  recorded_at timestamptz not null
);
alter table public.digest_runs enable row level security;

create function public.record_digest_run(p jsonb) returns void
language sql security definer set search_path = '' as $$
  insert into public.digest_runs (week, status, mode, recipients, sent, suppressed, failed, recorded_at)
  select week, status, mode, coalesce(recipients, 0), coalesce(sent, 0), coalesce(suppressed, 0), coalesce(failed, 0),
    coalesce(recorded_at, now())
  from jsonb_populate_record(null::public.digest_runs, p)
  on conflict (week) do update set
    status = excluded.status, mode = excluded.mode, recipients = excluded.recipients, sent = excluded.sent,
    suppressed = excluded.suppressed, failed = excluded.failed, recorded_at = excluded.recorded_at
$$;

-- Who may get mail does not depend on the time of the digest; p_now is taken so that every flow is called alike.
create function public.get_digest_recipients(
  p_after uuid default null, p_limit integer default 100, p_now timestamptz default now()
) returns table (subscription_id uuid, email text)
language sql stable security definer set search_path = '' as $$
  select m.id, m.email::text from public.mailable_subscriptions m
  where m.preferred_email_frequency <> 'paused' and (p_after is null or m.id > p_after)
  order by m.id
  limit least(p_limit, 1000)
$$;

create function public.get_weekly_digest(p_week_start date) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_end date := p_week_start + 6;
  v_new jsonb;
  v_trending jsonb;
begin
  if p_week_start is null then
    raise exception 'p_week_start is required: the first day of the week' using errcode = '22023';
  end if;
  select coalesce(jsonb_agg(to_jsonb(n) order by n.date_added desc, n.slug), '[]') into v_new from (
    select c.category, c.slug, coalesce(c.display_title, c.title, c.slug) as title, c.description, c.date_added,
      '/' || c.category || '/' || c.slug as url
    from public.content c
    where c.date_added between p_week_start and v_end
    order by c.date_added desc, c.slug limit 5
  ) n;
  select coalesce(jsonb_agg(to_jsonb(t) order by t.view_count desc, t.slug), '[]') into v_trending from (
    select c.category, c.slug, coalesce(c.display_title, c.title, c.slug) as title, c.description,
      '/' || c.category || '/' || c.slug as url, c.view_count
    from public.content c
    where c.date_added <= v_end
    order by c.view_count desc, c.slug limit 3
  ) t;
  return jsonb_build_object(
    'week_of',
    to_char(p_week_start, 'FMMonth FMDD')
      || case when extract(year from p_week_start) <> extract(year from v_end) then to_char(p_week_start, ', YYYY') else '' end
      || ' - '
      || case when extract(month from p_week_start) <> extract(month from v_end) then to_char(v_end, 'FMMonth ') else '' end
      || to_char(v_end, 'FMDD, YYYY'),
    'week_start', p_week_start,
    'week_end', v_end,
    'new_content', v_new,
    'trending_content', v_trending
  );
end
$$;
