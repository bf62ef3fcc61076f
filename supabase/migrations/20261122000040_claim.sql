-- claim: a worker asks for a batch and gets each job with a fresh lease token.

-- How many crashes make a job of this type a dead letter. Called by reclaim_expired_leases.
create function public.max_crashes(type text) returns int
language sql stable security definer set search_path = '' as $$
  select coalesce(own.max_crashes, every.max_crashes)
  from public.job_types every left join public.job_types own on own.type = max_crashes.type
  where every.type = '*'
$$;
revoke all on function public.max_crashes(text) from public, anon, authenticated;
grant execute on function public.max_crashes(text) to service_role;

-- Takes back jobs whose lease ran out, or makes a dead letter of one that crashed too often. The attempt is given back
-- and a crash is counted instead; whatever was running is suspect from now on and handed out alone, so that one poison
-- job costs its neighbours nothing.
-- Called by claim_jobs, so there is no reaper that can be down. Skips jobs that somebody resolves or takes back right now.
-- Locks one dying job and all that wait for it, by ascending id, then up to `batch_size` others: of two dying ones, the
-- children of one could stand below the other. Returns the job that became a dead letter, if one did.
create function public.reclaim_expired_leases(batch_size int default 100) returns bigint
language plpgsql security definer set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  dying bigint;
  expired bigint[];
begin
  select j.id into dying from public.jobs j
  where j.status = 'processing' and j.lease_expires_at < now() and j.crashes + 1 >= public.max_crashes(j.type)
  order by j.id limit 1 for update skip locked;
  if dying is not null then
    perform public.lock_jobs(public.waiting_descendants(array[dying]));
  end if;
  expired := dying || array(
    select j.id from public.jobs j
    where j.status = 'processing' and j.lease_expires_at < now() and j.crashes + 1 < public.max_crashes(j.type)
    order by j.id limit least(batch_size, 1000) for update skip locked);
  expired := array_remove(expired, null);
  if expired = '{}' then
    return null;
  end if;

  insert into public.job_runs (job_id, org_id, type, attempt, worker_id, lease_token, outcome, error, duration_ms, started_at)
  select j.id, j.org_id, j.type, j.attempts, j.worker_id, j.lease_token, 'crash',
    'the lease ran out', least(extract(epoch from now() - j.started_at) * 1000, 2147483647)::int, j.started_at
  from public.jobs j where j.id = any (expired);

  update public.jobs j set
    status = case when j.id = dying then 'failed' else 'queued' end,
    crashes = j.crashes + 1,
    attempts = greatest(j.attempts - 1, 0),
    worker_id = null, lease_token = null, lease_expires_at = null,
    run_at = now(), turn = 'alone', updated_at = now(),
    completed_at = case when j.id = dying then now() end,
    last_error = format('the lease ran out: the worker was killed, ran out of memory or lost the database (crash %s of %s)',
      j.crashes + 1, public.max_crashes(j.type))
  where j.id = any (expired);
  if dying is not null then
    perform public.settle_children(array[dying]);
  end if;
  return dying;
end $$;
revoke all on function public.reclaim_expired_leases(int) from public, anon, authenticated;
grant execute on function public.reclaim_expired_leases(int) to service_role;

-- What a worker is told about jobs it was handed, in the order in which they should run.
-- Called by claim_jobs and start_job. Takes no locks of its own.
create function public.describe_claimed(job_ids bigint[]) returns jsonb
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  return (
    with parent as (
      select e.job_id, p.output,
        case when count(*) over (partition by e.job_id, p.type) = 1 and not exists (
          select from public.job_parents o where o.job_id = e.job_id and o.parent_id <> p.id and o.ref = p.type)
        then p.type else coalesce(e.ref, p.id::text) end as name
      from public.job_parents e join public.jobs p on p.id = e.parent_id
      where e.job_id = any (job_ids)
    ),
    family as (
      select p.job_id, jsonb_object_agg(p.name, p.output) as parents from parent p group by p.job_id
    )
    -- From rows to json to jsonb: building jsonb key by key takes twice as long.
    select coalesce(json_agg(told)::jsonb, '[]')
    from (
      select j.id as job_id, j.org_id, j.type, j.payload, j.attempts, j.max_attempts, j.lease_token, j.lease_expires_at,
        coalesce(own.timeout_seconds, every.timeout_seconds) as timeout_seconds,
        j.turn = 'alone' as alone, j.file_id, j.trace_parent,
        coalesce(f.parents, '{}') as parents
      from public.jobs j
      left join public.job_types own on own.type = j.type
      join public.job_types every on every.type = '*'
      left join family f on f.job_id = j.id
      where j.id = any (job_ids)
      order by j.place, j.id) told);
