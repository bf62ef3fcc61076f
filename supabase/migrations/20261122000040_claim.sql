-- claim: a worker asks for a batch and gets each job with a fresh lease token.

-- Takes back jobs whose lease ran out: queued again at once, or dead letters when they crashed too often.
-- The attempt is given back and a crash is counted instead, so one poison job costs its neighbours nothing.
-- Called by claim_jobs, so there is no reaper that can be down. Locks at most `batch_size` expired jobs, skipping
-- those that somebody resolves or takes back right now.
create function public.reclaim_expired_leases(batch_size int default 100) returns int
language plpgsql security definer set search_path = '' as $$
declare
  expired bigint[];
  dead bigint[];
begin
  expired := array(
    select j.id from public.jobs j
    where j.status = 'processing' and j.lease_expires_at < now()
    order by j.id limit least(batch_size, 1000) for update skip locked);
  if cardinality(expired) = 0 then
    return 0;
  end if;

  insert into public.job_runs (job_id, org_id, type, attempt, worker_id, lease_token, outcome, error, duration_ms, started_at)
  select j.id, j.org_id, j.type, j.attempts, j.worker_id, j.lease_token, 'crash',
    'the lease ran out', least(extract(epoch from now() - j.started_at) * 1000, 2147483647)::int, j.started_at
  from public.jobs j where j.id = any (expired);

  with moved as (
    update public.jobs j set
      status = case when j.crashes + 1 >= p.max_crashes then 'failed' else 'queued' end,
      crashes = j.crashes + 1,
      attempts = greatest(j.attempts - 1, 0),
      worker_id = null, lease_token = null, lease_expires_at = null,
      run_at = now(), updated_at = now(),
      completed_at = case when j.crashes + 1 >= p.max_crashes then now() end,
      last_error = format('the lease ran out: the worker was killed, ran out of memory or lost the database (crash %s of %s)',
        j.crashes + 1, p.max_crashes)
    from (
      select e.id, coalesce(own.max_crashes, every.max_crashes) as max_crashes
      from public.jobs e
      left join public.job_policies own on own.type = e.type
      join public.job_policies every on every.type = '*'
      where e.id = any (expired)
    ) p
    where j.id = p.id
    returning j.id, j.status
  )
  select array_agg(m.id) into dead from moved m where m.status = 'failed';
  if dead is not null then
    perform public.settle_children(dead);
  end if;
  return cardinality(expired);
end $$;
revoke all on function public.reclaim_expired_leases(int) from public, anon, authenticated;
grant execute on function public.reclaim_expired_leases(int) to service_role;

-- What a worker is told about jobs it was handed, in the order in which they should run.
-- Called by claim_jobs. Takes no locks of its own.
create function public.describe_claimed(job_ids bigint[]) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'job_id', j.id,
      'org_id', j.org_id,
      'type', j.type,
      'payload', j.payload,
      'attempts', j.attempts,
      'max_attempts', j.max_attempts,
      'lease_token', j.lease_token,
      'lease_expires_at', j.lease_expires_at,
      'timeout_seconds', coalesce(own.timeout_seconds, every.timeout_seconds),
      'parents', coalesce((
        select jsonb_object_agg(p.type, p.output)
        from public.job_parents e join public.jobs p on p.id = e.parent_id
        where e.job_id = j.id), '{}'))
    order by j.priority desc, j.run_at, j.id), '[]')
  from public.jobs j
  left join public.job_policies own on own.type = j.type
  join public.job_policies every on every.type = '*'
  where j.id = any (job_ids)
$$;
revoke all on function public.describe_claimed(bigint[]) from public, anon, authenticated;
grant execute on function public.describe_claimed(bigint[]) to service_role;

-- Hands out up to `batch_size` due jobs: [{"job_id", "org_id", "type", "payload", "attempts", "max_attempts",
-- "lease_token", "lease_expires_at", "timeout_seconds", "parents": {type: output}}]. Nothing while paused, unless forced.
-- A worker whose claim got no answer calls again with `held`, the ids it knows it has: what else it was given is handed
-- out again first, under the same tokens, so that a lost answer strands nothing.
-- Called by the tick. Locks only the rows it hands out; rows that another claim holds are skipped, never waited for.
-- The ids come from an array(…), which fences the limit and keeps the index plan whatever the backlog; the plan is
-- made for the actual batch size each time.
create function public.claim_jobs(
  worker_id uuid,
  batch_size int default 5,
  types text[] default null,
  lease_seconds int default null,
  force boolean default false,
  held bigint[] default null
) returns jsonb
language plpgsql security definer
set search_path = '' set plan_cache_mode = force_custom_plan set enable_seqscan = off as $$
declare
  settings public.job_queue_settings;
  picked bigint[];
