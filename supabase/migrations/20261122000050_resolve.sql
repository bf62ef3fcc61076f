-- resolve: a worker says what became of its jobs, and the outputs of the done ones take effect, in one transaction.

create type public.job_result as (
  ordinal int,
  job_id bigint,
  lease_token uuid,
  outcome text,
  output jsonb,
  error text,
  retry_in double precision,
  duration_ms int,
  public_error text,
  cost numeric,
  content_sha256 text,
  handler_version text,
  reused_from bigint,
  problem text
);
comment on type public.job_result is 'One element of resolve_jobs, checked: `problem` says what is wrong with it.';

-- Reads the results of a batch one by one, so that a malformed element is an answer and never an exception.
-- Called by resolve_jobs. A lease that is named twice counts once: the second element is a problem.
create function public.read_job_results(results jsonb) returns public.job_result[]
language sql stable security definer set search_path = '' as $$
  select coalesce(array_agg(row(
      c.ordinality::int,
      case when c.problem is null then (c.value ->> 'job_id')::bigint end,
      case when c.problem is null then (c.value ->> 'lease_token')::uuid end,
      c.value ->> 'outcome',
      nullif(c.value -> 'output', 'null'),
      left(c.value ->> 'error', 4000),
      case when c.problem is null and c.value ->> 'retry_in' is not null
        then least(greatest((c.value ->> 'retry_in')::numeric, 0), 2592000)::double precision end,
      case when c.problem is null and c.value ->> 'duration_ms' is not null
        then least(greatest((c.value ->> 'duration_ms')::numeric, 0), 2147483647)::int end,
      left(c.value ->> 'public_error', 1000),
      case when c.problem is null then least(greatest((c.value ->> 'cost')::numeric, 0), 1e9) end,
      c.value ->> 'content_sha256',
      c.value ->> 'handler_version',
      case when c.problem is null then (c.value ->> 'reused_from')::bigint end,
      coalesce(c.problem, case when c.place > 1 then 'this job stands in the batch twice' end)
    )::public.job_result order by c.ordinality), '{}')
  from (
    select r.*, row_number() over (
      partition by r.problem is null, r.value ->> 'job_id', lower(r.value ->> 'lease_token') order by r.ordinality) as place
    from (
      select e.ordinality, e.value, case
        when jsonb_typeof(e.value) <> 'object' then 'expected an object'
        when coalesce(e.value ->> 'job_id', '') !~ '^[1-9][0-9]{0,17}$' then 'job_id: expected a job''s number'
        when coalesce(e.value ->> 'lease_token', '')
          !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then 'lease_token: expected a uuid'
        when coalesce(e.value ->> 'outcome', '') not in ('done', 'retry', 'failed', 'snooze', 'release')
          then 'outcome: expected done, retry, failed, snooze or release'
        when jsonb_typeof(coalesce(e.value -> 'retry_in', '0')) not in ('number', 'null')
          then 'retry_in: expected seconds'
        when jsonb_typeof(coalesce(e.value -> 'duration_ms', '0')) not in ('number', 'null')
          then 'duration_ms: expected milliseconds'
        when jsonb_typeof(coalesce(e.value -> 'cost', '0')) not in ('number', 'null') then 'cost: expected a number'
        when coalesce(e.value ->> 'content_sha256', repeat('0', 64)) !~ '^[0-9a-f]{64}$'
          then 'content_sha256: expected 64 hexadecimal digits'
        when length(e.value ->> 'handler_version') > 200 then 'handler_version: at most 200 characters'
        when coalesce(e.value ->> 'reused_from', '1') !~ '^[1-9][0-9]{0,17}$' then 'reused_from: expected a job''s number'
        end as problem
      from jsonb_array_elements(results) with ordinality e
    ) r
  ) c
$$;
revoke all on function public.read_job_results(jsonb) from public, anon, authenticated;
grant execute on function public.read_job_results(jsonb) to service_role;

-- Writes the output of each done job through its type's apply function. One that raises is undone alone; an output
-- of more than 8 MB is refused, for the jobs that wait for it would have to carry it.
-- Called by resolve_jobs, which holds the jobs' locks. Answers {"<job id>": "<error>"} for those that failed.
create function public.apply_outputs(done public.job_result[]) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  errors jsonb;
  element record;
begin
  select coalesce(jsonb_object_agg(r.job_id::text, format(
    'output: %s MB, but at most 8; put more into Storage and name its path', round(pg_column_size(r.output) / 1e6, 1))), '{}')
  into errors from unnest(done) r where pg_column_size(r.output) > 8000000;

  for element in
    select j as job, r.output, p.apply_function
    from unnest(done) r
    join public.jobs j on j.id = r.job_id
    join public.job_policies p on p.type = j.type and p.apply_function is not null
    where not errors ? j.id::text
    order by j.id
  loop
    begin
      execute format('select public.%I($1, $2)', element.apply_function) using element.job, element.output;
    exception when others then
      errors := errors || jsonb_build_object((element.job).id::text,
        format('the output could not be applied (%s): %s', sqlstate, sqlerrm));
    end;
  end loop;
  return errors;