end $$;
revoke all on function public.describe_claimed(bigint[]) from public, anon, authenticated;
grant execute on function public.describe_claimed(bigint[]) to service_role;

-- describe_claimed for a batch of any size: jsonb ends at 256 MB, and a claim that raised would meet the same jobs again
-- and again. What does not fit goes back, uncharged, but for one job; a job that is too large by itself is a dead letter.
-- Called by claim_jobs and start_job, which hold the jobs' locks.
create function public.hand_out(job_ids bigint[]) returns jsonb
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
  one bigint := job_ids[1];
begin
  begin
    return public.describe_claimed(job_ids);
  exception when program_limit_exceeded or out_of_memory then
    null;
  end;
  if cardinality(job_ids) > 1 then
    update public.jobs j set
      status = 'queued', attempts = j.attempts - 1, worker_id = null, lease_token = null, lease_expires_at = null
    where j.id = any (job_ids) and j.id <> one;
    return public.hand_out(array[one]);
  end if;
  perform public.lock_jobs(public.waiting_descendants(job_ids));
  insert into public.job_runs (job_id, org_id, type, attempt, worker_id, lease_token, outcome, error, started_at)
  select j.id, j.org_id, j.type, j.attempts, j.worker_id, j.lease_token, 'failed', 'too large to be handed out', j.started_at
  from public.jobs j where j.id = one;
  update public.jobs j set
    status = 'failed', completed_at = now(), updated_at = now(),
    worker_id = null, lease_token = null, lease_expires_at = null,
    last_error = 'too large: what it waited for put out more than 256 MB together, which belong into Storage'
  where j.id = one;
  perform public.settle_children(job_ids);
  return '[]';
end $$;
revoke all on function public.hand_out(bigint[]) from public, anon, authenticated;
grant execute on function public.hand_out(bigint[]) to service_role;

-- Gives queued jobs, whose locks the caller holds, to a worker: each gets a fresh lease token and an attempt.
-- Called by claim_jobs and start_job. `lease_seconds` falls back to the settings and is clamped to 10 to 3600.
create function public.lease_jobs(job_ids bigint[], worker_id uuid, lease_seconds int) returns void
language plpgsql volatile security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  update public.jobs j set
    status = 'processing',
    worker_id = lease_jobs.worker_id,
    lease_token = gen_random_uuid(),
    lease_expires_at = now() + make_interval(secs => least(greatest(coalesce(lease_jobs.lease_seconds, s.lease_seconds), 10), 3600)),
    attempts = j.attempts + 1,
    progress = null,
    started_at = now(),
    updated_at = now()
  from public.job_queue_settings s
  where s.only_row and j.id = any (job_ids);
end $$;
revoke all on function public.lease_jobs(bigint[], uuid, int) from public, anon, authenticated;
grant execute on function public.lease_jobs(bigint[], uuid, int) to service_role;

-- Leases one job that was running when its worker died, if one of these types is due.
-- Called by claim_jobs. Locks that job.
create function public.lease_suspect(types text[], limited boolean, worker_id uuid, lease_seconds int) returns bigint[]
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  allowed bigint[];
  suspect bigint;
