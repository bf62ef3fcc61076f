-- alerts: somebody is told when the queue needs a person, and told once.
--
-- pg_cron runs check_alerts; a webhook in Vault, job_queue_alert_webhook, takes what it finds. No webhook, no alerts.

create table public.alerts (
  condition text primary key,
  since timestamptz,
  last_sent_at timestamptz,
  last_text text
);
comment on table public.alerts is 'Which problems last, and when somebody was told about each.';
comment on column public.alerts.since is 'Null once it is over; the row goes when an hour has passed since it was told.';

-- The schedules of the tick that stopped or fail, a sentence each. Called by find_problems.
create function public.find_schedule_problems() returns setof text
language plpgsql stable security definer set search_path = '' as $$
declare
  tick record;
  late_at timestamptz;
begin
  if to_regclass('cron.job_run_details') is null then
    return;
  end if;
  for tick in
    select public.schedule_name(j.jobname, j.jobid) as name, j.schedule, last.started_at, last.states
    from cron.job j
    cross join lateral (
      select max(coalesce(r.start_time, r.end_time)) as started_at, array_agg(r.status) as states
      from (
        -- Of a run that could not even be started pg_cron knows the end alone, if that.
        select d.runid, d.start_time, d.end_time, d.status from cron.job_run_details d
        where d.jobid = j.jobid order by d.runid desc limit 3) r) last
    where j.active and (j.command like '%invoke_cron_tick(%' or j.jobname like 'crontick-%') and last.states is not null
    order by j.jobname
  loop
    begin
      late_at := greatest(tick.started_at + interval '10 minutes', public.next_cron_time(tick.schedule,
        public.next_cron_time(tick.schedule, public.next_cron_time(tick.schedule, tick.started_at))));
    exception when invalid_parameter_value then
      late_at := null; -- pg_cron knows a few forms more: no verdict on those
    end;
    if late_at < now() then
      return next format('schedule %s (%s) has not run since %s: see select * from cron.job_run_details',
        tick.name, tick.schedule, to_char(tick.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'));
    elsif tick.states = array['failed', 'failed', 'failed'] then
      return next format('schedule %s: its last 3 runs failed: see select * from cron.job_run_details', tick.name);
    end if;
  end loop;
end $$;
revoke all on function public.find_schedule_problems() from public, anon, authenticated;
grant execute on function public.find_schedule_problems() to service_role;

-- Due jobs that nobody took for a quarter of an hour although no limit keeps them and none of their type ran, as a
-- sentence; null when there are none.
-- With limits on, it asks about the 200 pairs of type and organisation that have waited longest. Called by find_problems.
create function public.find_stuck_jobs() returns text
language sql stable security definer set search_path = '' as $$
  select format('%s job(s) have been due for more than 15 minutes, the oldest (%s) for %s minutes: '
      'is the worker called, and is there one for these types?',
    sum(lane.jobs), (array_agg(lane.type order by lane.oldest))[1],
    floor(extract(epoch from now() - min(lane.oldest)) / 60))
  from (
    select j.type, j.org_id, count(*) as jobs, min(j.run_at) as oldest
    from public.jobs j
    where j.status = 'queued' and j.run_at < now() - interval '15 minutes'
    group by j.type, j.org_id order by min(j.run_at) limit case when public.limits_are_on() then 200 end
  ) lane
  where (not public.limits_are_on() or public.limit_reached(lane.type, lane.org_id) is null)
    -- A long backlog that is being worked off is none of this: one of the type runs, or ended lately.
    and not exists (
      select from public.jobs r where r.status = 'processing' and r.type = lane.type and r.lease_expires_at >= now())
    and not exists (
      select from (select l.type, l.finished_at from public.job_runs l order by l.job_id desc limit 5000) latest
      where latest.type = lane.type and latest.finished_at > now() - interval '15 minutes')
  having count(*) > 0
$$;
revoke all on function public.find_stuck_jobs() from public, anon, authenticated;
grant execute on function public.find_stuck_jobs() to service_role;

-- What needs a person now, one row a condition. The texts leave the house: no payload, path or error of a job is in them.
-- Called by check_alerts and operators. Takes no locks.
create function public.find_problems() returns table (condition text, text text)
language sql stable security definer set search_path = '' set enable_seqscan = off as $$
  select p.condition, p.text
  from public.job_queue_settings s
  cross join lateral (
    select 'stuck' as condition, case when s.processing_enabled then public.find_stuck_jobs() end as text
    union all
    select 'expired_leases', (
      select format('%s lease(s) ran out more than 15 minutes ago and nobody claims: is the worker called?', count(*))
      from public.jobs j
      where s.processing_enabled and j.status = 'processing' and j.lease_expires_at < now() - interval '15 minutes'
      having count(*) > 0)
    union all
    select 'failed', (
      select format('%s job(s) failed in the last 24 hours: %s. See select * from public.jobs where status = ''failed''; '
        'and when the cause is gone: select public.retry_failed_jobs();',
        sum(f.jobs), string_agg(format('%s %s', f.jobs, f.type), ', ' order by f.jobs desc, f.type))
      from (
        select j.type, count(*) as jobs from public.jobs j
        where j.status = 'failed' and j.completed_at < now() - interval '10 minutes'
          and j.completed_at > now() - interval '24 hours'
        group by j.type) f
      having sum(f.jobs) > 0)
    union all
    select 'schedule', (select string_agg(t.problem, '; ') from public.find_schedule_problems() t (problem))
    union all
    select 'cron_tasks', (
      select format('%s recurring job(s) are overdue or could not be enqueued: see select * from public.cron_tasks', count(*))
      from public.cron_tasks t
      where t.active and (t.next_run_at < now() - interval '10 minutes' or t.last_error is not null)
      having count(*) > 0)
    union all
    select 'ingest_failures', (
      select format('%s upload(s) of the last hour were not enqueued: see select * from public.ingest_failures', count(*))
      from public.ingest_failures i where i.created_at > now() - interval '1 hour'
      having count(*) > 0)
  ) p
  where s.only_row and p.text is not null
$$;
comment on function public.find_problems() is 'What needs a person now, one row a condition.';
revoke all on function public.find_problems() from public, anon, authenticated;
grant execute on function public.find_problems() to service_role;

-- Posts JSON to the webhook and raises unless it answers 2xx. The webhook's URL is a secret: no error names it.
-- Called by check_alerts.
create function public.post_alert(webhook text, body jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  answered int;
  problem text;
begin
  begin
    perform extensions.http_set_curlopt('CURLOPT_TIMEOUT_MS', '5000');
    perform extensions.http_set_curlopt('CURLOPT_CONNECTTIMEOUT_MS', '3000');
    perform extensions.http_set_curlopt('CURLOPT_USERAGENT', 'crontick');
    select h.status into answered
    from extensions.http((
      'POST', webhook, array[]::extensions.http_header[], 'application/json', body::text)::extensions.http_request) h;
  exception when others then
    problem := replace(replace(sqlerrm, webhook, '…'), substring(webhook from '^[a-z]+://([^/:?#]+)'), '…');
  end;
  if problem is not null then
    raise exception 'the alert webhook did not answer: %', problem
      using errcode = '08000', hint = 'It stands in Vault as job_queue_alert_webhook.';
  elsif answered not between 200 and 299 then
    raise exception 'the alert webhook answered %', answered
      using errcode = '08000', hint = 'It stands in Vault as job_queue_alert_webhook.';
  end if;
end $$;
revoke all on function public.post_alert(text, jsonb) from public, anon, authenticated, service_role;

-- Tells the webhook about each problem, at most once an hour, in one POST {"text", "problems": [{"condition", "text",
-- "since"}]}, which Slack and its like can show. Returns a sentence. A post that fails raises, so that cron.job_run_details
-- tells; nothing is remembered then, and the next run tries again.
-- Called by the schedule crontick-alerts. One call at a time, by an advisory lock: a second one does nothing.
create function public.check_alerts() returns text
language plpgsql security definer set search_path = '' as $$
declare
  webhook text;
  news jsonb;
begin
  if to_regclass('vault.decrypted_secrets') is not null then
    select s.decrypted_secret into webhook from vault.decrypted_secrets s where s.name = 'job_queue_alert_webhook';
  end if;
  if coalesce(webhook, '') = '' then
    return 'not checked: Vault has no secret named job_queue_alert_webhook';
  end if;
  if not pg_try_advisory_xact_lock(hashtextextended('crontick: alerts', 0)) then
    return 'not checked: another call is at it';
  end if;

  insert into public.alerts as a (condition, since, last_text)
  select p.condition, now(), p.text from public.find_problems() p
  on conflict on constraint alerts_pkey do update set
    since = coalesce(a.since, excluded.since), last_text = excluded.last_text;
  update public.alerts a set since = null
  where a.condition not in (select p.condition from public.find_problems() p);
  delete from public.alerts a
  where a.since is null and coalesce(a.last_sent_at, '-infinity') < now() - interval '1 hour';

  with told as (
    update public.alerts a set last_sent_at = now()
    where a.since is not null and coalesce(a.last_sent_at, '-infinity') < now() - interval '1 hour'
    returning a.condition, a.last_text, a.since
  )
  select jsonb_build_object(
    'text', 'The job queue needs a look:' || string_agg(E'\n• ' || t.last_text, '' order by t.condition),
    'problems', jsonb_agg(
      jsonb_build_object('condition', t.condition, 'text', t.last_text, 'since', t.since) order by t.condition))
  into news from told t;
  if news ->> 'text' is null then
    return 'nothing to tell';
  end if;
  perform public.post_alert(webhook, news);
  return format('told: %s', (select string_agg(p ->> 'condition', ', ') from jsonb_array_elements(news -> 'problems') p));
end $$;
comment on function public.check_alerts() is 'Tells the alert webhook about each problem, at most once an hour.';
revoke all on function public.check_alerts() from public, anon, authenticated;
grant execute on function public.check_alerts() to service_role;
