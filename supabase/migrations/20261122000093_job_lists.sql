-- job lists: what people see of jobs, a page at a time or one with all that is known of it.

-- Jobs as people see them, in the order of their ids in the array; first_position numbers those of a list that is a queue
-- and says what each of them waits for. Called by list_jobs and describe_job. Takes no locks.
create function public.rows_of_jobs(job_ids bigint[], first_position bigint default null) returns jsonb
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return (
    select coalesce(json_agg(told.row order by told.number)::jsonb, '[]')
    from (
      select a.number, to_jsonb(r) || case when first_position is null then '{}' else jsonb_build_object(
        'position', first_position + a.number - 1, 'waits_for', public.hindrance_of(j)) end as row
      from unnest(job_ids) with ordinality a (id, number)
      join public.jobs j on j.id = a.id
      left join public.ingested_files f on f.id = j.file_id
      cross join lateral (select
        j.id, j.org_id, j.type, j.status, j.priority, j.run_at, j.attempts, j.max_attempts, j.crashes, j.progress,
        j.file_id, f.path, left(j.last_error, 500) as last_error,
        j.created_at, j.started_at, j.completed_at, j.updated_at, j.lease_expires_at,
        round(extract(epoch from j.lease_expires_at - now()), 1) as lease_left_seconds,
        case when j.status = 'processing' then round(extract(epoch from now() - j.started_at), 1) end as running_seconds
      ) r
    ) told);
end $$;
revoke all on function public.rows_of_jobs(bigint[], bigint) from public, anon, authenticated, service_role;

