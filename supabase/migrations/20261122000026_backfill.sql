-- backfill: a new route, or a route with a new step, is for the files that were stored before it too. Each of them gets the
-- jobs that it lacks, behind everything else, and no work is done twice: what a file has had is known from its jobs, and
-- from past_steps once those are removed.

create table public.past_steps (
  file_id bigint not null references public.ingested_files (id) on delete cascade,
  step text not null,
  primary key (file_id, step)
);
comment on table public.past_steps is
  'Steps whose jobs prune_jobs removed when their time was over: without them backfill_files would do that work again.';

-- What a job of a file is apart from its file: its type, and what the step of its flow adds to the payload.
-- Called by missing_steps, backfill_file and remember_past_steps.
create function public.step_of(type text, payload jsonb) returns text
language plpgsql immutable security definer set search_path = '' as $$
declare
  own jsonb := coalesce(nullif(payload, 'null'), '{}')
    - array['file_id', 'bucket', 'path', 'version', 'mime_type', 'size'];
begin
  return case when own = '{}' then type else type || ':' || md5(own::text) end;
end $$;
revoke all on function public.step_of(text, jsonb) from public, anon, authenticated;
grant execute on function public.step_of(text, jsonb) to service_role;

-- Remembers which steps the current files have had in these jobs, which are about to be removed or emptied.
-- Called by prune_jobs, which holds the jobs' locks. Locks no file.
create function public.remember_past_steps(job_ids bigint[]) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  insert into public.past_steps (file_id, step)
  select distinct j.file_id, public.step_of(j.type, j.payload)
  from public.jobs j
  join public.ingested_files f on f.id = j.file_id and f.superseded_at is null and f.deleted_at is null
  where j.id = any (job_ids) and j.payload <> '{}'
  order by 1, 2
  on conflict do nothing;
end $$;
revoke all on function public.remember_past_steps(bigint[]) from public, anon, authenticated;
grant execute on function public.remember_past_steps(bigint[]) to service_role;

-- Those steps of a flow for which a file has had no job yet, as for enqueue_file_flow; [] if it has had all. A step waits
-- for the jobs that its parents already have; a parent that was removed, failed or was cancelled is enqueued again.
-- Called by backfill_files and backfill_file. Takes no locks.
create function public.missing_steps(file_id bigint, flow jsonb) returns jsonb
language plpgsql security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  refs text[];
  job_ids bigint[]; -- of each step: the job that a child may wait for
  wanted int[];
  parent int;
  looked_at int := 0;
