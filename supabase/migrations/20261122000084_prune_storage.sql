-- prune_storage: the pictures of a file version go when it goes. The database finds them, jobs remove them: rows of
-- storage.objects may only be deleted through the Storage API.

-- Of these objects, the pictures whose file version was overwritten or deleted. One whose file is not known at all, or
-- has another organisation or version by now, has to be an hour old: nothing of it may be on its way still.
-- Taken for ours is only what is named as create_thumbnail names it, to the version and the size; what else adopters
-- keep in a bucket of this name, say under <user>/<year>/<month>, is theirs.
-- Called by enqueue_prune_storage. Takes no locks.
create function public.outlived_pictures(object_ids uuid[]) returns table (org_id text, path text)
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
  select split_part(o.name, '/', 1), o.name
  from storage.objects o
  left join public.ingested_files f on f.id = case
    when o.name ~ '^[^/]+/[0-9]{1,18}/[^/]+/' then split_part(o.name, '/', 2)::bigint end
  where o.id = any (object_ids) and o.bucket_id = 'thumbnails'
    and o.name ~ '^[^/]+/[0-9]{1,18}/[^/]+/[0-9]{1,5}[.]webp$' and not string_to_array(o.name, '/') && '{.,..}'
    and btrim(split_part(o.name, '/', 1)) <> '' and length(split_part(o.name, '/', 1)) <= 256
    and case
      when f.org_id = split_part(o.name, '/', 1) and f.version = split_part(o.name, '/', 3)
      then f.superseded_at is not null or f.deleted_at is not null
      else coalesce(o.updated_at, o.created_at, '-infinity') < now() - interval '1 hour'
        and split_part(o.name, '/', 3) ~ '^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|unversioned)$' end;
end $$;
revoke all on function public.outlived_pictures(uuid[]) from public, anon, authenticated;
grant execute on function public.outlived_pictures(uuid[]) to service_role;

-- Enqueues the removal of pictures: a job for at most 500 of one organisation, and none for what a job that has not ended
-- will remove anyway. Returns the number of pictures.
-- Called by enqueue_prune_storage, which is the only one at it. Locks as enqueue_jobs does.
create function public.enqueue_removals(org_ids text[], paths text[]) returns int
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  jobs jsonb;
begin
  select jsonb_agg(jsonb_build_object('org_id', c.org_id, 'type', 'prune_storage', 'priority', -60,
    'payload', jsonb_build_object('bucket', 'thumbnails', 'paths', c.paths)) order by c.org_id, c.part)
  into jobs
  from (
    select n.org_id, n.part, jsonb_agg(n.path order by n.path) as paths
    from (
      select g.org_id, g.path, (row_number() over (partition by g.org_id order by g.path) - 1) / 500 as part
      from (
        select u.org_id, u.path from unnest(enqueue_removals.org_ids, enqueue_removals.paths) u (org_id, path)
        except
        select j.org_id, p.value
        from public.jobs j cross join jsonb_array_elements_text(
          case when jsonb_typeof(j.payload -> 'paths') = 'array' then j.payload -> 'paths' else '[]' end) p
        where j.org_id = any (enqueue_removals.org_ids) and j.type = 'prune_storage'
          and j.status in ('waiting', 'queued', 'processing')
      ) g
    ) n
    group by n.org_id, n.part
  ) c;
  if jobs is null then
    return 0;
  end if;
  perform public.enqueue_jobs(jobs);
  return (select sum(jsonb_array_length(j.value -> 'payload' -> 'paths')) from jsonb_array_elements(jobs) j);
end $$;
revoke all on function public.enqueue_removals(text[], text[]) from public, anon, authenticated;
grant execute on function public.enqueue_removals(text[], text[]) to service_role;

-- Looks at up to `up_to` stored objects (at most 20,000, for about a second, and until pictures of 500 organisations are
-- found, as each gets a job of its own: fewer than 1,500), going on where the last call stopped, and enqueues prune_storage
-- jobs for the pictures that have outlived their file. Answers {"checked", "enqueued", "finished", "busy"}: objects looked
-- at, pictures that jobs will remove, whether all objects were seen, whether another call is at it.
-- Called by the schedule crontick-prune-storage, as often as wanted. Locks the row of its sweep, and as enqueue_jobs does.
create function public.enqueue_prune_storage(up_to int default 20000) returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  until timestamptz := clock_timestamp() + interval '1 second';
  most int := least(greatest(coalesce(up_to, 20000), 1), 20000);
  sweep public.file_sweeps := public.take_sweep('prune_storage', '', false);
  page int;
  objects uuid[];
  checked int := 0;
  is_finished boolean := false;
  org_ids text[] := '{}';
  paths text[] := '{}';
begin
  if sweep.name is null then
    return '{"checked": 0, "enqueued": 0, "finished": false, "busy": true}';
  end if;
  while not is_finished and checked < most and (checked = 0 or clock_timestamp() < until)
    and (select count(distinct u.org_id) from unnest(org_ids) u (org_id)) < 500
  loop
    page := least(most - checked, 1000);
    objects := array(
      select o.id from storage.objects o
      where o.id > coalesce(sweep.position, '00000000-0000-0000-0000-000000000000') order by o.id limit page);
    is_finished := cardinality(objects) < page;
    checked := checked + cardinality(objects);
    sweep.position := coalesce(objects[cardinality(objects)], sweep.position);
    select org_ids || coalesce(array_agg(p.org_id), '{}'), paths || coalesce(array_agg(p.path), '{}')
    into org_ids, paths from public.outlived_pictures(objects) p;
  end loop;
  perform public.leave_sweep(sweep, case when not is_finished then sweep.position end);
  return jsonb_build_object('checked', checked, 'enqueued', public.enqueue_removals(org_ids, paths),
    'finished', is_finished, 'busy', false);
end $$;
comment on function public.enqueue_prune_storage(int) is
  'Enqueues jobs that remove the pictures of file versions that were overwritten or deleted.';
revoke all on function public.enqueue_prune_storage(int) from public, anon, authenticated;
grant execute on function public.enqueue_prune_storage(int) to service_role;

-- Forgets the pictures that were removed. Called by resolve_jobs for prune_storage.
create function public.apply_prune_storage(job public.jobs, output jsonb) returns void
language sql security definer set search_path = '' as $$
  delete from public.thumbnails t
  using (
    select p.value as path, split_part(p.value, '/', 2)::bigint as file_id
    from jsonb_array_elements_text(job.payload -> 'paths') p
    where p.value ~ '^[^/]+/[0-9]{1,18}/'
  ) gone
  where t.file_id = gone.file_id and t.path = gone.path and t.org_id = job.org_id and t.bucket_id = job.payload ->> 'bucket'
$$;
revoke all on function public.apply_prune_storage(public.jobs, jsonb) from public, anon, authenticated;
grant execute on function public.apply_prune_storage(public.jobs, jsonb) to service_role;

insert into public.job_types (type, apply_function, description) values
  ('prune_storage', 'apply_prune_storage', 'Removes the pictures of files that are gone');
