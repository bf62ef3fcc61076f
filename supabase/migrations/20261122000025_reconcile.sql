-- reconcile: what the storage triggers could not see. An object that was stored before they or its route were there,
-- or while a lock made them give up, is found by comparing storage.objects with ingested_files, some objects at a time.
--
-- A sweep goes over all objects by id and remembers how far it came. A call ends after about a second of work: an upload
-- that meets it waits for it less long than it is ready to.

create table public.file_sweeps (
  name text primary key,
  covers text not null default '',
  position uuid,
  started_at timestamptz not null default now(),
  finished_at timestamptz
);
comment on table public.file_sweeps is 'How far reconcile_files and each backfill_files came through storage.objects.';
comment on column public.file_sweeps.covers is 'A hash of what the sweep is about; when that changes, it starts over.';
comment on column public.file_sweeps.position is 'The object up to which all are done; null at the start and at the end.';

-- Takes a sweep for this transaction; null while another call has it. One that was finished, or covers something else
-- by now, starts over.
-- Called by reconcile_files and backfill_files. Locks the sweep's row; waits for it, shortly, the first time only.
create function public.take_sweep(name text, covers text, restart boolean) returns public.file_sweeps
language plpgsql security definer set search_path = '' set lock_timeout = '100ms' as $$
declare
  sweep public.file_sweeps;
begin
  if not exists (select from public.file_sweeps s where s.name = take_sweep.name) then
    insert into public.file_sweeps (name) values (take_sweep.name) on conflict do nothing;
  end if;
  select s.* into sweep from public.file_sweeps s where s.name = take_sweep.name for update skip locked;
  if sweep.name is null then
    return null;
  end if;
  if restart or sweep.finished_at is not null or sweep.covers <> take_sweep.covers then
    sweep.position := null;
    sweep.started_at := now();
    sweep.finished_at := null;
  end if;
  sweep.covers := take_sweep.covers;
  return sweep;
exception when lock_not_available then
  return null; -- another call is about to make the row
end $$;
revoke all on function public.take_sweep(text, text, boolean) from public, anon, authenticated;
grant execute on function public.take_sweep(text, text, boolean) to service_role;

-- Remembers how far a sweep came: after which object the next call goes on; null when it is finished.
-- Called by reconcile_files and backfill_files, which hold the row's lock.
create function public.leave_sweep(sweep public.file_sweeps, at uuid) returns void
language sql security definer set search_path = '' as $$
  update public.file_sweeps s set
    covers = sweep.covers, started_at = sweep.started_at, position = leave_sweep.at,
    finished_at = case when leave_sweep.at is null then now() end
  where s.name = sweep.name
$$;
revoke all on function public.leave_sweep(public.file_sweeps, uuid) from public, anon, authenticated;
grant execute on function public.leave_sweep(public.file_sweeps, uuid) to service_role;

-- The next objects by id: stored ones, and those of current files whether they are still stored or not.
-- Called by reconcile_files and backfill_files. Reads two pieces of an index; takes no locks.
create function public.next_objects(after uuid, up_to int) returns uuid[]
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  start uuid := coalesce(after, '00000000-0000-0000-0000-000000000000');
begin
  return array(
    (select o.id from storage.objects o where o.id > start order by o.id limit up_to)
    union
    (select f.object_id from public.ingested_files f
      where f.superseded_at is null and f.deleted_at is null and f.object_id > start
      order by f.object_id limit up_to)
    order by 1 limit up_to);
end $$;
revoke all on function public.next_objects(uuid, int) from public, anon, authenticated;
grant execute on function public.next_objects(uuid, int) to service_role;

