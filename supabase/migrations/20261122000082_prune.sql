-- prune: what nobody needs any more goes, a bounded piece at a time, and vacuum keeps pace.

create table public.prune_progress (
  only_row boolean primary key default true check (only_row),
  position bigint not null default 0,
  file_position bigint not null default 0,
  ran_at timestamptz
);
comment on table public.prune_progress is
  'Where prune_jobs stopped: the ids of the last job and of the last file version it looked at in this round.';
insert into public.prune_progress default values;

-- Those of these jobs, whose locks the caller holds, that somebody may still ask for: parents of jobs that are unfinished
-- or may be retried (they would start without their parents' outputs), and jobs that come back with the one that failed.
-- Called by prune_jobs.
create function public.jobs_still_needed(job_ids bigint[]) returns bigint[]
language sql stable security definer set search_path = '' as $$
  select coalesce(array_agg(j.id), '{}') from public.jobs j
  where j.id = any (job_ids) and (
    -- Or its file would pass for done.
    (j.status = 'failed' and exists (
      select from public.ingested_files f where f.id = j.file_id and f.superseded_at is null and f.deleted_at is null))
    or exists (
      select from public.job_parents e join public.jobs child on child.id = e.job_id
      where e.parent_id = j.id and (
        child.status in ('waiting', 'queued', 'processing', 'failed')
        or (child.status = 'cancelled' and child.cancelled_by is not null and child.cancelled_by <> j.id)))
    or exists (
      select from public.jobs culprit
      where culprit.id = j.cancelled_by and j.status = 'cancelled' and culprit.status in ('failed', 'cancelled')))
$$;
revoke all on function public.jobs_still_needed(bigint[]) from public, anon, authenticated;
grant execute on function public.jobs_still_needed(bigint[]) to service_role;

-- Removes the history of pg_cron's runs, which pg_cron never does; null where that cannot be had. Called by prune_jobs.
create function public.prune_cron_runs(up_to int) returns int
language plpgsql security definer set search_path = '' as $$
declare
  removed int;
begin
  if to_regclass('cron.job_run_details') is null then
    return null;
  end if;
  delete from cron.job_run_details d where d.runid in (
    select o.runid from cron.job_run_details o
    where coalesce(o.end_time, o.start_time) < now() - interval '7 days' order by o.runid limit up_to);
  get diagnostics removed = row_count;
  return removed;
exception when insufficient_privilege then
  return null;
end $$;
revoke all on function public.prune_cron_runs(int) from public, anon, authenticated;
grant execute on function public.prune_cron_runs(int) to service_role;

-- Removes what was made from files that are gone (deleted, or moved to where no route wants them) for longer than
-- job_queue_settings.keep_deleted_files_days: analyses, cards with their reviews, rows of pictures (the pictures
-- themselves go at once, see prune_storage). The file's row goes as well, or when its jobs have gone; the versions before
-- it go with it. Returns the number of versions that were emptied or removed.
-- Called by prune_jobs, whose lock keeps calls apart. Looks at ten times `up_to` versions that have ended, from where the
-- last call stopped. Locks what it deletes, in the order of the file's rows, skipping objects that others are at.
create function public.prune_deleted_files(up_to int) returns int
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  ended_before timestamptz := now() - make_interval(
    days => (select s.keep_deleted_files_days from public.job_queue_settings s where s.only_row));
  seen_ids bigint[];
  old_ids bigint[];
  emptied_ids bigint[];
  removed_ids bigint[];
begin
  if ended_before is null then
    return 0;
  end if;
  seen_ids := array(
    select f.id from public.ingested_files f
    where f.id > (select p.file_position from public.prune_progress p where p.only_row)
      and (f.superseded_at is not null or f.deleted_at is not null)
    order by f.id limit 10 * up_to);
  old_ids := array(
    select f.id from public.ingested_files f
    where f.id = any (seen_ids) and coalesce(f.deleted_at, f.superseded_at) <= ended_before
      and not exists (
        select from public.ingested_files v
        where v.object_id = f.object_id and (
          coalesce(v.deleted_at, v.superseded_at) is null or coalesce(v.deleted_at, v.superseded_at) > ended_before))
    order by f.id limit up_to);
  update public.prune_progress p set file_position = case
    when cardinality(old_ids) = up_to then old_ids[up_to]
    when cardinality(seen_ids) = 10 * up_to then seen_ids[10 * up_to] else 0 end
  where p.only_row;
  old_ids := array(
    select f.id from public.ingested_files f where f.id = any (old_ids) order by f.id for update skip locked);
  with
    analyses as (delete from public.file_analyses a where a.file_id = any (old_ids) returning a.file_id),
    pictures as (delete from public.thumbnails t where t.file_id = any (old_ids) returning t.file_id),
    deck as (delete from public.cards c where c.file_id = any (old_ids) returning c.file_id)
  select array_agg(distinct m.file_id) into emptied_ids
  from (select file_id from analyses union all select file_id from pictures union all select file_id from deck) m;
  with gone as (
    delete from public.ingested_files f
    where f.id = any (old_ids) and not exists (select from public.jobs j where j.file_id = f.id)
    returning f.id)
  select array_agg(g.id) into removed_ids from gone g;
  return (select count(distinct i.id) from unnest(emptied_ids || removed_ids) i (id));
end $$;
revoke all on function public.prune_deleted_files(int) from public, anon, authenticated;
grant execute on function public.prune_deleted_files(int) to service_role;

-- Deletes jobs that ended longer ago than their type's policy keeps them, and old rows of what grows beside them:
-- {"jobs", "emptied", "files", "ingest_failures", "org_usage", "content_results", "operator_actions", "cron_runs",
-- "finished"}. A job whose key is taken for ever stays, without what it carried ("emptied"). Their attempts in job_runs go
-- with them.
-- Called by the schedule crontick-prune. Looks at ten times `up_to` jobs by id, from where the last call stopped; "finished"
-- says that it came to the newest, and the next call starts over. Locks what it deletes, skipping what others hold; while
-- one call runs, a second one does nothing.
create function public.prune_jobs(up_to int default 10000) returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  most int := least(greatest(coalesce(up_to, 10000), 1), 100000);
  old_position bigint;
  new_position bigint;
  looked_at bigint;
  old_ids bigint[];
  counts jsonb := '{}';
  affected int;
begin
  select p.position into old_position from public.prune_progress p where p.only_row for update skip locked;
  if old_position is null then
    return jsonb_build_object('finished', false, 'busy', true);
  end if;
  select count(*), max(w.id) into looked_at, new_position
  from (select j.id from public.jobs j where j.id > old_position order by j.id limit 10 * most) w;

  old_ids := array(
    select j.id
    from public.jobs j
    left join public.job_policies own on own.type = j.type
    join public.job_policies every on every.type = '*'
    where j.id > old_position and j.id <= new_position
      and j.completed_at < now() - make_interval(days => case j.status
        when 'done' then coalesce(own.keep_done_days, every.keep_done_days)
        when 'failed' then coalesce(own.keep_failed_days, every.keep_failed_days)
        else coalesce(own.keep_cancelled_days, every.keep_cancelled_days) end)
      and (j.unique_for <> 'ever' or j.status <> 'done' or j.payload <> '{}' or num_nonnulls(j.output, j.progress) > 0)
    order by j.id limit most);
  if cardinality(old_ids) = most then
    new_position := old_ids[most];
  elsif looked_at < 10 * most then
    new_position := 0;
  end if;
  -- Attempts of unfinished jobs that came to nothing would otherwise add up for as long as the jobs wait.
  delete from public.job_runs r
  where r.job_id > old_position and r.job_id <= new_position and r.outcome in ('snooze', 'release')
    and r.finished_at < now() - interval '7 days';
  old_ids := array(
    select j.id from public.jobs j
    where j.id = any (old_ids) and j.completed_at < now() order by j.id for update skip locked);
  -- Asked under the locks: nothing can be made to wait for these jobs from here on.
  old_ids := array(select o.id from unnest(old_ids) o (id) except select n.id from unnest(public.jobs_still_needed(old_ids)) n (id));

  perform public.remember_past_steps(old_ids);
  delete from public.jobs j where j.id = any (old_ids) and (j.unique_for <> 'ever' or j.status <> 'done');
  get diagnostics affected = row_count;
  counts := counts || jsonb_build_object('jobs', affected);
  delete from public.job_runs r where r.job_id = any (old_ids);
  update public.jobs j set payload = '{}', output = null, progress = null, last_error = null, public_error = null
  where j.id = any (old_ids);
  get diagnostics affected = row_count;
  counts := counts || jsonb_build_object('emptied', affected, 'files', public.prune_deleted_files(most));

  delete from public.ingest_failures i where i.id in (
    select o.id from public.ingest_failures o where o.created_at < now() - interval '30 days'
      -- From this row alone reconcile_files knows that a flow of the file has not started.
      and not exists (
        select from public.ingested_files f join public.ingest_routes r on 'route ' || r.name = o.operation
        where f.object_id = o.object_id and f.version = o.version and f.superseded_at is null and f.deleted_at is null)
    order by o.created_at limit most for update skip locked);
  get diagnostics affected = row_count;
  counts := counts || jsonb_build_object('ingest_failures', affected);
  delete from public.org_usage u where (u.org_key, u.day) in (
    select o.org_key, o.day from public.org_usage o where o.day < (now() at time zone 'UTC')::date - 400
    limit most for update skip locked);
  get diagnostics affected = row_count;
  counts := counts || jsonb_build_object('org_usage', affected);
  delete from public.content_results c where (c.org_id, c.type, c.content_sha256, c.handler_version) in (
    select o.org_id, o.type, o.content_sha256, o.handler_version
    from public.content_results o where o.used_at < now() - interval '90 days' limit most for update skip locked);
  get diagnostics affected = row_count;
  counts := counts || jsonb_build_object('content_results', affected);
  delete from public.operator_actions a where a.id in (
    select o.id from public.operator_actions o where o.at < now() - interval '400 days'
    order by o.at limit most for update skip locked);
  get diagnostics affected = row_count;
  counts := counts || jsonb_build_object('operator_actions', affected);

  update public.prune_progress p set position = new_position, ran_at = now() where p.only_row;
  return counts || jsonb_build_object('cron_runs', public.prune_cron_runs(most), 'finished', new_position = 0);
end $$;
comment on function public.prune_jobs(int) is
  'Deletes jobs by their types'' retention, what was made from files that are gone, and old rows beside them.';
revoke all on function public.prune_jobs(int) from public, anon, authenticated;
grant execute on function public.prune_jobs(int) to service_role;

-- Every job's row is written thrice and its attempt once: vacuum after a fiftieth of it changed, not after a fifth.
alter table public.jobs set (
  autovacuum_analyze_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.02,
  toast.autovacuum_vacuum_threshold = 500);
alter table public.job_runs set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
alter table public.job_parents set (
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_insert_scale_factor = 0.05);
alter table public.org_usage set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200);
alter table public.content_results set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
