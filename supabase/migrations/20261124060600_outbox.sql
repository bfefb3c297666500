-- Work that follows from a row is written in the row's own transaction; a sweep hands it to the queues. So nothing
-- is lost when a webhook is, and nothing is announced that was rolled back.
create schema if not exists extensions;
create extension if not exists pgcrypto with schema extensions;

create table public.outbox (
  id bigint generated always as identity primary key,
  queue text not null check (queue ~ '^[a-z]+(-[a-z]+)*$'),
  payload jsonb not null check (jsonb_typeof(payload) = 'object'),
  group_key text,
  lease_owner text,
  lease_expires_at timestamptz,
  claim_count integer not null default 0,
  done_at timestamptz,
  created_at timestamptz not null default now()
);
create index outbox_waiting_idx on public.outbox (id) where done_at is null;
create index outbox_done_idx on public.outbox (done_at) where done_at is not null;
alter table public.outbox enable row level security;

create function public.add_to_outbox(p_queue text, p_payload jsonb, p_group_key text default null) returns void
language sql security definer set search_path = '' as $$
  insert into public.outbox (queue, payload, group_key) values (p_queue, p_payload, p_group_key)
$$;

create function public.claim_outbox(p_limit integer, p_lease_seconds integer, p_owner text, p_now timestamptz)
returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_claimed jsonb;
begin
  with picked as (
    select o.id from public.outbox o
    where o.done_at is null and (o.lease_expires_at is null or o.lease_expires_at <= p_now)
    order by o.id limit least(greatest(p_limit, 0), 1000) for update skip locked
  ), claimed as (
    update public.outbox o set
      lease_owner = p_owner, lease_expires_at = p_now + make_interval(secs => p_lease_seconds),
      claim_count = o.claim_count + 1
    from picked where o.id = picked.id
    returning o.*
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', id, 'queue', queue, 'payload', payload, 'group_key', group_key, 'occurred_at', created_at,
    'claim_count', claim_count
  ) order by id), '[]') into v_claimed from claimed;
  return v_claimed;
end
$$;

-- Whoever got a row into its queue may say so, even when the lease has passed to another sweep meanwhile.
create function public.complete_outbox(p_ids bigint[], p_now timestamptz) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_done integer;
begin
  update public.outbox set done_at = p_now, lease_owner = null, lease_expires_at = null
  where id = any (p_ids) and done_at is null;
  get diagnostics v_done = row_count;
  return v_done;
end
$$;

create function public.get_outbox_backlog(p_now timestamptz) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'waiting', count(*) filter (where lease_expires_at is null or lease_expires_at <= p_now),
    'leased', count(*) filter (where lease_expires_at > p_now),
    'oldest_age_seconds', floor(extract(epoch from p_now - min(created_at)))
  )
  from public.outbox where done_at is null
$$;

create function public.purge_outbox(p_done_before timestamptz, p_limit integer) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  v_purged integer;
begin
  delete from public.outbox where id in (
    select id from public.outbox where done_at < p_done_before order by done_at limit p_limit for update skip locked
  );
  get diagnostics v_purged = row_count;
  return v_purged;
end
$$;

-- Tells the station that something waits. Address and key are vault secrets (D-8); without pg_net, vault or either
-- secret nothing is sent and the sweep's own schedule does the work. Never the reason for a failed write.
create function public.poke_station() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_url text;
  v_key text;
  v_body jsonb := jsonb_build_object('type', 'INSERT', 'schema', 'public', 'table', 'outbox');
  v_timestamp text := floor(extract(epoch from clock_timestamp()) * 1000)::bigint::text;
begin
  if current_setting('flux_station.poked', true) = 'yes' then
    return null;
  end if;
  perform set_config('flux_station.poked', 'yes', true);
  if to_regclass('vault.decrypted_secrets') is null or to_regproc('net.http_post') is null then
    return null;
  end if;
  begin
    -- Dynamic, because neither schema needs to exist.
    execute $sql$
      select max(decrypted_secret) filter (where name = 'station_poke_url'),
        max(decrypted_secret) filter (where name = 'station_poke_secret')
      from vault.decrypted_secrets
    $sql$ into v_url, v_key;
    if v_url is null or v_key is null then
      return null;
    end if;
    -- pg_net sends a jsonb body as its text, so that text is what is signed.
    execute 'select net.http_post(url := $1, body := $2, headers := $3, timeout_milliseconds := 5000)'
    using v_url, v_body, jsonb_build_object(
      'Content-Type', 'application/json',
      'X-Webhook-Timestamp', v_timestamp,
      'X-Webhook-Signature', encode(extensions.hmac(
        convert_to(v_timestamp || '.' || v_body::text, 'UTF8'), convert_to(v_key, 'UTF8'), 'sha256'
      ), 'base64')
    );
  exception when others then
    raise warning 'The station was not poked, the sweep will find the work: %', sqlerrm;
  end;
  return null;
end
$$;
create trigger outbox_pokes after insert on public.outbox for each statement execute function public.poke_station();

-- What a cached page is found by.
create function public.content_key(p_row public.content) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('category', p_row.category, 'slug', p_row.slug, 'tags', p_row.tags)
$$;

-- Counters change with every visitor and must not cause work, nor may what the work itself writes back.
create function public.content_to_outbox() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_text_changed boolean := tg_op = 'INSERT';
  v_package_changed boolean := tg_op = 'INSERT';
  v_page_changed boolean := tg_op <> 'UPDATE';
begin
  if tg_op = 'UPDATE' then
    v_text_changed := (new.title, new.display_title, new.description, new.tags, new.author, new.content)
      is distinct from (old.title, old.display_title, old.description, old.tags, old.author, old.content);
    v_package_changed := (new.category, new.slug, new.title, new.display_title, new.description, new.content)
      is distinct from (old.category, old.slug, old.title, old.display_title, old.description, old.content);
    v_page_changed := v_text_changed or v_package_changed
      or (new.author_profile_url, new.date_added, new.og_image, new.storage_url)
        is distinct from (old.author_profile_url, old.date_added, old.og_image, old.storage_url);
  end if;
  if v_page_changed then
    perform public.add_to_outbox('revalidation', jsonb_build_object(
      'table', 'content', 'change', tg_op,
      'current', case when tg_op <> 'DELETE' then public.content_key(new) end,
      'former', case when tg_op <> 'INSERT' then public.content_key(old) end
    ));
  end if;
  if v_text_changed then
    perform public.add_to_outbox('embedding-generation', jsonb_build_object('content_id', new.id));
  end if;
  if v_package_changed and new.category in ('skills', 'mcp') then
    perform public.add_to_outbox('package-generation', jsonb_build_object(
      'content_id', new.id, 'category', new.category, 'slug', new.slug, 'created_at', now()
    ));
  end if;
  return null;
end
$$;
create trigger content_outbox after insert or update or delete on public.content
  for each row execute function public.content_to_outbox();
