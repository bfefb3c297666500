create type public.changelog_source as enum ('manual', 'automation');

create table public.changelog (
  id uuid primary key default gen_random_uuid(),
  -- Null for entries written by hand.
  deployment_id text unique,
  slug text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  title text not null,
  tldr text,
  description text,
  content text not null,
  raw_content text not null,
  -- A list of {title, items}, which is what every reader expects (D-62).
  changes jsonb not null default '[]' check (jsonb_typeof(changes) = 'array'),
  commits jsonb not null default '[]' check (jsonb_typeof(commits) = 'array'),
  release_date date not null,
  published boolean not null default false,
  featured boolean not null default false,
  source public.changelog_source,
  keywords text[] not null default '{}',
  contributors text[] not null default '{}',
  commit_count integer not null default 0,
  git_commit_sha text,
  metadata jsonb not null default '{}',
  canonical_url text,
  json_ld jsonb,
  og_image text,
  og_type text,
  twitter_card text,
  robots_index boolean not null default true,
  robots_follow boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table public.changelog enable row level security;

create function public.text_list(p_value jsonb) returns text[]
language sql immutable set search_path = '' as $$
  select case when jsonb_typeof(p_value) = 'array' then array(select jsonb_array_elements_text(p_value)) else '{}' end
$$;

-- One entry per deployment, under a name that follows from the deployment alone, so that a retry after midnight
-- finds it again (D-41).
create function public.record_changelog_entry(p jsonb, p_now timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_deployment text := p ->> 'deployment_id';
  v_deployed_at timestamptz := case
    when p ->> 'deployed_at' ~ '^\d+$' then to_timestamp((p ->> 'deployed_at')::numeric / 1000)
    else (p ->> 'deployed_at')::timestamptz
  end;
  v_name text := trim(both '-' from lower(regexp_replace(v_deployment, '[^a-zA-Z0-9]+', '-', 'g')));
  v_date date := (v_deployed_at at time zone 'UTC')::date;
  v_slug text;
  v_row public.changelog;
begin
  if coalesce(v_name, '') = '' or v_deployed_at is null then
    raise exception 'deployment_id and deployed_at are required' using errcode = '22023';
  end if;
  -- Two deployments of a day may end alike: then the later one is named in full.
  foreach v_slug in array array[
    to_char(v_date, 'YYYY-MM-DD-') || trim(both '-' from right(v_name, 6)), to_char(v_date, 'YYYY-MM-DD-') || v_name
  ] loop
    insert into public.changelog (
      deployment_id, slug, title, tldr, description, content, raw_content, changes, commits, release_date, published,
      source, keywords, contributors, commit_count, git_commit_sha, metadata, canonical_url, created_at, updated_at
    ) values (
      v_deployment, v_slug, p ->> 'title', p ->> 'tldr', p ->> 'description', p ->> 'content',
      coalesce(p ->> 'raw_content', p ->> 'content'), coalesce(nullif(p -> 'sections', 'null'), '[]'),
      coalesce(nullif(p -> 'commits', 'null'), '[]'), v_date, true, 'automation', public.text_list(p -> 'keywords'),
      public.text_list(p -> 'contributors'),
      coalesce((p ->> 'commit_count')::integer, jsonb_array_length(coalesce(nullif(p -> 'commits', 'null'), '[]'))),
      p ->> 'git_commit_sha', coalesce(nullif(p -> 'metadata', 'null'), '{}'),
      rtrim(p ->> 'site_url', '/') || '/changelog/' || v_slug, p_now, p_now
    )
    on conflict do nothing;
    exit when found or exists (select from public.changelog where deployment_id = v_deployment);
  end loop;
  select * into v_row from public.changelog where deployment_id = v_deployment;
  if not found then
    raise exception 'The slug % belongs to another entry: rename that one', v_slug using errcode = '23505';
  end if;
  -- Nobody else has this deployment's time, so a call that is repeated gets the answer it got the first time.
  return jsonb_build_object('entry_id', v_row.id, 'slug', v_row.slug, 'created', v_row.created_at = p_now);
end
$$;

create function public.get_changelog_entry(p_entry_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'entry_id', id, 'slug', slug, 'title', title, 'tldr', coalesce(tldr, ''),
    'description', coalesce(description, ''), 'sections', changes, 'commits', commits, 'contributors', contributors,
    'commit_count', commit_count, 'git_commit_sha', git_commit_sha, 'release_date', release_date,
    'canonical_url', canonical_url, 'published', published, 'metadata', metadata
  )
  from public.changelog where id = p_entry_id
$$;
