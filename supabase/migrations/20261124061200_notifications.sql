create type public.notification_priority as enum ('high', 'medium', 'low');
create type public.notification_type as enum ('announcement', 'feedback');

create table public.notifications (
  id text primary key check (id ~ '^[a-z0-9-]{1,200}$'),
  type public.notification_type not null default 'announcement',
  priority public.notification_priority not null default 'medium',
  active boolean not null default true,
  title text not null check (length(title) between 1 and 100),
  message text not null check (length(message) between 1 and 500),
  action_label text check (length(action_label) between 1 and 50),
  -- A path of the site or an https address (D-58); `//host` would be somebody else's site.
  action_href text check (
    length(action_href) <= 2048
    and (action_href ~ '^/([^/\\[:space:]][^[:space:]]*)?$' or action_href ~ '^https://[^/[:space:]]+[^[:space:]]*$')
  ),
  action_onclick text check (length(action_onclick) <= 100),
  icon text check (length(icon) <= 50),
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index notifications_active_idx on public.notifications (priority, created_at) where active;
alter table public.notifications enable row level security;

create table public.notification_dismissals (
  user_id uuid not null,
  notification_id text not null references public.notifications (id) on delete cascade,
  dismissed_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (user_id, notification_id)
);
alter table public.notification_dismissals enable row level security;

-- The row decides who announces: created is true for one caller only (D-36).
create function public.insert_notification(p jsonb, p_now timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_fit boolean := coalesce((p ->> 'fit')::boolean, false);
  v_id text := coalesce(p ->> 'id', gen_random_uuid()::text);
  v_created boolean;
  v_row public.notifications;
begin
  insert into public.notifications (
    id, type, priority, title, message, action_label, action_href, icon, expires_at, created_at, updated_at
  ) values (
    v_id, coalesce(p ->> 'type', 'announcement')::public.notification_type,
    coalesce(p ->> 'priority', 'medium')::public.notification_priority,
    case when v_fit then public.clip(p ->> 'title', 100) else trim(p ->> 'title') end,
    case when v_fit then public.clip(p ->> 'message', 500) else trim(p ->> 'message') end,
    case when v_fit then public.clip(p ->> 'action_label', 50) else p ->> 'action_label' end,
    p ->> 'action_href', p ->> 'icon', (p ->> 'expires_at')::timestamptz, p_now, p_now
  )
  on conflict (id) do nothing;
  v_created := found;
  select * into strict v_row from public.notifications where id = v_id;
  return jsonb_build_object('notification', to_jsonb(v_row), 'created', v_created);
end
$$;

create function public.get_active_notifications(p_user_id uuid, p_dismissed_ids text[], p_now timestamptz)
returns jsonb
language sql stable security definer set search_path = '' as $$
  -- The enum lists the more urgent first.
  select coalesce(jsonb_agg(to_jsonb(n) order by n.priority, n.created_at, n.id), '[]')
  from public.notifications n
  where n.active and (n.expires_at is null or n.expires_at > p_now)
    and n.id <> all (coalesce(p_dismissed_ids, '{}'))
    and not exists (
      select from public.notification_dismissals d where d.user_id = p_user_id and d.notification_id = n.id
    )
$$;

create function public.dismiss_notifications(p_user_id uuid, p_ids text[], p_now timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_ids text[] := array(select distinct unnest(p_ids));
  v_known text[];
begin
  if p_user_id is null then
    raise exception 'p_user_id is required' using errcode = '22023';
  end if;
  -- Sorted and locked, so that none of them is deleted meanwhile and two calls cannot wait for each other.
  v_known := array(select id from public.notifications where id = any (v_ids) order by id for key share);
  insert into public.notification_dismissals (user_id, notification_id, dismissed_at, created_at, updated_at)
  select p_user_id, id, p_now, p_now, p_now from unnest(v_known) as id
  on conflict (user_id, notification_id) do nothing;
  return jsonb_build_object(
    'dismissed', cardinality(v_known), 'unknown', cardinality(v_ids) - cardinality(v_known)
  );
end
$$;