begin
  select array_agg(e.value ->> 'ref' order by e.ordinality),
    array_agg(case when j.status not in ('failed', 'cancelled') then j.id end order by e.ordinality),
    coalesce(array_agg(e.ordinality::int order by e.ordinality) filter (where j.id is null and not exists (
      select from public.past_steps p where p.file_id = missing_steps.file_id and p.step = s.step)), '{}')
  into refs, job_ids, wanted
  from jsonb_array_elements(flow) with ordinality e
  cross join lateral (select public.step_of(e.value ->> 'type', e.value -> 'payload') as step) s
  left join lateral (
    select j.id, j.status from public.jobs j
    where j.file_id = missing_steps.file_id and j.type = e.value ->> 'type' and j.payload <> '{}'
      and public.step_of(j.type, j.payload) = s.step
    order by j.status in ('failed', 'cancelled'), j.id desc limit 1) j on true;

  while looked_at < cardinality(wanted) loop -- it grows meanwhile
    looked_at := looked_at + 1;
    for parent in
      select array_position(refs, a.value #>> '{}')
      from jsonb_array_elements(coalesce(nullif(flow -> (wanted[looked_at] - 1) -> 'after', 'null'), '[]')) a
    loop
      if job_ids[parent] is null and not parent = any (wanted) then
        wanted := wanted || parent;
      end if;
    end loop;
  end loop;

  return coalesce((
    select jsonb_agg(step.value || jsonb_build_object('after', coalesce((
        select jsonb_agg(case when p.n = any (wanted) then a.value else coalesce(to_jsonb(job_ids[p.n]), a.value) end)
        from jsonb_array_elements(coalesce(nullif(step.value -> 'after', 'null'), '[]')) a
        cross join lateral (select array_position(refs, a.value #>> '{}') as n) p), '[]'))
      order by w.n)
    from unnest(wanted) w (n) cross join lateral (select flow -> (w.n - 1) as value) step), '[]');
end $$;
revoke all on function public.missing_steps(bigint, jsonb) from public, anon, authenticated;
grant execute on function public.missing_steps(bigint, jsonb) to service_role;

-- Enqueues what a file lacks of a route's flow. Returns whether it could; if not, ingest_failures has the reason.
-- Called by backfill_files, which holds the locks of the file's jobs.
create function public.backfill_file(file_id bigint, route public.ingest_routes, priority int) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  steps jsonb := public.missing_steps(file_id, route.flow);
  enqueued jsonb;
begin
  if steps = '[]' then
    return true; -- somebody else enqueued them meanwhile
  end if;
  enqueued := public.enqueue_file_flow(file_id, steps, priority);
  -- A parent that had its job already is called by its ref, as it would be had all been enqueued together.
  update public.job_parents e set ref = step.value ->> 'ref'
  from public.jobs p, jsonb_array_elements(route.flow) step
  where e.job_id in (select (a.value ->> 'job_id')::bigint from jsonb_array_elements(enqueued) a)
    and e.ref is null and p.id = e.parent_id and p.file_id = backfill_file.file_id
    and public.step_of(p.type, p.payload) = public.step_of(step.value ->> 'type', step.value -> 'payload');
  delete from public.ingest_failures x
  using public.ingested_files f
  where f.id = file_id and x.object_id = f.object_id and x.operation = 'backfill ' || route.name;
  return true;
exception when others then
  perform public.record_sweep_failure(file_id, 'backfill ' || route.name, sqlerrm);
  return false;
end $$;
revoke all on function public.backfill_file(bigint, public.ingest_routes, int) from public, anon, authenticated;
grant execute on function public.backfill_file(bigint, public.ingest_routes, int) to service_role;

-- The active route of that name. Called by backfill_files. Raises 22023 when there is none or its flow is wrong.
create function public.route_to_backfill(name text) returns public.ingest_routes
language plpgsql security definer set search_path = '' as $$
declare
  route public.ingest_routes;
begin
  select r.* into route from public.ingest_routes r where r.active and r.name = route_to_backfill.name;
  if route.id is null then
    raise exception 'there is no active route "%"', name using errcode = '22023', hint = coalesce(
      'There are: ' || (select string_agg(r.name, ', ' order by r.name) from public.ingest_routes r where r.active),
      'insert into public.ingest_routes (name, bucket_id, flow) values (…);');
  end if;
  perform public.check_jobs_to_enqueue((
    select jsonb_agg(case when jsonb_typeof(e.value) = 'object' then e.value || '{"org_id": "any"}' else e.value end
      order by e.ordinality)
    from jsonb_array_elements(route.flow) with ordinality e));
  return route;
end $$;
revoke all on function public.route_to_backfill(text) from public, anon, authenticated;
grant execute on function public.route_to_backfill(text) to service_role;

-- Gives files that were stored before a route, or before a step of its flow, the jobs that they lack: looks at up to
-- `up_to` objects (at most 1,000), going on where the last call stopped, or from the beginning when it was finished or
-- the route has changed. Objects that never became files are ingested. A step counts as had by its type and its own
-- payload, whatever became of its job. `priority` is added to that of the steps: -1000 lets 16 hours of fresh uploads pass.
-- Answers {"checked", "enqueued", "retired", "failed", "finished", "busy"} as reconcile_files does, in files.
-- Called by operators and `crontick backfill`. Locks the jobs of the files it adds to by ascending id, for about a second.
create function public.backfill_files(route text, up_to int default 500, priority int default -1000) returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  until timestamptz := clock_timestamp() + interval '1 second';
  many int := least(greatest(coalesce(up_to, 500), 1), 1000);
  chosen public.ingest_routes := public.route_to_backfill(route);
  sweep public.file_sweeps;
  objects uuid[];
  lacking bigint[];
  held bigint[];
  done jsonb;
  caught_up_to uuid;
  last uuid;
  file record;
  enqueued int := 0;
  failed int := 0;
begin
  if priority is null or priority not between -1000 and 1000 then
    raise exception 'priority: expected a whole number from -1000 to 1000' using errcode = '22023';
  end if;
  sweep := public.take_sweep(
    'backfill:' || route, md5(concat_ws(chr(31), chosen.id, chosen.bucket_id, chosen.path_pattern, chosen.mime_pattern,
      chosen.flow)), false);
  if sweep.name is null then
    return '{"checked": 0, "enqueued": 0, "retired": 0, "failed": 0, "finished": false, "busy": true}';
  end if;

  objects := public.next_objects(sweep.position, many);
  lacking := array(
    select f.id from public.ingested_files f
    where f.object_id = any (objects) and f.superseded_at is null and f.deleted_at is null
      and f.bucket_id = chosen.bucket_id and f.path like chosen.path_pattern
      and coalesce(f.mime_type, '') like chosen.mime_pattern
      and public.missing_steps(f.id, chosen.flow) <> '[]');
  held := public.hold_jobs_of_files(lacking || array(
    select c.file_id from public.objects_to_catch_up(objects, chosen.id) c where c.file_id is not null));
  done := public.catch_up(objects, chosen.id, priority, until);
  caught_up_to := coalesce((done ->> 'last')::uuid, objects[cardinality(objects)]);

  for file in
    select f.id, f.object_id from public.ingested_files f
    where f.id = any (lacking) and f.superseded_at is null and f.deleted_at is null and f.object_id <= caught_up_to
    order by f.object_id
  loop
    if last is not null and clock_timestamp() > until then
      caught_up_to := last;
      exit;
    end if;
    if not file.id = any (held) then
      perform public.record_sweep_failure(
        file.id, 'backfill ' || route, 'its jobs are locked by another session; run it again');
      failed := failed + 1;
    elsif public.backfill_file(file.id, chosen, priority) then
      enqueued := enqueued + 1;
    else
      failed := failed + 1;
    end if;
    last := file.object_id;
  end loop;

  last := case when cardinality(objects) = many or caught_up_to < objects[cardinality(objects)] then caught_up_to end;
  perform public.leave_sweep(sweep, last);
  return jsonb_build_object(
    'checked', (select count(*) from unnest(objects) u (id) where u.id <= caught_up_to),
    'enqueued', enqueued + (done ->> 'enqueued')::int,
    'retired', (done ->> 'retired')::int,
    'failed', failed + (done ->> 'failed')::int,
    'finished', last is null, 'busy', false);
end $$;
comment on function public.backfill_files(text, int, int) is
  'Gives files that are older than a route, or than a step of it, their jobs; call it until it answers finished.';
revoke all on function public.backfill_files(text, int, int) from public, anon, authenticated;
grant execute on function public.backfill_files(text, int, int) to service_role;
