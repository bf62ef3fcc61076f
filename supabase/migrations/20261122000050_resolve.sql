-- resolve: a worker says what became of its jobs, and the outputs of the done ones take effect, in one transaction.

-- Those of the done results that need more than being stored: their type has an apply function, or they are too large.
-- Called by apply_outputs. Takes no locks.
create function public.results_to_apply(done public.job_result[]) returns public.job_result[]
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return array(
    select r
    from unnest(done) r
    cross join lateral (select j.type from public.jobs j where j.id = r.job_id offset 0) j
    left join public.job_types t on t.type = j.type
    where t.apply_function is not null or pg_column_size(r.output) > 8000000
    order by r.job_id);
end $$;
revoke all on function public.results_to_apply(public.job_result[]) from public, anon, authenticated;
grant execute on function public.results_to_apply(public.job_result[]) to service_role;

-- Writes the output of each done job through its type's apply function. One that raises is undone alone; an output
-- of more than 8 MB is refused, for the jobs that wait for it would have to carry it.
-- Called by resolve_jobs, which holds the jobs' locks. Answers {"<job id>": "<error>"} for those that failed.
create function public.apply_outputs(done public.job_result[]) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  errors jsonb := '{}';
  result public.job_result;
  job public.jobs;
  apply_function text;
begin
  foreach result in array public.results_to_apply(done) loop
    select * into job from public.jobs j where j.id = result.job_id;
    select t.apply_function into apply_function from public.job_types t where t.type = job.type;
    begin
      if pg_column_size(result.output) > 8000000 then
        raise exception 'it has % MB, but may have 8: put more into Storage and name its path',
          round(pg_column_size(result.output) / 1e6, 1) using errcode = '22023';
      end if;
      execute format('select public.%I($1, $2)', apply_function) using job, result.output;
    exception when others then
      errors := errors || jsonb_build_object(job.id::text,
        format('the output could not be applied (%s): %s', sqlstate, sqlerrm));
    end;
  end loop;
  return errors;
end $$;
revoke all on function public.apply_outputs(public.job_result[]) from public, anon, authenticated;
grant execute on function public.apply_outputs(public.job_result[]) to service_role;

-- The jobs among these whose file version is no longer the stored one: overwritten, moved or deleted.
-- Called by resolve_jobs. Locks the file rows by ascending id, so that an overwrite waits for the commit or is seen, and so
-- that outputs of one file, of which each writes several rows, are applied one after the other.
create function public.jobs_of_outdated_files(job_ids bigint[]) returns bigint[]
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
  file_ids bigint[] := array(select distinct j.file_id from public.jobs j where j.id = any (job_ids) and j.file_id is not null);
begin
  if file_ids = '{}' then
    return '{}';
  end if;
  perform 1 from public.ingested_files f where f.id = any (file_ids) order by f.id for no key update;

  return array(
    select j.id
    from public.jobs j join public.ingested_files f on f.id = j.file_id
    where j.id = any (job_ids)
      and (f.superseded_at is not null or f.deleted_at is not null
        or not exists (
          select from storage.objects o where o.id = f.object_id and coalesce(o.version, 'unversioned') = f.version)));
end $$;
revoke all on function public.jobs_of_outdated_files(bigint[]) from public, anon, authenticated;
grant execute on function public.jobs_of_outdated_files(bigint[]) to service_role;

-- The results whose lease this worker holds, by ascending job. Called by resolve_jobs, which holds the jobs' locks.
-- Lease by lease through the primary key: the planner, who knows no array's length, would read the whole table.
create function public.results_under_lease(asked public.job_result[], worker_id uuid) returns public.job_result[]
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return array(
    select r
    from unnest(asked) r
    cross join lateral (
      select 1 from public.jobs j
      where j.id = r.job_id and j.lease_token = r.lease_token and j.worker_id = results_under_lease.worker_id offset 0) held
    where r.problem is null
    order by r.job_id);
end $$;
revoke all on function public.results_under_lease(public.job_result[], uuid) from public, anon, authenticated;
grant execute on function public.results_under_lease(public.job_result[], uuid) to service_role;