-- Which of these objects are not what we know of them, and what there is to do: retire the current file (`ended_as`),
-- ingest what is stored, or enqueue the flow of a route that failed to start (`to_ingest`). With a route, only objects
-- that it wants.
-- Called by catch_up and backfill_files. Takes no locks.
create function public.objects_to_catch_up(object_ids uuid[], route_id bigint)
returns table (object_id uuid, file_id bigint, ended_as text, to_ingest boolean)
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
  select c.object_id, c.file_id, c.ended_as, c.to_ingest
  from (
    select u.id as object_id, f.id as file_id, w.is_wanted, (o.id is not null and w.is_wanted and (
        k.is_known is not true or exists (
          select from public.ingest_failures x
          join public.ingest_routes r on r.active and x.operation = 'route ' || r.name
          where x.object_id = u.id and x.version = f.version
            and (objects_to_catch_up.route_id is null or r.id = objects_to_catch_up.route_id)))) as to_ingest,
      case
        when k.is_known or f.id is null then null
        when exists (select from public.ingest_routes r where r.active and r.bucket_id = o.bucket_id) then 'superseded'
        else 'deleted' end as ended_as
    from unnest(object_ids) u (id)
    left join storage.objects o on o.id = u.id
    left join public.ingested_files f on f.object_id = u.id and f.superseded_at is null and f.deleted_at is null
    cross join lateral (select
      f.version = coalesce(o.version, 'unversioned') and f.bucket_id = o.bucket_id and f.path = o.name as is_known) k
    cross join lateral (select
      o.version is distinct from '1'
      and o.name not like '%/.emptyFolderPlaceholder' and o.name <> '.emptyFolderPlaceholder'
      and exists (
        select from public.ingest_routes r
        where r.active and r.bucket_id = o.bucket_id and o.name like r.path_pattern
          and coalesce(o.metadata ->> 'mimetype', '') like r.mime_pattern
          and (objects_to_catch_up.route_id is null or r.id = objects_to_catch_up.route_id)) as is_wanted) w
  ) c
  where (c.ended_as is not null or c.to_ingest) and (objects_to_catch_up.route_id is null or c.is_wanted);
end $$;
revoke all on function public.objects_to_catch_up(uuid[], bigint) from public, anon, authenticated;
grant execute on function public.objects_to_catch_up(uuid[], bigint) to service_role;

-- Locks the jobs of these files and what waits for them, all in one order; waits two seconds for those that somebody
-- else has locked, then does without their files. Returns the files whose jobs are all locked.
-- Called by catch_up and backfill_files before they change any of them.
create function public.hold_jobs_of_files(file_ids bigint[]) returns bigint[]
language plpgsql security definer set search_path = ''
set plan_cache_mode = force_custom_plan set lock_timeout = '2s' as $$
declare
  own bigint[] := array(select j.id from public.jobs j where j.file_id = any (file_ids));
  wanted bigint[] := own || public.waiting_descendants(own);
  held bigint[];
begin
  begin
    perform 1 from public.jobs j where j.id = any (wanted) order by j.id for update;
  exception when lock_not_available then
    null;
  end;
  held := array(select j.id from public.jobs j where j.id = any (wanted) order by j.id for update skip locked);
  return array(
    select u.id from unnest(file_ids) u (id)
    except
    select j.file_id from public.jobs j where j.file_id = any (file_ids) and j.id <> all (held));
end $$;
revoke all on function public.hold_jobs_of_files(bigint[]) from public, anon, authenticated;
grant execute on function public.hold_jobs_of_files(bigint[]) to service_role;

-- Ingests one stored object, or enqueues only those flows of its current file that failed to start. What had failed
-- before is forgotten; if it fails in the same way again, the answer is false and the record keeps its time, so that
-- nobody is alerted twice.
-- Called by catch_up, which keeps the object as it is by a lock on its row.
create function public.ingest_again(object_id uuid, priority int) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  stored record;
  file public.ingested_files;
  failed text[];
  known jsonb;
  route public.ingest_routes;
