-- health: the state of the queue and of what drives it, in one object.

-- What people call a schedule of pg_cron: its name, or its number, for a name may be missing.
-- Called by cron_schedules, recent_ticks and find_schedule_problems.
create function public.schedule_name(jobname text, jobid bigint) returns text
language sql immutable security definer set search_path = '' as $$
  select coalesce(jobname, 'job ' || jobid)
$$;
revoke all on function public.schedule_name(text, bigint) from public, anon, authenticated;
grant execute on function public.schedule_name(text, bigint) to service_role;

-- The last runs of the schedules that call the worker, newest first; [] without pg_cron. Called by queue_health.
create function public.recent_ticks(up_to int default 10) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  ticks jsonb;
begin
  if to_regclass('cron.job_run_details') is null then
    return '[]';
  end if;
  select jsonb_agg(to_jsonb(t) order by t.start_time desc) into ticks
  from (
    select public.schedule_name(j.jobname, d.jobid) as jobname, d.status, d.return_message, d.start_time, d.end_time
    from cron.job_run_details d left join cron.job j on j.jobid = d.jobid
    where d.command like '%invoke_cron_tick(%'
    order by d.runid desc limit up_to
  ) t;
  return coalesce(ticks, '[]');
end $$;
revoke all on function public.recent_ticks(int) from public, anon, authenticated;
grant execute on function public.recent_ticks(int) to service_role;

-- Our schedules in pg_cron, whether they are active, and how their last run ended; [] without pg_cron.
-- Called by queue_health.
create function public.cron_schedules() returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  schedules jsonb;
begin
  if to_regclass('cron.job_run_details') is null then
    return '[]';
  end if;
  select jsonb_agg(jsonb_build_object(
      'jobname', public.schedule_name(j.jobname, j.jobid), 'schedule', j.schedule, 'active', j.active,
      'last_start', d.start_time, 'last_status', d.status, 'last_message', d.return_message) order by j.jobname, j.jobid) into schedules
  from cron.job j
  left join (
    select distinct on (r.jobid) r.jobid, r.start_time, r.status, r.return_message
    from cron.job_run_details r order by r.jobid, r.runid desc
  ) d on d.jobid = j.jobid
  where j.command like '%invoke_cron_tick(%' or j.jobname like 'crontick-%';
  return coalesce(schedules, '[]');
end $$;
revoke all on function public.cron_schedules() from public, anon, authenticated;
grant execute on function public.cron_schedules() to service_role;

-- The transaction of this database that has kept vacuum from removing dead rows for longest, if longer than that:
-- {"pid", "seconds", "application", "query"}, else null. Called by queue_health. Sees all sessions as a member of
-- pg_read_all_stats, which the owner of the functions is on Supabase; otherwise its own only.
create function public.oldest_snapshot(over_seconds int) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'pid', a.pid, 'seconds', extract(epoch from now() - a.xact_start)::bigint,
    'application', a.application_name, 'query', left(a.query, 80))
  from pg_catalog.pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid()
    and (a.backend_xmin is not null or a.backend_xid is not null)
    and a.xact_start < now() - make_interval(secs => over_seconds)
  order by a.xact_start limit 1
$$;
revoke all on function public.oldest_snapshot(int) from public, anon, authenticated;
grant execute on function public.oldest_snapshot(int) to service_role;

-- How many lanes (type and organisation) have ready jobs that a limit keeps waiting, among about as many lanes as given,
-- taken from a random organisation on. Called by queue_health. Takes no locks; costs nothing while no limit is set.
create function public.count_limited_lanes(lanes int) returns int
language plpgsql stable security definer set search_path = '' as $$
begin
  if not public.limits_are_on() then
    return 0;
  end if;
  return (
    select count(*)
    from (
      select distinct on (c.type, c.org_key) c.type, j.org_id
      from unnest(public.candidates_in_turn(
        array(select distinct j.type from public.jobs j where j.status = 'queued' and j.turn = 'ready'), 1, lanes)) c
      join public.jobs j on j.id = c.id
      limit lanes) lane
    where public.limit_reached(lane.type, lane.org_id) is not null);
end $$;
revoke all on function public.count_limited_lanes(int) from public, anon, authenticated;
grant execute on function public.count_limited_lanes(int) to service_role;

-- How many jobs there are in each status, all six named. Called by queue_health: of all that it asks, this alone has to
-- read every job, for no index knows done from cancelled. A scan in the table's order is the fastest way to.
create function public.count_by_status() returns jsonb
language sql stable security definer set search_path = '' set enable_seqscan = on as $$
  select jsonb_object_agg(every.status, coalesce(c.jobs, 0))
  from unnest(array['waiting', 'queued', 'processing', 'done', 'failed', 'cancelled']) every (status)
  left join (select j.status, count(*) as jobs from public.jobs j group by j.status) c on c.status = every.status
$$;
revoke all on function public.count_by_status() from public, anon, authenticated;
grant execute on function public.count_by_status() to service_role;

-- The state of the whole queue in one object. Called by operators, `crontick status` and health checks. Takes no locks.
create function public.queue_health() returns jsonb
language sql stable security definer set search_path = '' set enable_seqscan = off as $$
  select jsonb_build_object(
    'processing_enabled', s.processing_enabled,
    'paused_reason', s.paused_reason,
    'counts', public.count_by_status(),
    'suspects', (select count(*) from public.jobs j where j.status = 'queued' and j.turn = 'alone'),
    'later', (select count(*) from public.jobs j where j.status = 'queued' and j.run_at > now()),
    'waiting_for_limits', public.count_limited_lanes(100),
    'due', public.count_due_jobs(100000),
    'oldest_due_seconds', (
      select extract(epoch from now() - min(j.run_at))::bigint
      from public.jobs j where j.status = 'queued' and j.run_at <= now()),
    'expired_leases', (
      select count(*) from public.jobs j where j.status = 'processing' and j.lease_expires_at < now()),
    'failed_over_10_min', (
      select count(*) from public.jobs j where j.status = 'failed' and j.completed_at < now() - interval '10 minutes'),
    'ingest_failures', (
      select coalesce(jsonb_agg(to_jsonb(f) order by f.created_at desc), '[]') from (
        select i.bucket_id, i.path, i.operation, i.error, i.created_at
        from public.ingest_failures i order by i.created_at desc limit 10) f),
    'oldest_snapshot', public.oldest_snapshot(60),
    'dead_rows', pg_catalog.pg_stat_get_dead_tuples('public.jobs'::pg_catalog.regclass),
    'cron_schedules', public.cron_schedules(),
    'recent_ticks', public.recent_ticks())
  from public.job_queue_settings s where s.only_row
$$;
comment on function public.queue_health() is 'The state of the whole queue in one object.';
revoke all on function public.queue_health() from public, anon, authenticated;
grant execute on function public.queue_health() to service_role;
