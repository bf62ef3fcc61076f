-- operate: what people who run the queue look at and switch.

-- Stops all claims until resume_processing(); running jobs finish. Called by operators.
create function public.pause_processing(reason text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  update public.job_queue_settings s set
    processing_enabled = false, paused_reason = reason, paused_at = coalesce(s.paused_at, now())
  where s.only_row;
  return jsonb_build_object('processing_enabled', false, 'paused_reason', reason);
end $$;
comment on function public.pause_processing(text) is 'Stops all claims until resume_processing(); running jobs finish.';
revoke all on function public.pause_processing(text) from public, anon, authenticated;
grant execute on function public.pause_processing(text) to service_role;

-- Lets claims happen again. Called by operators.
create function public.resume_processing() returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  update public.job_queue_settings s set processing_enabled = true, paused_reason = null, paused_at = null
  where s.only_row;
  return jsonb_build_object('processing_enabled', true, 'paused_reason', null);
end $$;
comment on function public.resume_processing() is 'Lets claims happen again.';
revoke all on function public.resume_processing() from public, anon, authenticated;
grant execute on function public.resume_processing() to service_role;

-- Cancels a job and whatever waits for it. A running handler learns it at its next heartbeat; its result is refused.
-- Called by operators. Answers {"job_id", "cancelled": bool, "status"}; a job that has ended stays as it is.
create function public.cancel_job(job_id bigint) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  before text;
begin
  perform public.lock_jobs(job_id || public.waiting_descendants(array[job_id]));
  select j.status into before from public.jobs j where j.id = cancel_job.job_id;
  if before is null then
    raise exception 'there is no job %', job_id using errcode = '22023';
  end if;
  perform public.cancel_unfinished(array[job_id], 'cancelled', 'cancelled by an operator');
  perform public.settle_children(array[job_id]);
  return (
    select jsonb_build_object('job_id', j.id, 'cancelled', j.status is distinct from before, 'status', j.status)
    from public.jobs j where j.id = cancel_job.job_id);
end $$;
comment on function public.cancel_job(bigint) is 'Cancels a job and whatever waits for it.';
revoke all on function public.cancel_job(bigint) from public, anon, authenticated;
grant execute on function public.cancel_job(bigint) to service_role;

-- Brings a dead letter or a cancelled job back with all its attempts, and the jobs that were cancelled because of it.
-- Called by operators. Raises PT409 when the same work was enqueued again meanwhile, or its file is outdated.
create function public.retry_job(job_id bigint) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job public.jobs;
  revived bigint[];
  culprit bigint;
  ended_as text;
  patience text := current_setting('lock_timeout');
begin
  -- Parents first (their ids are lower): none of them may end unnoticed while this one goes back to waiting.
  perform 1 from public.jobs j
  where j.id = any (retry_job.job_id || array(
    select e.parent_id from public.job_parents e where e.job_id = retry_job.job_id))
  order by j.id for update;
  select * into job from public.jobs j where j.id = retry_job.job_id;
  select p.id, p.status into culprit, ended_as from public.job_parents e join public.jobs p on p.id = e.parent_id
  where e.job_id = retry_job.job_id and p.status in ('failed', 'cancelled') order by p.id limit 1;
  if job.id is null then
    raise exception 'there is no job %', job_id using errcode = '22023';
  elsif job.status not in ('failed', 'cancelled') then
    raise exception 'job % is %: only a failed or cancelled job can be retried', job_id, job.status using errcode = 'PT409';
  elsif culprit is not null then
    raise exception 'job % waits for job %, which is %: retry that one, and this one comes back with it',
      job_id, culprit, ended_as using errcode = 'PT409';
  elsif public.jobs_of_outdated_files(array[job_id]) <> '{}' then
    raise exception 'the file of job % was overwritten, moved or deleted: there is nothing left to work on', job_id
      using errcode = 'PT409';
  end if;

  -- Of several children with one key the newest; none whose key an unfinished job has by now.
  revived := array(
    with recursive flow as (
      select job.id
      union
      select j.id from flow f join public.job_parents e on e.parent_id = f.id
      join public.jobs j on j.id = e.job_id and j.status = 'cancelled' and j.cancelled_by is not null
    )
    select distinct on (j.org_id, j.type, j.idempotency_key) j.id
    from flow f join public.jobs j on j.id = f.id
    where j.id = job.id or not exists (
      select from public.jobs u
      where u.org_id = j.org_id and u.type = j.type and u.idempotency_key = j.idempotency_key
        and u.status in ('waiting', 'queued', 'processing'))
    order by j.org_id, j.type, j.idempotency_key, j.id = job.id desc, j.id desc);
  perform 1 from public.jobs j where j.id = any (revived) order by j.id for update;
  begin
    -- Keys are taken in no order here, unlike in enqueue_jobs: rather be refused than wait for each other.
    perform set_config('lock_timeout', '500ms', true);
    update public.jobs j set
      waiting_for = u.unfinished,
      status = case when u.unfinished > 0 then 'waiting' else 'queued' end,
      attempts = 0, crashes = 0, run_at = now(), turn = 'ready', last_error = null, public_error = null, cancelled_by = null,
      completed_at = null, updated_at = now()
    from (
      select r.id, (
        select count(*) from public.job_parents e join public.jobs p on p.id = e.parent_id
        where e.job_id = r.id and (p.status <> 'done')) as unfinished
      from unnest(revived) r (id)
    ) u
    where j.id = u.id;
    perform set_config('lock_timeout', patience, true);
  exception when unique_violation or lock_not_available then
    raise exception 'the work of job % was enqueued again meanwhile', job_id using errcode = 'PT409';
  end;
  -- What also waits for a job that did not come back is cancelled again.
  perform public.settle_children(array(
    select e.parent_id from public.job_parents e join public.jobs p on p.id = e.parent_id
    where e.job_id = any (revived) and p.status in ('failed', 'cancelled')));
  return jsonb_build_object('job_id', job_id, 'status', (select j.status from public.jobs j where j.id = retry_job.job_id),
    'revived', (
      select count(*) - 1 from public.jobs j where j.id = any (revived) and j.status in ('waiting', 'queued')));
end $$;
comment on function public.retry_job(bigint) is 'Brings a dead letter back with all its attempts, and its flow with it.';
revoke all on function public.retry_job(bigint) from public, anon, authenticated;
grant execute on function public.retry_job(bigint) to service_role;

-- Retries those of these dead letters that nothing keeps from it and nothing waits for, as retry_job does, but all in one
-- statement, and returns them: none when one of their keys is being taken right now. Of several with one key the oldest.
-- Called by retry_failed_jobs, which holds the locks of the jobs and their parents.
create function public.retry_lone_jobs(job_ids bigint[], outdated bigint[]) returns bigint[]
language plpgsql security definer
set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  patience text := current_setting('lock_timeout');
  retried bigint[];
begin
  perform set_config('lock_timeout', '500ms', true); -- as in retry_job: rather none than wait for each other
  with lone as (
    select distinct on (j.org_id, j.type, j.idempotency_key) j.id
    from public.jobs j
    where j.id = any (job_ids) and j.status = 'failed' and not j.id = any (outdated)
      and not exists (select from public.job_parents e where e.parent_id = j.id)
      and not exists (
        select from public.job_parents e join public.jobs p on p.id = e.parent_id
        where e.job_id = j.id and p.status <> 'done')
      and not exists (
        select from public.jobs u
        where u.org_id = j.org_id and u.type = j.type and u.idempotency_key = j.idempotency_key
          and u.status in ('waiting', 'queued', 'processing'))
    order by j.org_id, j.type, j.idempotency_key, j.completed_at, j.id
  ),
  moved as (
    update public.jobs j set
      status = 'queued', waiting_for = 0, attempts = 0, crashes = 0, run_at = now(), turn = 'ready',
      last_error = null, public_error = null, cancelled_by = null, completed_at = null, updated_at = now()
    where j.id = any (array(select l.id from lone l))
    returning j.id
  )
  select coalesce(array_agg(m.id), '{}') into retried from moved m;
  perform set_config('lock_timeout', patience, true);
  return retried;
exception when unique_violation or lock_not_available then
  return '{}';
end $$;
revoke all on function public.retry_lone_jobs(bigint[], bigint[]) from public, anon, authenticated, service_role;

-- Retries dead letters, at most 1,000 a call, the oldest first, each by the rules of retry_job:
-- {"retried", "skipped": [{"job_id", "reason"}] (the first 20), "left"}. One that cannot be retried keeps no other from it:
-- those whose work was enqueued again, or whose file is gone, come last. Of those that have to be looked at one by one, for
-- others wait for them or something stands in their way, 250 a call: a call ends long before Supabase would end it.
-- Called by operators once a cause is gone; again while "left" counts down.
-- Locks all that it may change by ascending id, then their files: what retry_job locks afterwards is its own already.
create function public.retry_failed_jobs(type text default null, org_id text default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  job_ids bigint[] := array(
    select j.id from public.jobs j
    where j.status = 'failed' and (retry_failed_jobs.type is null or j.type = retry_failed_jobs.type)
      and (retry_failed_jobs.org_id is null or j.org_id = retry_failed_jobs.org_id)
    order by
      exists (
        select from public.jobs n
        where n.org_id = j.org_id and n.type = j.type and n.idempotency_key = j.idempotency_key
          and n.status in ('waiting', 'queued', 'processing'))
      or exists (
        select from public.ingested_files f
        where f.id = j.file_id and (f.superseded_at is not null or f.deleted_at is not null)),
      j.completed_at, j.id
    limit 1000);
  lone bigint[];
  job_id bigint;
  retried int;
  skipped jsonb := '[]';
begin
  perform public.lock_jobs(job_ids || public.waiting_descendants(job_ids) || array(
    select e.parent_id from public.job_parents e where e.job_id = any (job_ids)));
  lone := public.retry_lone_jobs(job_ids, public.jobs_of_outdated_files(job_ids));
  retried := cardinality(lone);

  for job_id in select o.id from unnest(job_ids) with ordinality o (id, number)
    where not o.id = any (lone) order by o.number limit 250
  loop
    begin
      perform public.retry_job(job_id);
      retried := retried + 1;
    exception when sqlstate 'PT409' then
      skipped := skipped || jsonb_build_object('job_id', job_id, 'reason', sqlerrm);
    end;
  end loop;
  return jsonb_build_object(
    'retried', retried,
    'skipped', jsonb_path_query_array(skipped, '$[0 to 19]'),
    'left', (
      select count(*) from public.jobs j
      where j.status = 'failed' and (retry_failed_jobs.type is null or j.type = retry_failed_jobs.type)
        and (retry_failed_jobs.org_id is null or j.org_id = retry_failed_jobs.org_id)));
end $$;
comment on function public.retry_failed_jobs(text, text) is
  'Retries up to 1,000 dead letters, of one type or organisation if it is named.';
revoke all on function public.retry_failed_jobs(text, text) from public, anon, authenticated;
grant execute on function public.retry_failed_jobs(text, text) to service_role;