begin
  select o.id, coalesce(o.version, 'unversioned') as version, o.bucket_id, o.name, o.metadata, o.owner_id into stored
  from storage.objects o where o.id = ingest_again.object_id;
  select f.* into file from public.ingested_files f
  where f.object_id = ingest_again.object_id and f.version = stored.version and f.path = stored.name
    and f.bucket_id = stored.bucket_id and f.superseded_at is null and f.deleted_at is null;
  select coalesce(array_agg(x.operation) filter (where x.version = stored.version), '{}'),
    coalesce(jsonb_object_agg(x.operation || x.error, x.created_at), '{}')
  into failed, known from public.ingest_failures x where x.object_id = ingest_again.object_id;
  delete from public.ingest_failures x where x.object_id = ingest_again.object_id;

  if file.id is null then
    begin
      perform public.ingest_object(
        stored.id, stored.version, stored.bucket_id, stored.name, stored.metadata, stored.owner_id, priority);
    exception when others then
      perform public.record_ingest_failure(stored.id, stored.version, stored.bucket_id, stored.name, 'ingest', sqlerrm);
    end;
  end if;
  for route in
    select r.* from public.ingest_routes r
    where file.id is not null and r.active and 'route ' || r.name = any (failed) order by r.id
  loop
    begin
      perform public.enqueue_file_flow(file.id, route.flow, priority);
    exception when others then
      perform public.record_ingest_failure(
        stored.id, stored.version, stored.bucket_id, stored.name, 'route ' || route.name, sqlerrm);
    end;
  end loop;
  update public.ingest_failures x set created_at = (known ->> (x.operation || x.error))::timestamptz
  where x.object_id = ingest_again.object_id and known ? (x.operation || x.error);
  return not exists (select from public.ingest_failures x where x.object_id = ingest_again.object_id);
end $$;
revoke all on function public.ingest_again(uuid, int) from public, anon, authenticated;
grant execute on function public.ingest_again(uuid, int) to service_role;

-- Brings what we know of these objects up to date: retires files whose object is gone or was overwritten, ingests what
-- is stored. Answers {"enqueued", "retired", "failed"}, in files, and "last": the object after which it had done enough,
-- or null. An object that is being written right now is left to its own trigger.
-- Called by reconcile_files and backfill_files. Locks the objects it changes against overwriting until it commits,
-- skipping locked ones; then jobs by ascending id, then their files.
create function public.catch_up(object_ids uuid[], route_id bigint, priority int, until timestamptz) returns jsonb
language plpgsql security definer set search_path = ''
set plan_cache_mode = force_custom_plan set lock_timeout = '2s' as $$
declare
  most constant int := 300; -- about what a second is enough for
  behind uuid[] := array(
    select c.object_id from public.objects_to_catch_up(object_ids, route_id) c order by c.object_id limit most + 1);
  ends_at uuid;
  free uuid[];
  outdated uuid[];
  deleted uuid[];
  held bigint[];
  kept uuid[];
  object uuid;
  last uuid;
  enqueued int := 0;
  failed int := 0;
begin
  if behind = '{}' then
    return '{"enqueued": 0, "retired": 0, "failed": 0, "last": null}';
  end if;
  if cardinality(behind) > most then
    behind := behind[:most];
    ends_at := behind[most];
  end if;
  free := array(select o.id from storage.objects o where o.id = any (behind) order by o.id for share skip locked);
  free := free || array(
    select u.id from unnest(behind) u (id) where not exists (select from storage.objects o where o.id = u.id));

  held := public.hold_jobs_of_files(array(
    select c.file_id from public.objects_to_catch_up(free, route_id) c where c.ended_as is not null));
  select array_agg(c.object_id) filter (where c.ended_as = 'superseded' and c.file_id = any (held)),
    array_agg(c.object_id) filter (where c.ended_as = 'deleted' and c.file_id = any (held)),
    array_agg(c.object_id) filter (where c.ended_as is not null and not c.file_id = any (held))
  into outdated, deleted, kept from public.objects_to_catch_up(free, route_id) c;
  begin
    perform public.retire_files(coalesce(outdated, '{}'), 'superseded');
    perform public.retire_files(coalesce(deleted, '{}'), 'deleted');
    delete from public.ingest_failures x where x.object_id = any (deleted);
  exception when lock_not_available then
    kept := kept || outdated || deleted;
    outdated := '{}';
    deleted := '{}';
  end;
  perform public.record_sweep_failure(f.id, 'retire', 'its jobs are locked by another session; run it again')
  from public.ingested_files f where f.object_id = any (kept) and f.superseded_at is null and f.deleted_at is null;

  for object in
    select c.object_id from public.objects_to_catch_up(free, route_id) c
    where c.to_ingest and c.object_id <> all (coalesce(kept, '{}')) order by c.object_id
  loop
    if last is not null and clock_timestamp() > until then
      exit;
    end if;
    if public.ingest_again(object, priority) then
      enqueued := enqueued + 1;
    else
      failed := failed + 1;
    end if;
    last := object;
  end loop;
  return jsonb_build_object(
    'enqueued', enqueued,
    'retired', coalesce(cardinality(outdated || deleted), 0),
    'failed', failed + coalesce(cardinality(kept), 0),
    'last', case when clock_timestamp() > until and last is not null then last else ends_at end);
