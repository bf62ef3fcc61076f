-- overview: everything that a dashboard shows at a glance, in one call.

-- How many seconds one bar of the history covers, for so many hours. Raises 22023. Called by queue_overview.
create function public.bucket_seconds(hours int) returns int
language plpgsql immutable security definer set search_path = '' as $$
begin
  if not coalesce(hours in (1, 6, 24, 168), false) then
    raise exception 'hours: expected 1, 6, 24 or 168' using errcode = '22023';
  end if;
  return case hours when 1 then 60 when 6 then 300 when 24 then 900 else 3600 end;
end $$;
revoke all on function public.bucket_seconds(int) from public, anon, authenticated, service_role;

-- What became of the attempts of the last hours, a row for each stretch of time, the oldest first, empty ones included:
-- [{"at", "done", "failed", "retried", "crashed", "p50_ms", "p95_ms"}]. The last attempt of a job counts as failed. The
-- durations are those of attempts that ended well and really ran; durations within 5 % of each other count as the longest of
-- them, for a million are counted in half the time that it takes to sort them.
-- Called by queue_overview. Takes no locks; reads the attempts of that time only, by their BRIN index.
create function public.run_history(hours int) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan
set enable_sort = off set max_parallel_workers_per_gather = 0 as $$
declare
  step interval := make_interval(secs => public.bucket_seconds(hours));
  steps int := 3600 * hours / public.bucket_seconds(hours);
  first_at timestamptz := date_bin(step, now(), timestamptz 'epoch') - (steps - 1) * step;
begin
  return (
    with counted as materialized (
      select date_bin(step, r.finished_at, timestamptz 'epoch') as at,
        case when r.outcome in ('retry', 'error') and exists (
          select from public.jobs j where j.id = r.job_id and j.max_attempts <= r.attempt)
          then 'failed' else r.outcome end as outcome,
        case when r.outcome = 'done' and r.reused_from is null and r.duration_ms is not null
          then round(20 * ln(greatest(r.duration_ms, 1)::double precision)) end as level,
        count(*) as attempts, max(r.duration_ms) as ms
      from public.job_runs r where r.finished_at >= first_at
      group by 1, 2, 3
    ),
    ranked as (
      select c.at, c.ms, sum(c.attempts) over (partition by c.at order by c.level) as up_to_here,
        sum(c.attempts) over (partition by c.at) as attempts
      from counted c where c.level is not null
    ),
    duration as (
      select r.at, min(r.ms) filter (where r.up_to_here >= 0.5 * r.attempts) as p50_ms,
        min(r.ms) filter (where r.up_to_here >= 0.95 * r.attempts) as p95_ms
      from ranked r group by r.at
    ),
    outcome as (
      select c.at, sum(c.attempts) filter (where c.outcome = 'done') as done,
        sum(c.attempts) filter (where c.outcome = 'failed') as failed,
        sum(c.attempts) filter (where c.outcome in ('retry', 'error')) as retried,
        sum(c.attempts) filter (where c.outcome = 'crash') as crashed
      from counted c group by c.at
    )
    select jsonb_agg(jsonb_build_object(
        'at', b.at, 'done', coalesce(o.done, 0), 'failed', coalesce(o.failed, 0), 'retried', coalesce(o.retried, 0),
        'crashed', coalesce(o.crashed, 0), 'p50_ms', d.p50_ms, 'p95_ms', d.p95_ms) order by b.at)
    from generate_series(first_at, first_at + (steps - 1) * step, step) b (at)
    left join outcome o on o.at = b.at left join duration d on d.at = b.at);
end $$;
revoke all on function public.run_history(int) from public, anon, authenticated, service_role;

-- Where the work piles up: {"by_type": [...], "by_org": [...] (the 20 with most)}. Called by queue_overview.
-- Reads unfinished jobs and dead letters only, each once. Takes no locks.
create function public.backlog_by_kind() returns jsonb
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_custom_plan set enable_seqscan = off as $$
begin
  return (
    with lane as materialized (
      select j.type, j.org_id, j.status, count(*) as jobs,
        count(*) filter (where j.status = 'queued' and j.run_at <= now()) as due,
        min(j.run_at) filter (where j.status = 'queued' and j.run_at <= now()) as oldest_due
      from public.jobs j where j.status in ('waiting', 'queued', 'processing') group by j.type, j.org_id, j.status
      union all
      select j.type, j.org_id, 'failed', count(*), 0, null
      from public.jobs j where j.status = 'failed' group by j.type, j.org_id
    ),
    usual as (
      select l.type, round(avg(l.duration_ms) filter (where l.outcome = 'done' and l.reused_from is null)) as avg_ms
      from (
        select r.type, r.outcome, r.duration_ms, r.reused_from from public.job_runs r order by r.job_id desc limit 5000) l
      group by l.type
    ),
    of_type as (
      select coalesce(l.type, u.type) as type,
        coalesce(sum(l.jobs) filter (where l.status = 'waiting'), 0) as waiting,
        coalesce(sum(l.jobs) filter (where l.status = 'queued'), 0) as queued,
        coalesce(sum(l.due), 0) as due,
        coalesce(sum(l.jobs) filter (where l.status = 'processing'), 0) as processing,
        coalesce(sum(l.jobs) filter (where l.status = 'failed'), 0) as failed,
        floor(extract(epoch from now() - min(l.oldest_due)))::bigint as oldest_due_seconds,
        max(u.avg_ms) as avg_ms
      from lane l full join usual u on u.type = l.type
      group by coalesce(l.type, u.type)
    ),
    of_org as (
      select l.org_id,
        coalesce(sum(l.jobs) filter (where l.status = 'queued'), 0) as queued,
        sum(l.due) as due,
        coalesce(sum(l.jobs) filter (where l.status = 'processing'), 0) as processing,
        coalesce(sum(l.jobs) filter (where l.status = 'failed'), 0) as failed
      from lane l group by l.org_id order by sum(l.jobs) desc, l.org_id limit 20
    )
    select jsonb_build_object(
      'by_type', (select coalesce(jsonb_agg(to_jsonb(t) order by t.type), '[]') from of_type t),
      'by_org', (
        select coalesce(jsonb_agg(to_jsonb(o) order by o.queued + o.processing + o.failed desc, o.org_id), '[]')
        from of_org o)));
end $$;
revoke all on function public.backlog_by_kind() from public, anon, authenticated, service_role;

-- The state of the queue and of its last hours (1, 6, 24 or 168) in one object: {"health", "history": {"bucket_seconds",
-- "buckets"}, "by_type", "by_org", "active", "problems", "at"}.
-- Called by the jobs API and the dashboard, once for all who look. Takes no locks.
create function public.queue_overview(hours int default 6) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  seconds int := public.bucket_seconds(hours);
begin
  return public.backlog_by_kind() || jsonb_build_object(
    'health', public.queue_health(),
    'history', jsonb_build_object('bucket_seconds', seconds, 'buckets', public.run_history(hours)),
    'active', public.list_jobs('active') -> 'jobs',
    'problems', (
      select coalesce(jsonb_agg(jsonb_build_object('condition', p.condition, 'text', p.text) order by p.condition), '[]')
      from public.find_problems() p),
    'at', now());
end $$;
comment on function public.queue_overview(int) is 'The state of the queue and of its last hours, for a dashboard.';
revoke all on function public.queue_overview(int) from public, anon, authenticated;
grant execute on function public.queue_overview(int) to service_role;
