create type public.newsletter_source as enum (
  'footer', 'homepage', 'modal', 'content_page', 'inline', 'post_copy', 'resend_import', 'oauth_signup'
);
create type public.newsletter_interest as enum (
  'general', 'agents', 'mcp', 'rules', 'commands', 'hooks', 'statuslines', 'skills', 'collections', 'guides', 'jobs',
  'changelog'
);
create type public.newsletter_subscription_status as enum ('active', 'unsubscribed', 'bounced', 'complained');
create type public.newsletter_sync_status as enum ('pending', 'synced', 'failed', 'skipped');
create type public.copy_type as enum ('llmstxt', 'markdown', 'code', 'link');
create type public.email_frequency as enum ('weekly', 'biweekly', 'monthly', 'paused');
create type public.email_blocklist_reason as enum ('spam_complaint', 'hard_bounce', 'repeated_soft_bounce', 'manual');

create table public.newsletter_subscriptions (
  id uuid primary key default gen_random_uuid(),
  email public.email_address not null unique,
  status public.newsletter_subscription_status not null default 'active',
  source public.newsletter_source not null default 'footer',
  referrer text check (length(referrer) <= 500),
  copy_type public.copy_type,
  copy_category public.content_category,
  copy_slug text check (length(copy_slug) <= 200),
  primary_interest public.newsletter_interest not null default 'general',
  categories_visited text[] not null default '{}',
  engagement_score integer not null default 50 check (engagement_score between 0 and 100),
  total_copies integer not null default 0 check (total_copies >= 0),
  last_active_at timestamptz,
  last_email_sent_at timestamptz,
  preferred_email_frequency public.email_frequency not null default 'weekly',
  resend_contact_id text,
  -- What sign-ups asked for, and what Resend has confirmed (D-26): only the second is fact.
  requested_topics text[] not null default '{}',
  resend_topics text[] not null default '{}',
  sync_status public.newsletter_sync_status not null default 'pending',
  sync_error text,
  last_sync_at timestamptz,
  confirmed boolean not null default false,
  confirmed_at timestamptz,
  consent_given boolean not null default false,
  ip_address text,
  user_agent text,
  subscribed_at timestamptz,
  resubscribed_at timestamptz,
  unsubscribed_at timestamptz,
  unsubscribe_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index newsletter_subscriptions_recipients_idx on public.newsletter_subscriptions (id)
  where status = 'active' and confirmed;
alter table public.newsletter_subscriptions enable row level security;

create table public.email_blocklist (
  email public.email_address primary key,
  reason public.email_blocklist_reason not null,
  notes text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table public.email_blocklist enable row level security;

create table public.email_engagement_summary (
  id uuid primary key default gen_random_uuid(),
  email public.email_address not null unique,
  emails_sent integer not null default 0,
  emails_delivered integer not null default 0,
  emails_opened integer not null default 0,
  emails_clicked integer not null default 0,
  emails_bounced integer not null default 0,
  emails_complained integer not null default 0,
  emails_failed integer not null default 0,
  last_sent_at timestamptz,
  last_delivered_at timestamptz,
  last_opened_at timestamptz,
  last_clicked_at timestamptz,
  last_bounced_at timestamptz,
  last_complained_at timestamptz,
  opens_last_30d integer not null default 0,
  clicks_last_30d integer not null default 0,
  engagement_score integer,
  health_status text,
  resend_contact_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table public.email_engagement_summary enable row level security;

-- The one answer to "may this subscription get mail".
create view public.mailable_subscriptions with (security_invoker = true) as
  select s.id, s.email, s.preferred_email_frequency
  from public.newsletter_subscriptions s
  where s.status = 'active' and s.confirmed
    and not exists (select from public.email_blocklist b where b.email = s.email);

create function public.record_contact_sync(
  p_subscription_id uuid, p_contact_id text, p_status text, p_error text, p_topics text[], p_now timestamptz
) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update public.newsletter_subscriptions set
    resend_contact_id = coalesce(p_contact_id, resend_contact_id),
    sync_status = p_status::public.newsletter_sync_status,
    sync_error = case when p_status = 'synced' then null else p_error end,
    resend_topics = case when p_status = 'synced' then coalesce(p_topics, '{}') else resend_topics end,
    last_sync_at = p_now,
    updated_at = p_now
  where id = p_subscription_id;
  if not found then
    raise exception 'Subscription % does not exist', p_subscription_id using errcode = '22023';
  end if;
end
$$;

create function public.get_newsletter_subscriber_count() returns integer
language sql stable security definer set search_path = '' as $$
  select count(*)::integer from public.mailable_subscriptions
$$;

create function public.get_subscription_engagement(p_subscription_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'subscription_id', s.id, 'email', s.email, 'status', s.status,
    'resend_contact_id', s.resend_contact_id, 'engagement_score', s.engagement_score
  )
  from public.newsletter_subscriptions s where s.id = p_subscription_id
$$;