end $$;
revoke all on function public.catch_up(uuid[], bigint, int, timestamptz) from public, anon, authenticated;
grant execute on function public.catch_up(uuid[], bigint, int, timestamptz) to service_role;

-- Writes down why a sweep could do nothing for a file, unless that is known; a file has one such row for each operation.
-- Called by catch_up and backfill_file.
create function public.record_sweep_failure(file_id bigint, operation text, error text) returns void
language plpgsql security definer set search_path = '' as $$
declare
  file public.ingested_files;
begin
  select f.* into file from public.ingested_files f where f.id = record_sweep_failure.file_id;
  delete from public.ingest_failures x
  where x.object_id = file.object_id and x.operation = record_sweep_failure.operation
    and (x.version <> file.version or x.error <> record_sweep_failure.error);
  if exists (
    select from public.ingest_failures x
    where x.object_id = file.object_id and x.operation = record_sweep_failure.operation) then
    return;
  end if;
  perform public.record_ingest_failure(file.object_id, file.version, file.bucket_id, file.path, operation, error);
end $$;
revoke all on function public.record_sweep_failure(bigint, text, text) from public, anon, authenticated;
grant execute on function public.record_sweep_failure(bigint, text, text) to service_role;

-- Compares up to `up_to` stored objects (at most 5,000) with the files we know, and makes up for what is missing, going on
-- where the last call stopped; once finished, or with `restart`, from the beginning. Answers {"checked", "enqueued",
-- "retired", "failed", "finished", "busy"}: enqueued files are new ones and those of which a route had failed to start,
-- retired ones those whose object is gone or was overwritten, failed ones stand in ingest_failures; finished: all
-- objects were seen; busy: another call is at it, this one did nothing.
-- Called by cron and `crontick reconcile`, as often as wanted. Locks as catch_up does, for about a second.
create function public.reconcile_files(up_to int default 1000, restart boolean default false) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  until timestamptz := clock_timestamp() + interval '1 second';
  many int := least(greatest(coalesce(up_to, 1000), 1), 5000);
  sweep public.file_sweeps := public.take_sweep('reconcile', '', coalesce(restart, false));
  objects uuid[];
  done jsonb;
  last uuid;
begin
  if sweep.name is null then
    return '{"checked": 0, "enqueued": 0, "retired": 0, "failed": 0, "finished": false, "busy": true}';
  end if;
  objects := public.next_objects(sweep.position, many);
  done := public.catch_up(objects, null, 0, until);
  last := coalesce((done ->> 'last')::uuid, case when cardinality(objects) = many then objects[many] end);
  perform public.leave_sweep(sweep, last);
  return done - 'last' || jsonb_build_object(
    'checked', (select count(*) from unnest(objects) u (id) where last is null or u.id <= last),
    'finished', last is null, 'busy', false);
end $$;
comment on function public.reconcile_files(int, boolean) is
  'Makes up for uploads and deletions that the storage triggers missed; call it until it answers finished.';
revoke all on function public.reconcile_files(int, boolean) from public, anon, authenticated;
grant execute on function public.reconcile_files(int, boolean) to service_role;
