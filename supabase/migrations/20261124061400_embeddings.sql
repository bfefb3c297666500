-- One vector per entry: pgvector's type where the extension exists, else a jsonb list with the same functions around
-- it. Vectors of different models may lie side by side while one replaces the other, so the length is not fixed.
do $$
declare
  v_schema text;
  v_type text := 'jsonb';
begin
  if exists (select from pg_available_extensions where name = 'vector') then
    create extension if not exists vector with schema extensions;
    select n.nspname into v_schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'vector';
    v_type := format('%I.vector', v_schema);
  end if;

  execute format($sql$
    create table public.content_embeddings (
      id bigint generated always as identity primary key,
      content_id uuid not null unique references public.content (id) on delete cascade,
      content_hash text not null,
      content_text text not null,
      model text not null default '',
      dimensions integer not null check (dimensions between 1 and 16000),
      embedding %s not null,
      embedding_generated_at timestamptz not null,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )
  $sql$, v_type);

  if v_schema is not null then
    execute format($sql$
      create function public.as_embedding(p_vector jsonb) returns %1$s
      language sql immutable set search_path = '' as 'select p_vector::text::%1$s'
    $sql$, v_type);
    execute format($sql$
      create function public.embedding_similarity(p_a %1$s, p_b %1$s) returns double precision
      language sql immutable set search_path = '' as 'select 1 - (p_a operator(%2$I.<=>) p_b)'
    $sql$, v_type, v_schema);
  else
    create function public.as_embedding(p_vector jsonb) returns jsonb
    language sql immutable set search_path = '' as 'select p_vector';
    create function public.embedding_similarity(p_a jsonb, p_b jsonb) returns double precision
    language sql immutable set search_path = '' as $sql$
      select sum(x.v::double precision * y.v::double precision)
        / nullif(sqrt(sum(x.v::double precision ^ 2)) * sqrt(sum(y.v::double precision ^ 2)), 0)
      from jsonb_array_elements_text(p_a) with ordinality as x (v, n)
      join jsonb_array_elements_text(p_b) with ordinality as y (v, n) using (n)
    $sql$;
  end if;
end
$$;
alter table public.content_embeddings enable row level security;

create function public.embedding_text(p_row public.content) returns text
language sql stable set search_path = '' as $$
  select trim(concat_ws(
    ' ', nullif(trim(coalesce(p_row.title, p_row.display_title)), ''), nullif(trim(p_row.description), ''),
    nullif(array_to_string(p_row.tags, ' '), ''), nullif(trim(p_row.author), ''),
    nullif(trim(left(p_row.content, 1000)), '')
  ))
$$;

create function public.text_hash(p_text text) returns text
language sql immutable set search_path = '' as $$
  select encode(sha256(convert_to(p_text, 'UTF8')), 'hex')
$$;

create function public.get_content_for_embedding(p_content_id uuid, p_model text default '') returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'content_id', t.id, 'text', t.text, 'content_hash', public.text_hash(t.text),
    'up_to_date', exists (
      select from public.content_embeddings e
      where e.content_id = t.id and e.content_hash = public.text_hash(t.text) and e.model = coalesce(p_model, '')
    )
  )
  from (
    select c.id, public.embedding_text(c) as text from public.content c where c.id = p_content_id
  ) t
$$;

-- Two workers may embed one entry at once, and the slower may hold the older text: only the present text's vector
-- is kept (D-44, D-45).
create function public.store_embedding(
  p_content_id uuid, p_content_hash text, p_text text, p_embedding jsonb, p_now timestamptz, p_model text default ''
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_content public.content;
  v_outcome text := 'stored';
begin
  if jsonb_typeof(p_embedding) is distinct from 'array' or jsonb_array_length(p_embedding) = 0
    or jsonb_path_exists(p_embedding, 'strict $[*] ? (@.type() != "number")') then
    raise exception 'p_embedding must be a list of numbers' using errcode = '22023';
  end if;
  -- The lock keeps the text from changing between the comparison and the write.
  select * into v_content from public.content where id = p_content_id for share;
  if not found then
    v_outcome := 'content_gone';
  elsif public.text_hash(public.embedding_text(v_content)) is distinct from p_content_hash then
    v_outcome := 'outdated';
  else
    insert into public.content_embeddings as e (
      content_id, content_hash, content_text, model, dimensions, embedding, embedding_generated_at, created_at, updated_at
    ) values (
      p_content_id, p_content_hash, p_text, coalesce(p_model, ''), jsonb_array_length(p_embedding),
      public.as_embedding(p_embedding), p_now, p_now, p_now
    )
    on conflict (content_id) do update set
      content_hash = excluded.content_hash, content_text = excluded.content_text, model = excluded.model,
      dimensions = excluded.dimensions, embedding = excluded.embedding,
      embedding_generated_at = excluded.embedding_generated_at, updated_at = excluded.updated_at
    where (e.content_hash, e.model, e.dimensions)
      is distinct from (excluded.content_hash, excluded.model, excluded.dimensions);
    if not found then
      v_outcome := 'unchanged';
    end if;
  end if;
  return jsonb_build_object('stored', v_outcome = 'stored', 'outcome', v_outcome);
end
$$;

-- Compares with every vector of the query's length: right for some ten thousand entries. Beyond that, fix the
-- dimension of the column and give it an HNSW index.
create function public.query_content_embeddings(
  query_embedding jsonb, match_threshold double precision default 0.5, match_limit integer default 20,
  p_offset integer default 0, p_categories text[] default null, p_tags text[] default null,
  p_authors text[] default null
) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_found jsonb;
begin
  -- Materialized, because two vectors of different lengths cannot be compared at all.
  with comparable as materialized (
    select c.id, c.category, c.slug, coalesce(c.display_title, c.title, c.slug) as title, c.description, c.author,
      e.embedding
    from public.content_embeddings e join public.content c on c.id = e.content_id
    where e.dimensions = jsonb_array_length(query_embedding)
      and (p_categories is null or c.category::text = any (p_categories))
      and (p_tags is null or c.tags && p_tags)
      and (p_authors is null or c.author = any (p_authors))
  ), scored as (
    select id, category, slug, title, description, author,
      public.embedding_similarity(embedding, public.as_embedding(query_embedding)) as similarity
    from comparable
  ), page as (
    select * from scored where similarity >= match_threshold
    order by similarity desc, id limit least(match_limit, 100) offset p_offset
  )
  select coalesce(jsonb_agg(to_jsonb(page) order by similarity desc, id), '[]') into v_found from page;
  return v_found;
end
$$;