begin
  if worker_id is null then
    raise exception 'worker_id is missing: a worker names itself with a uuid' using errcode = '22023';
  end if;
  if held is not null then
    picked := array(
      select j.id from public.jobs j
      where j.status = 'processing' and j.worker_id = claim_jobs.worker_id and not j.id = any (held)
      order by j.id limit 1000);
    if cardinality(picked) > 0 then
      return public.describe_claimed(picked);
    end if;
  end if;
  select * into settings from public.job_queue_settings s where s.only_row;
  if not (settings.processing_enabled or coalesce(force, false)) then
    return '[]';
  end if;
  perform public.reclaim_expired_leases();

  batch_size := least(greatest(coalesce(batch_size, 5), 1), 1000);
  picked := array(
    select j.id from public.jobs j
    where j.status = 'queued' and j.run_at <= now() and (types is null or j.type = any (types))
    order by j.priority desc, j.run_at, j.id
    limit batch_size for update skip locked);
  if cardinality(picked) = 0 then
    return '[]';
  end if;

  update public.jobs j set
    status = 'processing',
    worker_id = claim_jobs.worker_id,
    lease_token = gen_random_uuid(),
    lease_expires_at = now() + make_interval(secs => least(greatest(
      coalesce(claim_jobs.lease_seconds, settings.lease_seconds), 10), 3600)),
    attempts = j.attempts + 1,
    progress = null,
    started_at = now(),
    updated_at = now()
  where j.id = any (picked);
  return public.describe_claimed(picked);
end $$;
comment on function public.claim_jobs(uuid, int, text[], int, boolean, bigint[]) is
  'Hands out due jobs, each under a fresh lease.';
revoke all on function public.claim_jobs(uuid, int, text[], int, boolean, bigint[])
from public, anon, authenticated;
grant execute on function public.claim_jobs(uuid, int, text[], int, boolean, bigint[]) to service_role;

-- Reads a heartbeat element by element; what is malformed has no job_id, so its verdict is "lost".
-- Called by extend_leases.
create function public.read_leases(leases jsonb)
returns table (ordinal bigint, named jsonb, job_id bigint, lease_token uuid, progress jsonb)
language sql stable security definer set search_path = '' as $$
  select e.ordinality, e.value -> 'job_id',
    case when ok.all then (e.value ->> 'job_id')::bigint end,
    case when ok.all then (e.value ->> 'lease_token')::uuid end,
    nullif(e.value -> 'progress', 'null')
  from jsonb_array_elements(leases) with ordinality e
  cross join lateral (select
    coalesce(e.value ->> 'job_id', '') ~ '^[1-9][0-9]{0,17}$'
    and coalesce(e.value ->> 'lease_token', '')
      ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' as all) ok
$$;
revoke all on function public.read_leases(jsonb) from public, anon, authenticated;
grant execute on function public.read_leases(jsonb) to service_role;

-- Keeps running jobs leased and stores their progress: [{"job_id", "lease_token", "progress"?}] answered by
-- [{"job_id", "verdict": "ok" | "lost" | "cancelled"}]. This is how a worker learns that its job is no longer its own.
-- Called by the tick's heartbeat. Locks the jobs by ascending id; changes no indexed column, so it stays cheap (HOT).
create function public.extend_leases(worker_id uuid, leases jsonb, lease_seconds int default null) returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  held bigint[];
  seconds int := least(greatest(coalesce(lease_seconds,
    (select s.lease_seconds from public.job_queue_settings s where s.only_row)), 10), 3600);
begin
  if leases is null or jsonb_typeof(leases) <> 'array' then
    raise exception 'leases: expected a JSON array' using errcode = '22023';
  end if;
  perform 1 from public.jobs j
  where j.id = any (array(select l.job_id from public.read_leases(leases) l))
    and j.status = 'processing' and j.worker_id = extend_leases.worker_id
  order by j.id for no key update;

  with extended as (
    update public.jobs j set
      lease_expires_at = now() + make_interval(secs => seconds),
      progress = coalesce(l.progress, j.progress)
    from public.read_leases(leases) l
    where j.id = l.job_id and j.status = 'processing' and j.lease_token = l.lease_token
      and j.worker_id = extend_leases.worker_id
    returning j.id
  )
  select coalesce(array_agg(e.id), '{}') into held from extended e;

  return coalesce((
    select jsonb_agg(jsonb_build_object('job_id', l.named, 'verdict', case
        when l.job_id = any (held) then 'ok'
        when j.status = 'cancelled' then 'cancelled'
        else 'lost' end)
      order by l.ordinal)
    from public.read_leases(leases) l left join public.jobs j on j.id = l.job_id), '[]');
end $$;
comment on function public.extend_leases(uuid, jsonb, int) is 'Keeps running jobs leased and stores their progress.';
revoke all on function public.extend_leases(uuid, jsonb, int) from public, anon, authenticated;
grant execute on function public.extend_leases(uuid, jsonb, int) to service_role;
