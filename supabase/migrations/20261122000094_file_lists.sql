-- file lists: the uploaded files and what was made of them, for people who operate the queue.

-- Files as people see them, in the order of their ids in the array. Called by list_files and describe_file.
create function public.rows_of_files(file_ids bigint[]) returns jsonb
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return (
    select coalesce(json_agg(to_jsonb(r) order by a.number)::jsonb, '[]')
    from unnest(file_ids) with ordinality a (id, number)
    join public.ingested_files f on f.id = a.id
    left join public.file_analyses y on y.file_id = f.id
    cross join lateral (select
      f.id, f.org_id, f.bucket_id, f.path, f.mime_type, f.size, f.created_at, y.title,
      case when f.deleted_at is not null then 'deleted' when f.superseded_at is not null then 'superseded'
        else (select s.status from public.file_status s where s.file_id = f.id) end as status,
      (select count(*) from public.cards c
        where c.object_id = f.object_id and c.removed_at is null and c.gone_at is null) as cards,
      exists (select from public.thumbnails t where t.file_id = f.id) as thumbnail,
      (
        select coalesce(jsonb_agg(jsonb_build_object('id', j.id, 'type', j.type, 'status', j.status) order by j.id), '[]')
        from (
          select o.id, o.type, o.status from public.jobs o where o.file_id = f.id order by o.id desc limit 50) j) as jobs
    ) r);
end $$;
revoke all on function public.rows_of_files(bigint[]) from public, anon, authenticated, service_role;

-- One page of current files, the latest first: {"files": [row], "next"}. The filter narrows it down by org_id, status (as in
-- file_status) and a part of the path. Raises 22023 naming what is wrong.
-- Called by the jobs API and the dashboard. Takes no locks; with a filter it looks at 5,000 files, with a status at 500, so
-- that a page may be short and yet have a next one.
create function public.list_files(filter jsonb default '{}', page_size int default 50, cursor text default null)
returns jsonb
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  asked jsonb := public.check_filter(filter, array['org_id', 'status', 'path'],
    array['waiting', 'processing', 'done', 'failed', 'cancelled']);
  most int := least(greatest(coalesce(page_size, 50), 1), 200);
  parts text[] := public.read_cursor(cursor, 'files_([0-9]{1,18})_([1-9][0-9]{0,17})');
  since timestamptz := coalesce(public.time_of_cursor(parts[1]), 'infinity');
  before bigint := coalesce(parts[2]::bigint, 9223372036854775807);
  look_at int := case when asked ? 'status' then 500 else public.rows_to_look_at(asked, most) end;
  like_path text := '%' || replace(replace(replace(asked ->> 'path', '\', '\\'), '%', '\%'), '_', '\_') || '%';
  seen bigint[];
  found bigint[];
  last bigint;
begin
  if asked ? 'org_id' then
    seen := array(
      select f.id from public.ingested_files f
      where f.org_id = asked ->> 'org_id' and f.created_at <= since and (f.created_at, f.id) < (since, before)
      order by f.created_at desc, f.id desc limit look_at);
  else
    seen := array(select f.id from public.ingested_files f where f.id < before order by f.id desc limit look_at);
  end if;
  found := array(
    select f.id
    from unnest(seen) with ordinality s (id, number) join public.ingested_files f on f.id = s.id
    where f.superseded_at is null and f.deleted_at is null
      and (like_path is null or f.path ilike like_path)
      and (not asked ? 'status' or asked ->> 'status' = (select v.status from public.file_status v where v.file_id = f.id))
    order by s.number limit most);
  last := case when cardinality(found) = most then found[most] when cardinality(seen) = look_at then seen[look_at] end;
  return jsonb_build_object(
    'files', public.rows_of_files(found),
    'next', (
      select 'files_' || public.microseconds(f.created_at) || '_' || f.id from public.ingested_files f where f.id = last));
end $$;
comment on function public.list_files(jsonb, int, text) is
  'One page of the current files and what was made of them, the latest first.';
revoke all on function public.list_files(jsonb, int, text) from public, anon, authenticated;
grant execute on function public.list_files(jsonb, int, text) to service_role;

-- A file with its analysis, its thumbnails and its first 200 cards; null when there is none of this id. Older versions and
-- deleted files are told as well, until they are pruned. Called by the jobs API and the dashboard. Takes no locks.
create function public.describe_file(file_id bigint) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return (
    select public.rows_of_files(array[f.id]) -> 0 || to_jsonb(more)
    from public.ingested_files f
    cross join lateral (select
      f.version, f.deleted_at, f.superseded_at, f.problem,
      (
        select to_jsonb(y) from (
          select a.kind, a.title, a.language, a.summary, a.topics, a.pages, a.notes, a.provider, a.degraded, a.cost
          from public.file_analyses a where a.file_id = f.id) y) as analysis,
      (
        select coalesce(jsonb_agg(to_jsonb(t) order by t.size), '[]') from (
          select p.size, p.bucket_id, p.path, p.width, p.height
          from public.thumbnails p where p.file_id = f.id) t) as thumbnails,
      (
        select coalesce(jsonb_agg(to_jsonb(d) order by d.position, d.id), '[]') from (
          select c.id, c.type, c.front as question, c.back as answer, c.hint, c.tags, c.position
          from public.cards c
          where c.object_id = f.object_id and c.removed_at is null and c.gone_at is null
          order by c.position, c.id limit 200) d) as cards
    ) more
    where f.id = describe_file.file_id);
end $$;
comment on function public.describe_file(bigint) is 'A file with its analysis, thumbnails and cards; null without one.';
revoke all on function public.describe_file(bigint) from public, anon, authenticated;
grant execute on function public.describe_file(bigint) to service_role;