end $$;
revoke all on function public.apply_outputs(public.job_result[]) from public, anon, authenticated;
grant execute on function public.apply_outputs(public.job_result[]) to service_role;

-- The jobs among these whose file version is no longer the stored one: overwritten, moved or deleted.
-- Called by resolve_jobs. Share-locks the file rows by ascending id, so that an overwrite waits for the commit or is seen.
create function public.jobs_of_outdated_files(job_ids bigint[]) returns bigint[]
language plpgsql security definer set search_path = '' as $$
begin
  perform 1 from public.ingested_files f
  where f.id in (select j.file_id from public.jobs j where j.id = any (job_ids)) order by f.id for share;

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

-- The jobs that wait, directly or further down, for these. Called by resolve_jobs, which locks them together.
create function public.waiting_descendants(job_ids bigint[]) returns bigint[]
language sql stable security definer set search_path = '' as $$
  with recursive below (id) as (
    select e.job_id from public.job_parents e where e.parent_id = any (job_ids)
    union
    select e.job_id from below b join public.job_parents e on e.parent_id = b.id
  )
  select coalesce(array_agg(b.id), '{}') from below b
$$;
revoke all on function public.waiting_descendants(bigint[]) from public, anon, authenticated;
grant execute on function public.waiting_descendants(bigint[]) to service_role;

-- Ends attempts: [{"job_id", "lease_token", "outcome", "output"?, "error"?, "retry_in"?, "duration_ms"?, "public_error"?,
-- "cost"?, "content_sha256"?, "handler_version"?, "reused_from"?}] answered, in the same order, by
-- [{"job_id", "verdict", "status", "attempts", "run_at", "error"?}].
--   ok          as asked; also when this lease token was resolved before, so that a repeated call is harmless
--   lost        the job is leased to another worker, or was cancelled: nothing changed
--   superseded  the file was overwritten, moved or deleted meanwhile: the result is refused, the job cancelled
--   error       this element is malformed, or its output could not be applied: then the attempt counts as failed
-- Called by the tick. Locks the named jobs and all that wait for them by ascending id, then their files.
create function public.resolve_jobs(worker_id uuid, results jsonb) returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  asked public.job_result[];
  ids bigint[];
  own_ids bigint[];
  own_tokens uuid[];
  mine public.job_result[];
  outdated bigint[];
  apply_errors jsonb;
begin
  if results is null or jsonb_typeof(results) <> 'array' then
    raise exception 'results: expected a JSON array' using errcode = '22023';
  end if;
  asked := public.read_job_results(results);
  ids := array(select r.job_id from unnest(asked) r where r.problem is null);
  perform 1 from public.jobs j where j.id = any (ids || public.waiting_descendants(ids)) order by j.id for update;

  -- Matched by position in arrays: the planner knows no array's length, and its join compares all with all.
  select array_agg(j.id), array_agg(j.lease_token) into own_ids, own_tokens
  from public.jobs j where j.id = any (ids) and j.status = 'processing' and j.worker_id = resolve_jobs.worker_id;
  mine := array(
    select r from unnest(asked) r
    where r.problem is null and own_ids[array_position(own_tokens, r.lease_token)] = r.job_id
    order by r.job_id);
  ids := array(select r.job_id from unnest(mine) r);
  outdated := public.jobs_of_outdated_files(ids);
  apply_errors := public.apply_outputs(array(
    select r from unnest(mine) r where r.outcome = 'done' and not r.job_id = any (outdated)));

  perform public.end_attempts(mine, outdated, apply_errors);
  perform public.settle_usage(mine);
  perform public.store_content_results(array(
    select r from unnest(mine) r
    where r.outcome = 'done' and r.content_sha256 is not null and r.reused_from is null
      and not r.job_id = any (outdated) and not apply_errors ? r.job_id::text));
  perform public.settle_children(ids);
  return public.resolve_verdicts(asked, array(select r.ordinal from unnest(mine) r), outdated, apply_errors);
end $$;
comment on function public.resolve_jobs(uuid, jsonb) is
  'Ends attempts and applies the outputs of done jobs, fenced by lease and file version.';

