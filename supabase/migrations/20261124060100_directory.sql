create type public.content_category as enum (
  'agents', 'mcp', 'rules', 'commands', 'hooks', 'statuslines', 'skills', 'collections', 'guides', 'jobs', 'changelog'
);
create type public.app_setting_category as enum ('feature_flag', 'config', 'secret', 'experimental', 'maintenance');
create type public.setting_type as enum ('boolean', 'string', 'number', 'json');
create type public.environment as enum ('development', 'preview', 'production');

create table if not exists public.users (
  id uuid primary key default gen_random_uuid(),
  email public.email_address,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index if not exists users_email_idx on public.users (email);
alter table public.users enable row level security;

create table if not exists public.app_settings (
  setting_key text primary key,
  setting_value jsonb not null,
  setting_type public.setting_type not null,
  environment public.environment,
  enabled boolean not null default true,
  description text not null default '',
  category public.app_setting_category not null default 'config',
  version integer not null default 1,
  previous_value jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table public.app_settings enable row level security;

create table if not exists public.content (
  id uuid primary key default gen_random_uuid(),
  category public.content_category not null,
  slug text not null check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  title text,
  display_title text,
  description text not null,
  content text,
  author text not null,
  author_profile_url text,
  tags text[] not null default '{}',
  date_added date not null,
  og_image text,
  storage_url text,
  view_count integer not null default 0 check (view_count >= 0),
  copy_count integer not null default 0 check (copy_count >= 0),
  bookmark_count integer not null default 0 check (bookmark_count >= 0),
  popularity_score numeric,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (category, slug)
);
create index if not exists content_date_added_idx on public.content (date_added desc, slug);
alter table public.content enable row level security;
grant select on public.content to anon, authenticated;
create policy content_is_public on public.content for select to anon, authenticated using (true);