begin
  if limited then
    -- The first of each lane: if its organisation has room at all, it is within it.
    allowed := array(
      select c.id from unnest(public.within_limits(array(
        select row(h.id, h.type, h.org_key)::public.candidate
        from (
          select distinct on (s.type, s.org_key) s.id, s.type, s.org_key, s.place from public.jobs s
          where s.status = 'queued' and s.turn = 'alone' and s.run_at <= now() and s.type = any (types)
          order by s.type, s.org_key, s.place, s.id) h
        order by h.place, h.id))) c);
  end if;
  select s.id into suspect from public.jobs s
  where s.status = 'queued' and s.turn = 'alone' and s.run_at <= now() and s.type = any (types)
    and (not limited or s.id = any (allowed))
  order by s.place, s.id limit 1 for update skip locked;
  if suspect is null then
    return '{}';
  end if;
  perform public.lease_jobs(array[suspect], worker_id, lease_seconds);
  return array[suspect];
end $$;
revoke all on function public.lease_suspect(text[], boolean, uuid, int) from public, anon, authenticated;
grant execute on function public.lease_suspect(text[], boolean, uuid, int) to service_role;

-- Leases up to `wanted` ready jobs, fairly. A first look at 25 organisations nearly always fills the batch; if it does not
-- (many organisations with little work, limits, other claims at the same jobs), further looks go on from other random
-- places, at more organisations.
-- Called by claim_jobs. Locks what it leases.
create function public.lease_fairly(types text[], wanted int, limited boolean, worker_id uuid, lease_seconds int)
returns bigint[]
language plpgsql volatile security definer set search_path = '' as $$
declare
  leased bigint[] := '{}';
  found bigint[];
  candidates public.candidate[];
begin
  for look in 1..4 loop
    candidates := public.candidates_in_turn(
      types, wanted - cardinality(leased), case look when 1 then 25 else least(greatest(wanted, 25), 250) end);
    exit when candidates = '{}';
    if limited then
      candidates := public.within_limits(candidates);
    end if;
    found := public.lock_in_lanes(candidates, wanted - cardinality(leased));
    perform public.lease_jobs(found, worker_id, lease_seconds);
    leased := leased || found;
    exit when cardinality(leased) >= wanted;
  end loop;
  return leased;
end $$;
revoke all on function public.lease_fairly(text[], int, boolean, uuid, int) from public, anon, authenticated;
grant execute on function public.lease_fairly(text[], int, boolean, uuid, int) to service_role;

-- Hands out up to `batch_size` due jobs: [{"job_id", "org_id", "type", "payload", "attempts", "max_attempts",
-- "lease_token", "lease_expires_at", "timeout_seconds", "alone", "file_id", "trace_parent", "parents": {type: output}}];
-- where several parents are of one type, they go by their refs. Nothing while paused, unless forced. With `fits_in`, only
-- types that usually end within so many seconds. A job that is `alone` comes as a batch of its own, and wants a worker
-- that runs nothing else.
-- A worker whose claim got no answer calls again with `held`, the ids it knows it has: what else it was given is handed
-- out again first, under the same tokens, so that a lost answer strands nothing.
-- Called by the tick. Locks only the rows it hands out, due ones it makes ready and expired ones it takes back; rows that
-- another claim holds are skipped, never waited for. batch_size is clamped to 1 to 1000.
create function public.claim_jobs(
  worker_id uuid,
  batch_size int default 5,
  types text[] default null,
  lease_seconds int default null,
  force boolean default false,
  held bigint[] default null,
  fits_in int default null,
  tell_dead_letter boolean default false
) returns jsonb
language plpgsql security definer
set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  limited boolean;
  allowed text[];
  picked bigint[];
  dead bigint;
begin
  if worker_id is null then
    raise exception 'worker_id is missing: a worker names itself with a uuid' using errcode = '22023';
  end if;
  if held is not null then
    picked := array(
      select j.id from public.jobs j
      where j.status = 'processing' and j.worker_id = claim_jobs.worker_id and not j.id = any (held)
      order by j.id limit 100);
    if cardinality(picked) > 0 then
      return public.hand_out(picked);
    end if;
  end if;
  if not coalesce(force, false) and not (select s.processing_enabled from public.job_queue_settings s where s.only_row) then
    return '[]';
  end if;
  limited := public.hold_limits();
  dead := public.reclaim_expired_leases();
  perform public.ready_due_jobs();

  batch_size := least(greatest(coalesce(batch_size, 5), 1), 1000);
  allowed := public.open_types(types, fits_in);
  picked := '{}';
  -- Suspects and the others in turns: neither may hold the other up.
  if random() < 0.5 then
    picked := public.lease_suspect(allowed, limited, worker_id, lease_seconds);
  end if;
  if picked = '{}' then
    picked := public.lease_fairly(allowed, batch_size, limited, worker_id, lease_seconds);
  end if;
  if picked = '{}' then
    picked := public.lease_suspect(allowed, limited, worker_id, lease_seconds);
  end if;
  if dead is null or not coalesce(tell_dead_letter, false) then
    return public.hand_out(picked);
  end if;
  return jsonb_build_object('jobs', public.hand_out(picked), 'dead_letter', (
    select to_jsonb(told) from (
      select j.id as job_id, j.org_id, j.type, j.attempts, j.max_attempts, j.crashes, j.file_id, j.last_error as error
      from public.jobs j where j.id = dead) told));