-- Moves the jobs of a resolved batch to their next status and writes the audit rows, in one statement.
-- Called by resolve_jobs, which holds the locks. The delay of a retry is the handler's, or full jitter below
-- backoff · 2^(attempt - 1), capped.
create function public.end_attempts(mine public.job_result[], outdated bigint[], apply_errors jsonb) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  with decided as (
    select
      j.id, r.output, r.retry_in, r.duration_ms, r.public_error, r.cost, r.reused_from,
      o.outcome,
      coalesce(apply_errors ->> j.id::text, r.error) as error,
      case
        when o.outcome = 'done' then 'done'
        when o.outcome = 'superseded' then 'cancelled'
        when o.outcome = 'failed' then 'failed'
        when o.outcome in ('retry', 'error') and j.attempts >= j.max_attempts then 'failed'
        else 'queued'
      end as status,
      case
        when o.outcome = 'snooze' then coalesce(r.retry_in, 60)
        else coalesce(r.retry_in, random() * least(
          coalesce(own_policy.backoff_cap_seconds, every.backoff_cap_seconds)::double precision,
          coalesce(own_policy.backoff_seconds, every.backoff_seconds)::double precision
            * power(2::double precision, greatest(j.attempts - 1, 0))))
      end as delay
    from unnest(mine) r
    join public.jobs j on j.id = r.job_id
    cross join lateral (select case
      when j.id = any (outdated) then 'superseded'
      when apply_errors ? j.id::text then 'error'
      else r.outcome end as outcome) o
    left join public.job_policies own_policy on own_policy.type = j.type
    join public.job_policies every on every.type = '*'
  ),
  audited as (
    insert into public.job_runs
      (job_id, org_id, type, attempt, worker_id, lease_token, outcome, error, duration_ms, cost, reused_from, started_at)
    select j.id, j.org_id, j.type, j.attempts, j.worker_id, j.lease_token, d.outcome,
      case when d.outcome = 'superseded' then 'the file was overwritten, moved or deleted meanwhile' else d.error end,
      d.duration_ms, d.cost, d.reused_from, j.started_at
    from decided d join public.jobs j on j.id = d.id
  )
  update public.jobs j set
    status = d.status,
    attempts = j.attempts - case when d.outcome in ('snooze', 'release') then 1 else 0 end,
    output = case when d.status = 'done' then d.output end,
    last_error = case
      when d.status = 'done' then null
      when d.outcome = 'superseded' then 'superseded: the file was overwritten, moved or deleted meanwhile'
      when d.outcome = 'release' then coalesce(d.error, j.last_error)
      else d.error end,
    public_error = case when d.outcome = 'release' then j.public_error when d.status <> 'done' then d.public_error end,
    run_at = case when d.status = 'queued' and d.outcome <> 'release'
      then now() + make_interval(secs => d.delay) else j.run_at end,
    turn = case
      when d.outcome = 'release' and j.turn = 'alone' then 'alone'
      when d.outcome <> 'release' and d.delay > 0 or j.run_at > now() then 'later'
      else 'ready' end,
    completed_at = case when d.status <> 'queued' then now() end,
    worker_id = null, lease_token = null, lease_expires_at = null, updated_at = now()
  from decided d
  where j.id = d.id;
end $$;
revoke all on function public.end_attempts(public.job_result[], bigint[], jsonb) from public, anon, authenticated;
grant execute on function public.end_attempts(public.job_result[], bigint[], jsonb) to service_role;

-- Adds what these attempts were and cost to their organisations' day. Called by resolve_jobs, after the jobs' locks.
-- Locks the organisations' rows in one order. Writes nothing while no limit is set and no cost is reported.
create function public.settle_usage(mine public.job_result[]) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
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

-- Says, in the order of the batch, what became of every element.
-- Called by resolve_jobs. Reads job_runs for lease tokens that were resolved, cancelled or lost before.
create function public.resolve_verdicts(
  asked public.job_result[], own_ordinals int[], outdated bigint[], apply_errors jsonb
) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'job_id', r.job_id,
      'verdict', case
        when r.problem is not null then 'error'
        when own.is_own and r.job_id = any (outdated) then 'superseded'
        when own.is_own and apply_errors ? r.job_id::text then 'error'
        when own.is_own then 'ok'
        when before.outcome in ('superseded', 'error') then before.outcome
        when before.outcome in ('done', 'retry', 'failed', 'snooze', 'release') then 'ok'
        else 'lost' end,
      'status', j.status,
      'attempts', j.attempts,
      'run_at', j.run_at,
      'error', coalesce(
        r.problem,
        case when own.is_own then apply_errors ->> r.job_id::text when before.outcome = 'error' then before.error end)))
    order by r.ordinal), '[]')
  from unnest(asked) r
  cross join lateral (select r.ordinal = any (own_ordinals) as is_own) own
  left join public.jobs j on j.id = r.job_id
  left join lateral (
    select a.outcome, a.error from public.job_runs a
    where not own.is_own and a.job_id = r.job_id and a.lease_token = r.lease_token
    order by a.id desc limit 1
  ) before on true
$$;
revoke all on function public.resolve_verdicts(public.job_result[], int[], bigint[], jsonb)
from public, anon, authenticated;
grant execute on function public.resolve_verdicts(public.job_result[], int[], bigint[], jsonb) to service_role;

revoke all on function public.resolve_jobs(uuid, jsonb) from public, anon, authenticated;
grant execute on function public.resolve_jobs(uuid, jsonb) to service_role;
