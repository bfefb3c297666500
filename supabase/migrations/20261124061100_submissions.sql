create type public.submission_status as enum ('pending', 'approved', 'rejected', 'spam', 'merged');
create type public.submission_type as enum (
  'agents', 'mcp', 'rules', 'commands', 'hooks', 'statuslines', 'skills'
);
create type public.contact_category as enum ('bug', 'feature', 'partnership', 'general', 'other');

create table public.content_submissions (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 200),
  description text not null,
  category public.content_category not null,
  submission_type public.submission_type not null,
  author text not null,
  author_profile_url text,
  content_data jsonb not null default '{}',
  status public.submission_status not null default 'pending',
  approved_slug text,
  github_url text,
  github_pr_url text,
  tags text[] not null default '{}',
  spam_score numeric check (spam_score between 0 and 1),
  spam_reasons text[],
  submitter_id uuid,
  submitter_email text,
  submitter_ip text,
  moderated_at timestamptz,
  moderated_by uuid,
  moderator_notes text,
  merged_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table public.content_submissions enable row level security;

create function public.submission_to_outbox() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' or new.status = 'merged' and (
    old.status <> 'merged' or (new.approved_slug, new.category) is distinct from (old.approved_slug, old.category)
  ) then
    perform public.add_to_outbox(
      'discord-submissions', jsonb_build_object('submission_id', new.id, 'change', tg_op), new.id::text
    );
  end if;
  return null;
end
$$;
create trigger content_submissions_outbox after insert or update on public.content_submissions
  for each row execute function public.submission_to_outbox();

-- Without the submitter's address: it is not the channel's business (D-9).
create function public.get_submission_for_announcement(p_submission_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'submission_id', s.id,
    'announce', coalesce(s.spam_score, 0) <= 0.7 and s.status <> 'spam',
    'reason', case when coalesce(s.spam_score, 0) > 0.7 or s.status = 'spam' then 'spam' end,
    'status', s.status, 'name', s.name, 'description', s.description, 'category', s.category,
    'submission_type', s.submission_type, 'author', s.author, 'author_profile_url', s.author_profile_url,
    'github_url', s.github_url, 'tags', s.tags, 'created_at', s.created_at, 'approved_slug', s.approved_slug,
    'content_id', (select c.id from public.content c where c.category = s.category and c.slug = s.approved_slug)
  )
  from public.content_submissions s where s.id = p_submission_id
$$;

create function public.get_content_for_announcement(p_content_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'content_id', c.id, 'category', c.category, 'slug', c.slug,
    'title', coalesce(c.display_title, c.title, c.slug), 'description', c.description, 'author', c.author,
    'author_profile_url', c.author_profile_url, 'tags', c.tags, 'date_added', c.date_added
  )
  from public.content c where c.id = p_content_id
$$;

create table public.contact_submissions (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(trim(name)) between 1 and 200),
  email public.email_address not null,
  category public.contact_category not null,
  message text not null check (length(trim(message)) between 1 and 10000),
  status public.submission_status not null default 'pending',
  user_id uuid,
  session_id uuid,
  metadata jsonb,
  responded_by uuid,
  response_sent_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table public.contact_submissions enable row level security;

create function public.insert_contact_submission(
  p_name text, p_email text, p_category text, p_message text, p_metadata jsonb default null,
  p_now timestamptz default now(), p_submission_id uuid default null
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_id uuid := coalesce(p_submission_id, gen_random_uuid());
  v_created boolean;
begin
  insert into public.contact_submissions (id, name, email, category, message, metadata, created_at, updated_at)
  values (
    v_id, trim(p_name), lower(trim(p_email)), p_category::public.contact_category, p_message, p_metadata, p_now, p_now
  ) on conflict (id) do nothing;
  v_created := found;
  return jsonb_build_object('success', true, 'submission_id', v_id, 'created', v_created);
end
$$;

create function public.get_contact_submission(p_submission_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'submission_id', id, 'name', name, 'email', email, 'category', category, 'message', message, 'status', status,
    'created_at', created_at, 'response_sent_at', response_sent_at
  )
  from public.contact_submissions where id = p_submission_id
$$;

create function public.mark_contact_answered(p_submission_id uuid, p_now timestamptz) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.contact_submissions set response_sent_at = coalesce(response_sent_at, p_now), updated_at = p_now
  where id = p_submission_id;
  return found;
end
$$;