-- What keeps a job from being claimed, as a sentence; null: nothing but those before it. Called by rows_of_jobs.
create function public.hindrance_of(job public.jobs) returns text
language sql stable security definer set search_path = '' as $$
  select case
    when job.status not in ('waiting', 'queued') then null
    when not s.processing_enabled then format('processing is paused (%s)', coalesce(s.paused_reason, 'no reason given'))
    when job.status = 'waiting' then format('%s unfinished job(s)', job.waiting_for)
    when job.run_at > now()
      then format('its time: %s', to_char(job.run_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
    when public.limits_are_on() then public.limit_reached(job.type, job.org_id) end
  from public.job_queue_settings s where s.only_row
$$;
revoke all on function public.hindrance_of(public.jobs) from public, anon, authenticated, service_role;

-- One page of jobs: {"jobs": [row], "next": cursor or null}. `action` names the list:
--   all, by_org  the newest first; by_org wants filter.org_id
--   by_file      those of filter.file_id, the newest first
--   pending      what is to be done, in its order, with "position" and "waits_for"
--   active       what runs
--   failed       dead letters, the latest first
-- The filter narrows it down by type, org_id, status and file_id. Raises 22023 naming what is wrong.
-- Called by the jobs API and the dashboard. Takes no locks; looks at some thousand jobs at most.
create function public.list_jobs(action text, filter jsonb default '{}', page_size int default 50, cursor text default null)
returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  asked jsonb := public.check_filter(filter, array['type', 'org_id', 'status', 'file_id'],
    array['waiting', 'queued', 'processing', 'done', 'failed', 'cancelled']);
  size int := least(greatest(coalesce(page_size, 50), 1), 500);
  parts text[];
  page public.page_of_jobs;
  pending record;
  stage int;
  next text;
begin
  if not coalesce(action, '') = any (array['all', 'pending', 'active', 'failed', 'by_file', 'by_org']) then
    raise exception 'action: expected all, pending, active, failed, by_file or by_org' using errcode = '22023';
  elsif action = 'by_file' and not asked ? 'file_id' or action = 'by_org' and not asked ? 'org_id' then
    raise exception '%: % wants it', case action when 'by_file' then 'file_id' else 'org_id' end, action
      using errcode = '22023';
  elsif action in ('all', 'by_file', 'by_org') or asked ? 'file_id' then
    parts := public.read_cursor(cursor, action || '_([1-9][0-9]{0,17})');
    page := public.newest_jobs(asked, case action
      when 'pending' then array['waiting', 'queued'] when 'active' then array['processing'] when 'failed' then array['failed']
      else array['waiting', 'queued', 'processing', 'done', 'failed', 'cancelled'] end,
      size, coalesce(parts[1]::bigint, 9223372036854775807));
    next := action || '_' || page.last;
  elsif action = 'active' then
    parts := public.read_cursor(cursor, 'active_([1-9][0-9]{0,17})');
    page := public.active_jobs_after(asked, size, coalesce(parts[1]::bigint, 0));
    next := 'active_' || page.last;
  elsif action = 'failed' then
    parts := public.read_cursor(cursor, 'failed_([0-9]{1,18})_([1-9][0-9]{0,17})');
    page := public.dead_letters_before(asked, size,
      coalesce(public.time_of_cursor(parts[1]), 'infinity'),
      coalesce(parts[2]::bigint, 9223372036854775807));
    select 'failed_' || public.microseconds(j.completed_at) || '_' || j.id into next from public.jobs j where j.id = page.last;
  else
    if coalesce(asked ->> 'status', 'queued') not in ('waiting', 'queued') then
      raise exception 'status: a pending job is waiting or queued' using errcode = '22023';
    end if;
    parts := public.read_cursor(cursor,
      'pending_([0-9]{1,9})_([012])_([0-9]{1,18}|(?<=_0_)-?[0-9]{1,16}(?:[.][0-9]{1,17})?(?:e[-+]?[0-9]{1,2})?)_([1-9][0-9]{0,17})');
    select p.* into pending from public.pending_jobs_after(asked, size, parts) p;
    page := pending.page;
    stage := pending.stage;
    select concat_ws('_', 'pending', coalesce(parts[1]::int, 0) + cardinality(page.job_ids), stage,
      case stage when 0 then j.place::text when 1 then public.microseconds(j.run_at)::text else '0' end, j.id)
    into next from public.jobs j where j.id = page.last;
  end if;
  return jsonb_build_object(
    'jobs', public.rows_of_jobs(page.job_ids,
      case when stage is not null then 1 + coalesce(parts[1]::bigint, 0) end),
    'next', next);
end $$;
comment on function public.list_jobs(text, jsonb, int, text) is
  'One page of jobs, as fast at any depth of any backlog: all, pending, active, failed, by_file or by_org.';
revoke all on function public.list_jobs(text, jsonb, int, text) from public, anon, authenticated;
grant execute on function public.list_jobs(text, jsonb, int, text) to service_role;

-- A value as it is, or how large it is: a page of a browser shows no megabytes. Called by describe_job.
create function public.value_to_show(value jsonb) returns jsonb
language sql immutable security definer set search_path = '' as $$
  select case when octet_length(value::text) > 65536
    then jsonb_build_object('too_large', octet_length(value::text)) else value end
$$;
revoke all on function public.value_to_show(jsonb) from public, anon, authenticated, service_role;

-- A job with its payload, output, flow, file and last 50 attempts, the latest first; null when there is none of this id.
-- Never its lease token: who has that may resolve the job. Called by the jobs API and the dashboard. Takes no locks.
create function public.describe_job(job_id bigint) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  return (
    select public.rows_of_jobs(array[j.id]) -> 0 || to_jsonb(more)
    from public.jobs j
    cross join lateral (select
      public.value_to_show(j.payload) as payload,
      public.value_to_show(j.output) as output,
      j.public_error, j.idempotency_key, j.worker_id, j.waiting_for, public.hindrance_of(j) as waits_for,
      (
        select coalesce(jsonb_agg(to_jsonb(p) order by p.id), '[]') from (
          select o.id, o.type, o.status, e.ref
          from public.job_parents e join public.jobs o on o.id = e.parent_id
          where e.job_id = j.id order by o.id limit 100) p) as parents,
      (
        select coalesce(jsonb_agg(to_jsonb(c) order by c.id), '[]') from (
          select o.id, o.type, o.status, e.ref
          from public.job_parents e join public.jobs o on o.id = e.job_id
          where e.parent_id = j.id order by o.id limit 100) c) as children,
      (
        select coalesce(jsonb_agg(to_jsonb(r) - 'id' order by r.id desc), '[]') from (
          select t.id, t.attempt, t.outcome, left(t.error, 2000) as error, t.duration_ms, t.cost, t.started_at,
            t.finished_at, t.worker_id
          from public.job_runs t where t.job_id = j.id order by t.id desc limit 50) r) as runs,
      (
        select to_jsonb(f) from (
          select i.id, i.bucket_id, i.path, i.mime_type, i.size, i.deleted_at
          from public.ingested_files i where i.id = j.file_id) f) as file
    ) more
    where j.id = describe_job.job_id);
end $$;
comment on function public.describe_job(bigint) is
  'A job with all that is known of it but its lease token; null without one.';
revoke all on function public.describe_job(bigint) from public, anon, authenticated;
grant execute on function public.describe_job(bigint) to service_role;
