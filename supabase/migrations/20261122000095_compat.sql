-- compat: the names under which four other systems know a queue, so that their workers move over unchanged.
--
-- Every function here is a call of enqueue_job, claim_jobs, start_job or resolve_jobs under another name. Those workers
-- carry no lease token, so the token is looked up here, and only for a job that was claimed through the same system:
--   claim_next_job, resolve_job             the caller's worker_id
--   claim_job, complete_job, fail_job       a uuid made from the worker's name: 00000000-0000-8004-…
--   job_queue_claim, job_queue_mark_…       one uuid for all: 00000000-0000-8002-8000-000000000000
-- A job that any other worker holds is never touched. Two workers of the last system cannot be told apart, nor those of
-- the second when complete_job and fail_job are called without the worker's name: give them one queue per job type, or
-- move them to claim_jobs, whose lease token tells every attempt from every other.
--
-- Nor do they send heartbeats. A lease of ten minutes is what their own operators use as the age from which a running
-- job counts as stuck, and longer than their runtimes let one call last.

create view public.job_queue with (security_invoker = on) as
select
  j.id, j.type as task_type, j.payload,
  case j.status when 'waiting' then 'pending' when 'queued' then 'pending' when 'done' then 'succeeded' else j.status end
    as status,
  j.attempts, j.max_attempts, j.run_at, j.last_error, j.output, j.created_at, j.updated_at, j.completed_at, j.org_id
from public.jobs j;
comment on view public.job_queue is
  'jobs with other names: task_type, and pending or succeeded for waiting, queued or done.';

create view public.jobs_queue with (security_invoker = on) as
select
  j.id, j.org_id, j.type, j.payload, j.status, j.attempts, j.max_attempts, j.priority, j.run_at, j.last_error, j.output,
  j.worker_id, j.lease_expires_at, j.created_at, j.updated_at, j.started_at, j.completed_at
from public.jobs j;
comment on view public.jobs_queue is 'jobs under another name.';

revoke all on public.job_queue, public.jobs_queue from public, anon, authenticated, service_role;
grant select on public.job_queue, public.jobs_queue to service_role;

-- The uuid under which a worker with a name claims jobs; the version 8 keeps it apart from every random uuid.
-- Called by claim_job, complete_job and fail_job. Takes no locks.
create function public.worker_uuid(worker_name text) returns uuid
language sql immutable security definer set search_path = '' as $$
  select format('00000000-0000-8004-8%s-%s', substr(h.hash, 1, 3), substr(h.hash, 4, 12))::uuid
  from (select md5(coalesce(worker_name, '')) as hash) h
$$;
revoke all on function public.worker_uuid(text) from public, anon, authenticated;
grant execute on function public.worker_uuid(text) to service_role;

