-- The commit that was in production before a deployment: what its changes are counted from, since Vercel's event
-- names only its own commit. The inbox has every production deployment, those without a changelog entry too.
create function public.deployment_field(p_data jsonb, variadic p_names text[]) returns text
language sql immutable set search_path = '' as $$
  select p_data #>> array['payload', 'deployment', 'meta', n.name]
  from unnest(p_names) with ordinality as n (name, place)
  where p_data #>> array['payload', 'deployment', 'meta', n.name] <> ''
  order by n.place limit 1
$$;

create function public.get_previous_deployed_commit(p_webhook_event_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  with deployments as (
    select id, coalesce(occurred_at, received_at) as at,
      public.deployment_field(data, 'branch', 'githubCommitRef') as branch,
      public.deployment_field(data, 'commitId', 'githubCommitSha') as commit_sha
    from public.webhook_events
    where source = 'vercel' and type = 'deployment.succeeded' and data #>> '{payload,target}' = 'production'
  )
  select jsonb_build_object('commit_sha', (
    select d.commit_sha from deployments d
    where d.branch = this.branch and d.at < this.at and d.commit_sha <> this.commit_sha
    order by d.at desc limit 1
  ))
  from deployments this where this.id = p_webhook_event_id
$$;
