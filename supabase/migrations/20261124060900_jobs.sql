create type public.job_status as enum (
  'draft', 'pending_payment', 'pending_review', 'active', 'expired', 'rejected', 'deleted'
);
create type public.job_tier as enum ('standard', 'featured');
create type public.job_plan as enum ('one-time', 'subscription');
create type public.job_type as enum ('full-time', 'part-time', 'contract', 'freelance', 'internship');
create type public.job_category as enum (
  'engineering', 'design', 'product', 'marketing', 'sales', 'support', 'research', 'data', 'operations', 'leadership',
  'consulting', 'education', 'other'
);
create type public.workplace_type as enum ('Remote', 'On site', 'Hybrid');
create type public.experience_level as enum ('beginner', 'intermediate', 'advanced');

create table public.jobs (
  id uuid primary key default gen_random_uuid(),
  slug text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  title text not null check (length(title) between 1 and 300),
  company text not null check (length(company) between 1 and 200),
  company_id uuid,
  company_logo text,
  description text not null,
  category public.job_category not null,
  type public.job_type not null default 'full-time',
  link text not null,
  status public.job_status not null default 'draft',
  tier public.job_tier not null default 'standard',
  plan public.job_plan not null default 'one-time',
  -- Kept equal to status = 'active' by a trigger.
  active boolean,
  featured boolean,
  is_placeholder boolean not null default false,
  location text,
  remote boolean,
  workplace public.workplace_type,
  experience public.experience_level,
  salary text,
  benefits text[] not null default '{}',
  requirements text[] not null default '{}',
  tags text[] not null default '{}',
  contact_email text,
  admin_notes text,
  locked_price numeric,
  posted_at timestamptz,
  expires_at timestamptz,
  view_count integer not null default 0 check (view_count >= 0),
  click_count integer not null default 0 check (click_count >= 0),
  "order" integer,
  user_id uuid,
  discord_message_id text,
  paid_at timestamptz,
  payment_amount_cents integer,
  payment_currency text,
  json_ld jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index jobs_expiry_idx on public.jobs (expires_at) where status = 'active';
alter table public.jobs enable row level security;

create function public.set_job_active() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.active := new.status = 'active';
  return new;
end
$$;
create trigger jobs_active before insert or update on public.jobs
  for each row execute function public.set_job_active();

-- A draft or placeholder is nobody's news, but one that was announced and is taken back is.
create function public.job_to_outbox() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_public boolean := false;
  v_id uuid := coalesce(new.id, old.id);
begin
  if tg_op <> 'DELETE' then
    v_public := not new.is_placeholder and new.status <> 'draft';
  end if;
  if tg_op <> 'INSERT' then
    v_public := v_public or (not old.is_placeholder and old.status <> 'draft');
  end if;
  if tg_op = 'UPDATE' then
    v_public := v_public and (
      new.status, new.tier, new.title, new.company, new.description, new.location, new.salary, new.remote, new.type,
      new.workplace, new.experience, new.category, new.is_placeholder
    ) is distinct from (
      old.status, old.tier, old.title, old.company, old.description, old.location, old.salary, old.remote, old.type,
      old.workplace, old.experience, old.category, old.is_placeholder
    );
  end if;
  if v_public then
    perform public.add_to_outbox(
      'discord-jobs', jsonb_build_object('job_id', v_id, 'change', tg_op), v_id::text
    );
  end if;
  return null;
end
$$;
create trigger jobs_outbox after insert or update or delete on public.jobs
  for each row execute function public.job_to_outbox();

create function public.clip(p_text text, p_length integer) returns text
language sql immutable set search_path = '' as $$
  select case when length(trim(p_text)) > p_length then rtrim(left(trim(p_text), p_length - 1)) || '…' else trim(p_text) end
$$;

create function public.build_job_discord_embed(p_job_id uuid, p_site_url text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'title', public.clip(j.title || ' at ' || j.company, 200),
    'description', nullif(public.clip(j.description, 300), ''),
    'url', case when j.status = 'active' then rtrim(p_site_url, '/') || '/jobs/' || j.slug end,
    'color', case
      when j.status = 'active' and j.tier = 'featured' then 16766720
      when j.status = 'active' then 5763719
      when j.status in ('pending_payment', 'pending_review') then 16705372
      when j.status = 'rejected' then 15548997
      else 10070709
    end,
    'fields', (
      select jsonb_agg(jsonb_build_object('name', f.name, 'value', public.clip(f.value, 200), 'inline', true) order by f.n)
      from (values
        (1, 'Company', j.company),
        (2, 'Status', initcap(replace(j.status::text, '_', ' '))),
        (3, 'Category', initcap(j.category::text)),
        (4, 'Type', initcap(j.type::text)),
        (5, 'Location', j.location),
        (6, 'Workplace', coalesce(j.workplace::text, case when j.remote then 'Remote' end)),
        (7, 'Experience', initcap(j.experience::text)),
        (8, 'Salary', j.salary),
        (9, 'Tier', initcap(j.tier::text))
      ) as f (n, name, value)
      where trim(f.value) <> ''
    ),
    'footer', jsonb_build_object('text', 'Job ' || left(j.id::text, 8)),
    'timestamp', coalesce(j.posted_at, j.created_at)
  ))
  from public.jobs j where j.id = p_job_id
$$;

create function public.get_job_for_announcement(p_job_id uuid, p_site_url text default null) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'job_id', j.id, 'announce', not j.is_placeholder and j.status <> 'draft',
    'reason', case when j.is_placeholder then 'placeholder' when j.status = 'draft' then 'draft' end,
    'status', j.status, 'discord_message_id', j.discord_message_id, 'updated_at', j.updated_at,
    'embed', public.build_job_discord_embed(j.id, p_site_url)
  )
  from public.jobs j where j.id = p_job_id
$$;

create function public.record_job_announcement(p_job_id uuid, p_message_id text, p_now timestamptz) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.jobs set discord_message_id = p_message_id, updated_at = p_now where id = p_job_id;
  return found;
end
$$;
