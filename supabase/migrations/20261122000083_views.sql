-- views: what people look at. file_status is for the people whose files they are, the others are for operators.

-- How many jobs of each type stand where, and how long an attempt that ended took.
create view public.job_stats with (security_invoker = on) as
select
  j.type, j.status,
  count(*) as count,
  round(avg(extract(epoch from j.completed_at - j.started_at))
    filter (where j.status in ('done', 'failed')), 3) as avg_seconds,
  min(j.created_at) as oldest_at,
  max(j.created_at) as newest_at
from public.jobs j
group by j.type, j.status;
comment on view public.job_stats is 'Jobs by type and status; avg_seconds: of the attempts that ended them.';

-- What runs now, and how long its worker may stay silent. A lease that ran out is taken back by the next claim.
create view public.active_jobs with (security_invoker = on) as
select
  j.id, j.type, j.org_id, j.file_id, j.worker_id, j.attempts, j.max_attempts, j.started_at,
  round(extract(epoch from now() - j.started_at), 1) as running_seconds,
  j.lease_expires_at,
  round(extract(epoch from j.lease_expires_at - now()), 1) as lease_left_seconds,
  j.progress
from public.jobs j
where j.status = 'processing';
comment on view public.active_jobs is 'The jobs that run now; negative lease_left_seconds: the worker is gone.';

-- What is to be done, in the order of its place: ready jobs, then those whose time has not come, then those that wait for
-- other jobs. waits_for says what keeps a job; null: nothing but those before it. Organisations take turns when jobs are
-- claimed, so a position is exact within an organisation and a promise between them.
create view public.pending_jobs_queue with (security_invoker = on) as
select
  q.position, q.id, q.type, q.org_id, q.file_id, q.status, q.priority, q.run_at, q.attempts, q.turn,
  case
    when not s.processing_enabled then format('processing is paused (%s)', coalesce(s.paused_reason, 'no reason given'))
    when q.status = 'waiting' then format('%s unfinished job(s)', q.waiting_for)
    when q.run_at > now() then format('its time: %s', to_char(q.run_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
    else l.reached
  end as waits_for
from (
  select j.*, row_number() over (order by
      case when j.status = 'waiting' then 2 when j.run_at > now() then 1 else 0 end, j.place, j.id) as position
  from public.jobs j
  where j.status in ('queued', 'waiting')
  order by position
) q
cross join public.job_queue_settings s
-- Asked once per type and organisation among the rows that are read, and only while limits are on.
left join lateral (
  select public.limit_reached(q.type, q.org_id) as reached where (select public.limits_are_on()) offset 0
) l on true
where s.only_row;
comment on view public.pending_jobs_queue is 'What is to be done, in its order, and what each job waits for.';

-- What became of an uploaded file. An error is what its owner may read: the handler's words for them, or that it failed.
-- queue_position: how many jobs of the organisation come first, of the types that this file's jobs have, plus one; counted
-- to 1,000 and no further. Read by signed-in users under row-level security, by `crontick status` and tell_about_file.
create view public.file_status with (security_invoker = on) as
select
  f.id as file_id, f.org_id, f.bucket_id, f.path, f.version, f.mime_type, f.size,
  case
    when count(j.id) = 0 then case when f.problem is null then 'done' else 'failed' end
    when bool_or(j.status = 'processing') then 'processing'
    when bool_or(j.status in ('queued', 'waiting')) then
      case when bool_or(j.status = 'done') then 'processing' else 'waiting' end
    when bool_or(j.status = 'failed') then 'failed'
    when bool_or(j.status = 'cancelled') then 'cancelled'
    else 'done'
  end as status,
  coalesce(jsonb_agg(jsonb_build_object(
      'job_id', j.id, 'type', j.type, 'status', j.status, 'attempts', j.attempts, 'progress', j.progress,
      'error', case
        when j.status = 'done' then null
        when j.public_error is not null then j.public_error
        when j.status = 'failed' then 'processing failed'
        when j.status = 'cancelled' then 'cancelled'
        when j.status = 'queued' and (j.attempts > 0 or j.crashes > 0) then 'a first try failed; it will be tried again'
      end,
      'queued_at', j.created_at, 'started_at', j.started_at, 'completed_at', j.completed_at,
      'seconds', round(extract(epoch from coalesce(j.completed_at, now()) - j.started_at)::numeric, 3))
    order by j.id) filter (where j.id is not null), '[]') as jobs,
  (
    select 1 + (
      select count(*) from (
        select 1
        from (select distinct k.type from public.jobs k where k.file_id = f.id) of_file
        -- In the order of jobs_ready, so that what lies behind is not read.
        cross join lateral (
          select 1 from public.jobs a
          where a.type = of_file.type and a.status = 'queued' and a.turn = 'ready'
            and a.org_key = first.org_key and (a.place, a.id) < (first.place, first.id)
          order by a.place, a.id limit 999) of_type
        limit 999) ahead)
    from (
      select q.org_key, q.place, q.id from public.jobs q
      where q.file_id = f.id and q.status = 'queued' order by q.place, q.id limit 1) first
  ) as queue_position,
  f.created_at,
  case when bool_and(j.completed_at is not null) then max(j.completed_at) end as finished_at
from public.ingested_files f
left join public.jobs j on j.file_id = f.id
where f.superseded_at is null and f.deleted_at is null
group by f.id;
comment on view public.file_status is
  'Each current file and how far its jobs are. Signed-in users see their organisations'' files.';