-- Ends attempts: [{"job_id", "lease_token", "outcome", "output"?, "error"?, "retry_in"?, "duration_ms"?, "public_error"?,
-- "cost"?, "content_sha256"?, "handler_version"?, "reused_from"?}] answered, in the same order, by
-- [{"job_id", "verdict", "status", "attempts", "run_at", "error"?}].
--   ok          as asked; also when this lease token was resolved before, so that a repeated call is harmless
--   lost        the job is leased to another worker, or was cancelled: nothing changed
--   superseded  the file was overwritten, moved or deleted meanwhile: the result is refused, the job cancelled
--   error       its output could not be applied: then the attempt counts as failed; or this element is malformed: then
--               nothing changed, and it may be sent again, corrected
-- Called by the tick. Locks the named jobs and all that wait for them by ascending id, then their files.
create function public.resolve_jobs(worker_id uuid, results jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  asked public.job_result[];
  ids bigint[];
  mine public.job_result[];
  outdated bigint[];
  apply_errors jsonb;
  verdicts public.job_verdict[];
begin
  if results is null or jsonb_typeof(results) <> 'array' then
    raise exception 'results: expected a JSON array' using errcode = '22023';
  elsif results = '[]' then
    return '[]';
  end if;
  asked := public.read_job_results(results);
  ids := array(select r.job_id from unnest(asked) r where r.problem is null);
  perform public.lock_jobs(ids || public.waiting_descendants(ids));
  mine := public.results_under_lease(asked, worker_id);
  ids := array(select r.job_id from unnest(mine) r);
  outdated := public.jobs_of_outdated_files(ids);
  apply_errors := public.apply_outputs(array(
    select r from unnest(mine) r where r.outcome = 'done' and not r.job_id = any (outdated)));

  verdicts := public.end_attempts(mine, outdated, apply_errors);
  perform public.settle_usage(mine);
  perform public.store_content_results(array(
    select r from unnest(mine) r
    where r.outcome = 'done' and r.content_sha256 is not null and r.reused_from is null
      and not r.job_id = any (outdated) and not apply_errors ? r.job_id::text));
  perform public.settle_children(ids);
  if cardinality(mine) < cardinality(asked) then
    perform public.settle_late_costs(asked);
    verdicts := verdicts || array(
      select public.verdict_without_lease(r) from unnest(asked) r
      where r.ordinal not in (select m.ordinal from unnest(mine) m));
  end if;
  return (
    select jsonb_strip_nulls(json_agg(answer)::jsonb)
    from (
      select v.job_id, v.verdict, v.status, v.attempts, v.run_at, v.error
      from unnest(verdicts) v order by v.ordinal) answer);
end $$;
comment on function public.resolve_jobs(uuid, jsonb) is
  'Ends attempts and applies the outputs of done jobs, fenced by lease and file version.';

-- Moves the jobs of a resolved batch to their next status and writes the audit rows, in one statement, and answers what
-- became of each. The delay of a retry is the handler's, or full jitter below
-- backoff · 2^(attempt - 1), capped.
-- Called by resolve_jobs, which holds the locks.
create function public.end_attempts(mine public.job_result[], outdated bigint[], apply_errors jsonb)
returns public.job_verdict[]
language plpgsql security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  verdicts public.job_verdict[];
begin
  with decided as (
    select
      j.id, j.org_id, j.type, j.attempts, j.worker_id, j.lease_token, j.started_at,
      r.ordinal, r.output, r.duration_ms, r.public_error, r.cost, r.reused_from,
      o.outcome, o.apply_error,
      case o.outcome
        when 'superseded' then 'superseded: the file was overwritten, moved or deleted meanwhile'
        else coalesce(o.apply_error, r.error) end as error,
      case
        when o.outcome = 'done' then 'done'
        when o.outcome = 'superseded' then 'cancelled'
        when o.outcome = 'failed' or (o.outcome in ('retry', 'error') and j.attempts >= j.max_attempts) then 'failed'
        else 'queued'
      end as status,
      case
        when o.outcome = 'release' then 0
        when o.outcome = 'snooze' then coalesce(r.retry_in, 60)
        when o.outcome in ('retry', 'error') then coalesce(r.retry_in, random() * public.backoff_seconds(j.type, j.attempts))
      end as delay
    from unnest(mine) r
    join public.jobs j on j.id = r.job_id
    cross join lateral (select apply_errors ->> r.job_id::text as apply_error offset 0) e
    cross join lateral (select e.apply_error, case
      when r.job_id = any (outdated) then 'superseded'
      when e.apply_error is not null then 'error'
      else r.outcome end as outcome offset 0) o
  ),
  audited as (
    insert into public.job_runs
      (job_id, org_id, type, attempt, worker_id, lease_token, outcome, error, duration_ms, cost, reused_from, started_at)
    select d.id, d.org_id, d.type, d.attempts, d.worker_id, d.lease_token, d.outcome, d.error,
      d.duration_ms, d.cost, d.reused_from, d.started_at
    from decided d
  ),
  ended as (
    update public.jobs j set
      status = d.status,
      attempts = j.attempts - case when d.outcome in ('snooze', 'release') then 1 else 0 end,
      output = case when d.status = 'done' then d.output end,
      last_error = case
        when d.status = 'done' then null
        when d.outcome = 'release' then coalesce(d.error, j.last_error)
        else d.error end,
      public_error = case when d.outcome = 'release' then j.public_error when d.status <> 'done' then d.public_error end,
      run_at = case when d.status = 'queued' and d.outcome <> 'release'
        then now() + make_interval(secs => d.delay) else j.run_at end,
      turn = case
        when d.outcome = 'release' and j.turn = 'alone' then 'alone'
        when d.delay > 0 or (d.outcome = 'release' and j.run_at > now()) then 'later'
        else 'ready' end,
      completed_at = case when d.status <> 'queued' then now() end,
      worker_id = null, lease_token = null, lease_expires_at = null, updated_at = now()
    from decided d
    where j.id = d.id
    returning row(
      d.ordinal, j.id, case when d.outcome in ('superseded', 'error') then d.outcome else 'ok' end,
      j.status, j.attempts, j.run_at, d.apply_error)::public.job_verdict as verdict
  )
  select coalesce(array_agg(e.verdict), '{}') into verdicts from ended e;
  return verdicts;
end $$;
revoke all on function public.end_attempts(public.job_result[], bigint[], jsonb) from public, anon, authenticated;
grant execute on function public.end_attempts(public.job_result[], bigint[], jsonb) to service_role;

-- The longest delay before the next attempt, in seconds: backoff · 2^(attempt - 1), capped. Called by end_attempts.
create function public.backoff_seconds(type text, attempts int) returns double precision
language sql stable security definer set search_path = '' as $$
  select least(
    coalesce(own.backoff_cap_seconds, every.backoff_cap_seconds)::double precision,
    coalesce(own.backoff_seconds, every.backoff_seconds)::double precision
      * power(2::double precision, greatest(attempts - 1, 0)))
  from public.job_types every left join public.job_types own on own.type = backoff_seconds.type
  where every.type = '*'
$$;
revoke all on function public.backoff_seconds(text, int) from public, anon, authenticated;
grant execute on function public.backoff_seconds(text, int) to service_role;

-- Adds what these attempts were and cost to their organisations' day. Called by resolve_jobs, after the jobs' locks.
-- Locks the organisations' rows in one order. Writes nothing while no limit is set and no cost is reported.
create function public.settle_usage(mine public.job_result[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if not public.limits_are_on() and not exists (select from unnest(mine) r where r.cost > 0) then
    return;
  end if;
  insert into public.org_usage as u (org_key, day, org_id, jobs, spend)
  select j.org_key, (now() at time zone 'UTC')::date, min(j.org_id),
    count(*) filter (where r.outcome in ('done', 'retry', 'failed')), coalesce(sum(r.cost), 0)
  from unnest(mine) r join public.jobs j on j.id = r.job_id
  group by j.org_key order by j.org_key
  on conflict on constraint org_usage_pkey do update set jobs = u.jobs + excluded.jobs, spend = u.spend + excluded.spend;
end $$;
revoke all on function public.settle_usage(public.job_result[]) from public, anon, authenticated;
grant execute on function public.settle_usage(public.job_result[]) to service_role;

-- Money spent on attempts that ended without their worker (cancelled, superseded, given up): it is spent all the same.
-- Called by resolve_jobs, after the jobs' locks. An attempt's cost is written once; locks the organisations in one order.
create function public.settle_late_costs(asked public.job_result[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if not exists (select from unnest(asked) r where r.cost > 0 and r.problem is null) then
    return;
  end if;
  with spent as (
    update public.job_runs a set cost = r.cost
    from unnest(asked) r
    where r.problem is null and r.cost > 0
      and a.job_id = r.job_id and a.lease_token = r.lease_token and a.cost is null
    returning a.org_id, a.cost
  )
  insert into public.org_usage as u (org_key, day, org_id, spend)
  select hashtextextended(s.org_id, 0), (now() at time zone 'UTC')::date, s.org_id, sum(s.cost)
  from spent s group by s.org_id order by 1
  on conflict on constraint org_usage_pkey do update set spend = u.spend + excluded.spend;
end $$;
revoke all on function public.settle_late_costs(public.job_result[]) from public, anon, authenticated;
grant execute on function public.settle_late_costs(public.job_result[]) to service_role;

-- What becomes of an element whose lease its worker does not hold: malformed, resolved or cancelled before, or lost.
-- Called by resolve_jobs. job_runs remembers how each lease ended.
create function public.verdict_without_lease(asked public.job_result) returns public.job_verdict
language sql stable security definer set search_path = '' as $$
  select row(
    asked.ordinal,
    asked.job_id,
    case
      when asked.problem is not null then 'error'
      when before.outcome in ('superseded', 'error') then before.outcome
      when before.outcome in ('done', 'retry', 'failed', 'snooze', 'release') then 'ok'
      else 'lost' end,
    j.status, j.attempts, j.run_at,
    coalesce(asked.problem, case when before.outcome = 'error' then before.error end))::public.job_verdict
  from (select 1) one
  left join public.jobs j on j.id = asked.job_id
  left join lateral (
    select a.outcome, a.error from public.job_runs a
    where a.job_id = asked.job_id and a.lease_token = asked.lease_token
    order by a.id desc limit 1
  ) before on true
$$;
revoke all on function public.verdict_without_lease(public.job_result) from public, anon, authenticated;
grant execute on function public.verdict_without_lease(public.job_result) to service_role;

revoke all on function public.resolve_jobs(uuid, jsonb) from public, anon, authenticated;
grant execute on function public.resolve_jobs(uuid, jsonb) to service_role;