-- Ends the attempt of a job under the lease that a worker like `holder` has, and answers as resolve_jobs does; "lost"
-- when no such worker has it. A call that is repeated because its answer was lost is answered again, while nothing else
-- happened to the job.
-- Called by resolve_job, complete_job, fail_job and the job_queue_mark_ functions. Locks are those of resolve_jobs, which
-- also decides whether the token that was read here is still the lease.
create function public.resolve_held_job(job_id bigint, holder text, result jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs;
  last_run public.job_runs;
  worker_id uuid;
  lease_token uuid;
begin
  select * into job from public.jobs j where j.id = resolve_held_job.job_id;
  if job.status = 'processing' then
    worker_id := job.worker_id;
    lease_token := job.lease_token;
  else
    select * into last_run from public.job_runs r where r.job_id = resolve_held_job.job_id order by r.id desc limit 1;
    if (last_run.outcome = 'done') = (result ->> 'outcome' = 'done') then
      worker_id := last_run.worker_id;
      lease_token := last_run.lease_token;
    end if;
  end if;
  if worker_id::text like holder then
    return public.resolve_jobs(worker_id, jsonb_build_array(
      result || jsonb_build_object('job_id', job_id, 'lease_token', lease_token))) -> 0;
  end if;
  return jsonb_build_object('job_id', job_id, 'verdict', 'lost', 'status', job.status, 'attempts', job.attempts);
end $$;
revoke all on function public.resolve_held_job(bigint, text, jsonb) from public, anon, authenticated;
grant execute on function public.resolve_held_job(bigint, text, jsonb) to service_role;

-- Hands out the next due job, of one type when it is named: one row, or none.
-- Called by workers that name themselves with a uuid. Locks what claim_jobs locks.
create function public.claim_next_job(worker_id uuid, job_type text default null) returns setof public.jobs_queue
language plpgsql security definer set search_path = '' as $$
declare
  claimed jsonb := public.claim_jobs(
    worker_id => claim_next_job.worker_id, batch_size => 1,
    types => case when job_type is not null then array[job_type] end, lease_seconds => 600);
begin
  return query select q.* from public.jobs_queue q where q.id = (claimed -> 0 ->> 'job_id')::bigint;
end $$;
comment on function public.claim_next_job(uuid, text) is 'Hands out the next due job under a lease of ten minutes.';
revoke all on function public.claim_next_job(uuid, text) from public, anon, authenticated;
grant execute on function public.claim_next_job(uuid, text) to service_role;

-- Ends the attempt of a job that this worker claimed, and answers {"job_id", "verdict", "status", "attempts", …}; the
-- verdict is "lost", and nothing changes, when the job is no longer this worker's. What failed comes back after the
-- backoff of its type, five minutes by default, until its attempts are used up.
-- Called by the workers of claim_next_job. Locks what resolve_jobs locks.
create function public.resolve_job(job_id bigint, worker_id uuid, success boolean, error text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  backoff_seconds numeric;
begin
  if success is null then
    raise exception 'success is missing: say true or false' using errcode = '22023';
  elsif success then
    return public.resolve_held_job(job_id, worker_id::text, jsonb_build_object('outcome', 'done'));
  end if;
  select p.backoff_seconds into backoff_seconds
  from public.job_policies p left join public.jobs j on j.id = resolve_job.job_id
  where p.type in ('*', j.type) order by p.type = '*' limit 1;
  return public.resolve_held_job(job_id, worker_id::text,
    jsonb_build_object('outcome', 'retry', 'error', error, 'retry_in', backoff_seconds));
end $$;
comment on function public.resolve_job(bigint, uuid, boolean, text) is 'Ends the attempt of a job of claim_next_job.';
revoke all on function public.resolve_job(bigint, uuid, boolean, text) from public, anon, authenticated;
grant execute on function public.resolve_job(bigint, uuid, boolean, text) to service_role;

-- Claims the job with that number, or without one the next due job: the job as an object, or null when another worker was
-- faster or nothing is due.
-- Called by workers that choose from pending_jobs_queue. Locks one job; it never waits for somebody else's claim.
create function public.claim_job(job_id bigint default null, worker_id text default null) returns jsonb
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  holder uuid := public.worker_uuid(worker_id);
  job public.jobs;
  claimed_id bigint;
begin
  if job_id is null then
    claimed_id := (public.claim_jobs(worker_id => holder, batch_size => 1, lease_seconds => 600)
      -> 0 ->> 'job_id')::bigint;
  else
    -- In the order of start_job: first the limits, then the job, which cannot end before it is found by its key.
    perform public.hold_limits();
    select * into job from public.jobs j
    where j.id = claim_job.job_id and j.status = 'queued' and j.run_at <= now() for update skip locked;
    if job.id is not null then
      claimed_id := (public.start_job(
        worker_id => holder,
        job => jsonb_build_object('org_id', job.org_id, 'type', job.type, 'idempotency_key', job.idempotency_key),
        lease_seconds => 600) -> 'job' ->> 'job_id')::bigint;
    end if;
  end if;
  return (select to_jsonb(q) from public.jobs_queue q where q.id = claimed_id);
end $$;
comment on function public.claim_job(bigint, text) is 'Claims one job under a lease of ten minutes.';
revoke all on function public.claim_job(bigint, text) from public, anon, authenticated;
grant execute on function public.claim_job(bigint, text) to service_role;

-- What the uuid of a job's holder has to be like: that worker's or, without a name, that of any worker of claim_job.
-- Called by complete_job and fail_job. Takes no locks.
create function public.holder_pattern(worker_id text) returns text
language sql stable security definer set search_path = '' as $$
  select coalesce(case when worker_id is not null then public.worker_uuid(worker_id)::text end, '00000000-0000-8004-%')
$$;
revoke all on function public.holder_pattern(text) from public, anon, authenticated;
grant execute on function public.holder_pattern(text) to service_role;

-- Marks a job as done: true, or false when it is no longer held by that worker or, without a name, by any of claim_job's.
-- Called by the workers of claim_job. Locks what resolve_jobs locks.
create function public.complete_job(job_id bigint, job_result jsonb default null, worker_id text default null)
returns boolean
language sql security definer set search_path = '' as $$
  select public.resolve_held_job(job_id,
    public.holder_pattern(worker_id),
    jsonb_build_object('outcome', 'done', 'output', job_result)) ->> 'verdict' = 'ok'
$$;
comment on function public.complete_job(bigint, jsonb, text) is 'Marks a job of claim_job as done.';
revoke all on function public.complete_job(bigint, jsonb, text) from public, anon, authenticated;
grant execute on function public.complete_job(bigint, jsonb, text) to service_role;

-- Lets a job fail: it comes back with growing delays until its attempts are used up. True, or false as in complete_job.
-- Called by the workers of claim_job. Locks what resolve_jobs locks.
create function public.fail_job(job_id bigint, error_message text default null, worker_id text default null)
returns boolean
language sql security definer set search_path = '' as $$
  select public.resolve_held_job(job_id,
    public.holder_pattern(worker_id),
    jsonb_build_object('outcome', 'retry', 'error', error_message)) ->> 'verdict' = 'ok'
$$;
comment on function public.fail_job(bigint, text, text) is 'Ends the attempt of a job of claim_job as failed.';
revoke all on function public.fail_job(bigint, text, text) from public, anon, authenticated;
grant execute on function public.fail_job(bigint, text, text) to service_role;

-- Inserts a job, a new one with every call, and answers its row. The payload names the organisation: org_id or orgId.
-- Called by the applications of job_queue_claim's workers. Takes no locks.
create function public.job_queue_enqueue(
  task_type text, payload jsonb default '{}', run_at timestamptz default null, max_attempts int default null
) returns public.job_queue
language plpgsql security definer set search_path = '' as $$
declare
  org_id text := coalesce(nullif(btrim(payload ->> 'org_id'), ''), nullif(btrim(payload ->> 'orgId'), ''));
  enqueued jsonb;
  job public.job_queue;
begin
  if org_id is null then
    raise exception 'payload: org_id (or orgId) is missing: every job belongs to an organisation' using errcode = '22023';
  end if;
  enqueued := public.enqueue_job(
    org_id => org_id, type => task_type, payload => payload, run_at => job_queue_enqueue.run_at,
    max_attempts => job_queue_enqueue.max_attempts, idempotency_key => gen_random_uuid()::text);
  select * into job from public.job_queue q where q.id = (enqueued ->> 'job_id')::bigint;
  return job;
end $$;
comment on function public.job_queue_enqueue(text, jsonb, timestamptz, int) is
  'Inserts a job for the organisation that its payload names.';
revoke all on function public.job_queue_enqueue(text, jsonb, timestamptz, int) from public, anon, authenticated;
grant execute on function public.job_queue_enqueue(text, jsonb, timestamptz, int) to service_role;

-- Hands out up to "limit" due jobs of any type, as rows. At most a hundred: they run one after the other under one lease.
-- Called by workers without a name. Locks what claim_jobs locks.
create function public.job_queue_claim("limit" int default 5) returns setof public.job_queue
language plpgsql security definer set search_path = '' as $$
declare
  claimed jsonb := public.claim_jobs(
    worker_id => '00000000-0000-8002-8000-000000000000', batch_size => least(coalesce("limit", 5), 100), lease_seconds => 600);
begin
  return query
    select q.* from jsonb_array_elements(claimed) with ordinality e
    join public.job_queue q on q.id = (e.value ->> 'job_id')::bigint order by e.ordinality;
end $$;
comment on function public.job_queue_claim(int) is 'Hands out due jobs of any type under a lease of ten minutes.';
revoke all on function public.job_queue_claim(int) from public, anon, authenticated;
grant execute on function public.job_queue_claim(int) to service_role;

-- Ends the attempt of a job of job_queue_claim and answers its row. Raises PT409, and changes nothing, when no worker of
-- job_queue_claim holds the job any more; 22023 when there is none.
-- Called by job_queue_mark_succeeded and job_queue_mark_failed. Locks what resolve_jobs locks.
create function public.job_queue_resolve(id bigint, result jsonb) returns public.job_queue
language plpgsql security definer set search_path = '' as $$
declare
  answer jsonb := public.resolve_held_job(job_queue_resolve.id, '00000000-0000-8002-8000-000000000000', result);
  job public.job_queue;
begin
  select * into job from public.job_queue q where q.id = job_queue_resolve.id;
  if job.id is null then
    raise exception 'there is no job %', job_queue_resolve.id using errcode = '22023';
  elsif answer ->> 'verdict' = 'lost' then
    raise exception 'job % is %, and no worker of job_queue_claim holds it', job_queue_resolve.id, job.status
      using errcode = 'PT409', hint = 'It was cancelled or ended before, or its lease ran out and another worker took it.';
  end if;
  return job;
end $$;
revoke all on function public.job_queue_resolve(bigint, jsonb) from public, anon, authenticated;
grant execute on function public.job_queue_resolve(bigint, jsonb) to service_role;

-- Marks a job as succeeded, stores its output and answers its row; PT409 when it is not held any more.
-- Called by the workers of job_queue_claim. Locks what resolve_jobs locks.
create function public.job_queue_mark_succeeded(id bigint, output jsonb default null) returns public.job_queue
language sql security definer set search_path = '' as $$
  select public.job_queue_resolve(id, jsonb_build_object('outcome', 'done', 'output', output))
$$;
comment on function public.job_queue_mark_succeeded(bigint, jsonb) is 'Marks a job of job_queue_claim as succeeded.';
revoke all on function public.job_queue_mark_succeeded(bigint, jsonb) from public, anon, authenticated;
grant execute on function public.job_queue_mark_succeeded(bigint, jsonb) to service_role;

-- Lets a job fail and answers its row: pending again after retry_in (seconds, or an interval such as '5 minutes'; without
-- it after the backoff of its type), failed when its attempts are used up. PT409 when it is not held any more.
-- Called by the workers of job_queue_claim. Locks what resolve_jobs locks.
create function public.job_queue_mark_failed(id bigint, error text default null, retry_in interval default null)
returns public.job_queue
language sql security definer set search_path = '' as $$
  select public.job_queue_resolve(id, jsonb_build_object(
    'outcome', 'retry', 'error', error, 'retry_in', extract(epoch from retry_in)))
$$;
comment on function public.job_queue_mark_failed(bigint, text, interval) is
  'Ends the attempt of a job of job_queue_claim as failed.';
revoke all on function public.job_queue_mark_failed(bigint, text, interval) from public, anon, authenticated;
grant execute on function public.job_queue_mark_failed(bigint, text, interval) to service_role;

-- The flows of a system that makes a video, an image, a sound or a text out of a brief. Three attempts are its default.
insert into public.pipelines (name, steps, description)
select
  p.name,
  (select jsonb_agg(jsonb_build_object('ref', s.type, 'type', s.type, 'max_attempts', 3, 'after',
      case when s.place > 1 then jsonb_build_array(p.types[s.place - 1]) else '[]' end) order by s.place)
    from unnest(p.types) with ordinality s (type, place)),
  p.description
from (values
  ('simple', array['analysis'], 'Only looks at the brief'),
  ('video', array['analysis', 'asset_prep', 'video_generation', 'render'], 'From a brief to a video'),
  ('image', array['analysis', 'asset_prep', 'image_processing', 'render'], 'From a brief to an image'),
  ('audio', array['analysis', 'asset_prep', 'render'], 'From a brief to a sound'),
  ('text', array['analysis', 'text_analysis', 'render'], 'From a brief to a text')
) p (name, types, description);