end $$;
comment on function public.claim_jobs(uuid, int, text[], int, boolean, bigint[], int, boolean) is
  'Hands out due jobs, each under a fresh lease.';
revoke all on function public.claim_jobs(uuid, int, text[], int, boolean, bigint[], int, boolean)
from public, anon, authenticated;
grant execute on function public.claim_jobs(uuid, int, text[], int, boolean, bigint[], int, boolean) to service_role;

-- Enqueues one job (an element of enqueue_jobs), or finds the unfinished one of that key, and claims it at once, whatever
-- its run_at: {"job_id", "created", "status", "waits_for", "job"}. `job` is as claim_jobs hands it out, or null when it is
-- not to be had: it runs already, waits for parents or a limit, is done for ever, or processing is paused.
-- A worker whose call got no answer calls again and gets the job that it holds by then, under the same token.
-- Called by workers that dispatch a payload instead of taking what is due (JOB_QUEUE_BACKEND=cron).
-- Locks the job; another worker that holds it is not waited for, and an open transaction that enqueues the same work for
-- two seconds only (55P03: call again), for with limits on the claims wait meanwhile.
create function public.start_job(worker_id uuid, job jsonb, lease_seconds int default null, force boolean default false)
returns jsonb
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  enqueued jsonb;
  wanted public.candidate;
  reason text;
begin
  if worker_id is null then
    raise exception 'worker_id is missing: a worker names itself with a uuid' using errcode = '22023';
  end if;
  perform public.hold_limits();
  if jsonb_typeof(job) is distinct from 'object' then
    raise exception 'job: expected an object' using errcode = '22023';
  end if;
  enqueued := public.enqueue_jobs(jsonb_build_array(job)) -> 0;
  select j.id, j.type, j.org_key into wanted from public.jobs j
  where j.id = (enqueued ->> 'job_id')::bigint and j.status = 'processing' and j.worker_id = start_job.worker_id;
  if wanted.id is not null then
    return enqueued - 'changed' || jsonb_build_object(
      'status', 'processing', 'waits_for', null, 'job', public.hand_out(array[wanted.id]) -> 0);
  end if;
  if force or (select s.processing_enabled from public.job_queue_settings s where s.only_row) then
    select j.id, j.type, j.org_key into wanted from public.jobs j
    where j.id = (enqueued ->> 'job_id')::bigint and j.status = 'queued' for update skip locked;
  else
    reason := 'processing is paused';
  end if;
  if wanted.id is not null and public.within_limits(array[wanted]) = '{}' then
    reason := public.limit_reached(wanted.type, job ->> 'org_id');
    wanted.id := null;
  end if;
  if wanted.id is not null then
    perform public.lease_jobs(array[wanted.id], worker_id, lease_seconds);
  end if;
  return enqueued - 'changed' || jsonb_build_object(
    'status', (select j.status from public.jobs j where j.id = (enqueued ->> 'job_id')::bigint),
    'waits_for', reason,
    'job', public.hand_out(array[wanted.id]) -> 0);
end $$;
comment on function public.start_job(uuid, jsonb, int, boolean) is 'Enqueues one job and claims it at once.';
revoke all on function public.start_job(uuid, jsonb, int, boolean) from public, anon, authenticated;
grant execute on function public.start_job(uuid, jsonb, int, boolean) to service_role;
