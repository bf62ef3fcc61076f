-- maintenance: what pg_cron runs beside the ticks, so that nobody has to remember it.

-- The schedules, each with a minute of its own, and the function that has to be there for each.
-- Called by schedule_maintenance and unschedule_maintenance. Takes no locks.
create function public.maintenance_schedules(out name text, out schedule text, out command text, out needs text)
returns setof record
language sql immutable security definer set search_path = '' as $$
  values
    ('crontick-prune', '17 * * * *', 'select public.prune_jobs(50000)', 'public.prune_jobs(integer)'),
    ('crontick-alerts', '*/5 * * * *', 'select public.check_alerts()', 'public.check_alerts()'),
    ('crontick-cron-tasks', '* * * * *', 'select public.enqueue_cron_tasks()', 'public.enqueue_cron_tasks()'),
    ('crontick-prune-storage', '3-59/10 * * * *', 'select public.enqueue_prune_storage()',
      'public.enqueue_prune_storage(integer)'),
    ('crontick-reconcile', '6-59/10 * * * *', 'select public.reconcile_files(5000)',
      'public.reconcile_files(integer, boolean)')
$$;
revoke all on function public.maintenance_schedules() from public, anon, authenticated;
grant execute on function public.maintenance_schedules() to service_role;

-- Schedules, or brings up to date, what maintenance_schedules lists and whose function is there. Returns the names.
-- Called by setup-automated-processing.sql and operators. Safe to repeat: what somebody changed or paused stays so.
create function public.schedule_maintenance() returns text
language plpgsql security definer set search_path = '' as $$
declare
  wanted record;
  scheduled text[] := '{}';
begin
  perform public.check_cron_schedule();
  for wanted in
    select w.name, w.command, coalesce(j.schedule, w.schedule) as schedule
    from public.maintenance_schedules() w
    left join cron.job j on j.jobname = w.name and j.username = current_user
    where to_regprocedure(w.needs) is not null
    order by w.name
  loop
    perform cron.schedule(wanted.name, wanted.schedule, wanted.command);
    scheduled := scheduled || wanted.name;
  end loop;
  return format('scheduled %s', array_to_string(scheduled, ', '));
end $$;
comment on function public.schedule_maintenance() is 'Lets pg_cron prune, alert, reconcile and enqueue recurring jobs.';
revoke all on function public.schedule_maintenance() from public, anon, authenticated;
grant execute on function public.schedule_maintenance() to service_role;

-- Removes what schedule_maintenance made. Called by operators. Safe to repeat.
create function public.unschedule_maintenance() returns text
language plpgsql security definer set search_path = '' as $$
declare
  scheduled text;
  removed text[] := '{}';
begin
  perform public.check_cron_schedule();
  for scheduled in
    select j.jobname from cron.job j
    where j.jobname in (select s.name from public.maintenance_schedules() s) and j.username = current_user
    order by j.jobname
  loop
    perform cron.unschedule(scheduled);
    removed := removed || scheduled;
  end loop;
  return case when removed = '{}' then 'nothing was scheduled' else format('removed %s', array_to_string(removed, ', ')) end;
end $$;
comment on function public.unschedule_maintenance() is 'Removes what schedule_maintenance made.';
revoke all on function public.unschedule_maintenance() from public, anon, authenticated;
grant execute on function public.unschedule_maintenance() to service_role;
