-- cron tasks: recurring jobs. A row of cron_tasks says what to enqueue and when; enqueue_cron_tasks() does it.

create table public.cron_tasks (
  name text primary key check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  org_id text not null check (btrim(org_id) <> '' and length(org_id) <= 256),
  type text not null check (type ~ '^[a-z][a-z0-9_]{0,62}$'),
  payload jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
  schedule text not null,
  time_zone text not null default 'UTC',
  priority int not null default 0 check (priority between -1000 and 1000),
  max_attempts int check (max_attempts between 1 and 100),
  missed_runs text not null default 'once' check (missed_runs in ('skip', 'once', 'all')),
  overlap boolean not null default false,
  active boolean not null default true,
  last_enqueued_at timestamptz,
  last_job_id bigint,
  next_run_at timestamptz not null,
  last_error text,
  created_at timestamptz not null default now()
);
comment on table public.cron_tasks is
  'Recurring jobs. An operator''s data: edit it freely; next_run_at follows by itself.';
comment on column public.cron_tasks.schedule is
  'Five cron fields, @hourly, @daily, @weekly, @monthly, @yearly, or ''N seconds'' (1 to 86400, on a grid from the epoch).';
comment on column public.cron_tasks.time_zone is 'An IANA name such as Europe/Berlin: what the five fields are meant in.';
comment on column public.cron_tasks.missed_runs is
  'When several times have passed unnoticed: skip those over a minute old, one job (once) for all, or all: a job for each.';
comment on column public.cron_tasks.overlap is
  'Whether a job may be enqueued while the one before is unfinished; with missed_runs all, each due time has its own.';
comment on column public.cron_tasks.next_run_at is 'The time that is enqueued next. Set it to now() to run once more, soon.';
comment on column public.cron_tasks.last_job_id is 'No foreign key: finished jobs are pruned.';
comment on column public.cron_tasks.last_error is 'Why the last time could not be enqueued; null when it could.';
create index cron_tasks_due on public.cron_tasks (next_run_at) where active;

-- Checks the schedule and the time zone of a row and keeps next_run_at: counted from now for a new row, for one whose
-- schedule or time zone changed and for one that is switched on again. Called by the trigger below.
create function public.check_cron_task() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  changed boolean := tg_op = 'INSERT' or new.schedule <> old.schedule or new.time_zone <> old.time_zone;
  next_time timestamptz;
begin
  if new.schedule is null or new.time_zone is null
    or not (changed or new.next_run_at is null or (new.active and not old.active)) then
    return new;
  end if;
  if changed and not exists (
    select from pg_catalog.pg_timezone_names z where lower(z.name) = lower(new.time_zone)) then
    raise exception 'time_zone "%" is unknown: expected an IANA name such as Europe/Berlin or UTC', new.time_zone
      using errcode = '22023';
  end if;
  next_time := public.next_cron_time(new.schedule, now(), new.time_zone);
  if next_time is null then
    raise exception 'schedule "%" never comes due: no month it names has such a day', new.schedule using errcode = '22023';
  end if;
  if tg_op = 'UPDATE' or new.next_run_at is null then
    new.next_run_at := next_time;
  end if;
  return new;
end $$;
revoke all on function public.check_cron_task() from public, anon, authenticated;
create trigger check_cron_task before insert or update on public.cron_tasks
  for each row execute function public.check_cron_task();

-- Which due times of a row become jobs now, when it is due next, and why that cannot be told, if so.
-- Called by enqueue_cron_tasks. Takes no locks.
create function public.due_cron_runs(
  cron_task public.cron_tasks, out runs timestamptz[], out next_run_at timestamptz, out problem text
)
language plpgsql stable security definer set search_path = '' as $$
begin
  runs := '{}';
  next_run_at := cron_task.next_run_at;
  if cron_task.missed_runs = 'all' then
    while next_run_at <= now() and cardinality(runs) < 100 loop
      runs := runs || next_run_at;
      next_run_at := public.next_cron_time(cron_task.schedule, next_run_at, cron_task.time_zone);
    end loop;
  else
    next_run_at := public.last_cron_time(cron_task.schedule, next_run_at, now(), cron_task.time_zone);
    if cron_task.missed_runs = 'once' or next_run_at >= now() - interval '60 seconds' then
      runs := array[next_run_at];
    end if;
    next_run_at := public.next_cron_time(cron_task.schedule, next_run_at, cron_task.time_zone);
  end if;
  next_run_at := coalesce(next_run_at, 'infinity');
exception when others then
  -- The row was checked when it was written, so the server changed, its time zones perhaps: look again in an hour.
  runs := '{}';
  next_run_at := now() + interval '1 hour';
  problem := sqlerrm;
end $$;
revoke all on function public.due_cron_runs(public.cron_tasks) from public, anon, authenticated;
grant execute on function public.due_cron_runs(public.cron_tasks) to service_role;

-- Enqueues one due time of a row and answers as enqueue_job does, or {"error"}. Called by enqueue_cron_tasks. Unless the
-- row allows overlap its key is always the same, so that a job that is unfinished stays the only one.
create function public.enqueue_cron_run(cron_task public.cron_tasks, run_at timestamptz) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  return public.enqueue_job(
    org_id => cron_task.org_id,
    type => cron_task.type,
    payload => cron_task.payload,
    run_at => enqueue_cron_run.run_at,
    priority => cron_task.priority,
    max_attempts => cron_task.max_attempts,
    idempotency_key => 'cron_task:' || cron_task.name || case when cron_task.overlap or cron_task.missed_runs = 'all'
      then to_char(timezone('UTC', enqueue_cron_run.run_at), ':YYYY-MM-DD"T"HH24:MI:SS"Z"') else '' end);
exception when others then
  return jsonb_build_object('error', sqlerrm);
end $$;
revoke all on function public.enqueue_cron_run(public.cron_tasks, timestamptz) from public, anon, authenticated;
grant execute on function public.enqueue_cron_run(public.cron_tasks, timestamptz) to service_role;

-- Enqueues what is due and answers {"enqueued", "skipped", "failed", "jobs": [{"name", "job_id", "run_at"}]}; skipped are
-- times that passed unnoticed or whose predecessor is unfinished. Each due time of a row is enqueued once, however often
-- and from wherever this is called: the row stays locked until the time after it is written down. What goes wrong with
-- one row is its last_error and counts as failed; its time is over, and the others are enqueued.
-- Called by pg_cron (see schedule_cron_tasks) or by any other clock, at least once a minute.
-- Locks the due rows in the order of their names and leaves out those that another call holds.
create function public.enqueue_cron_tasks() returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  cron_task public.cron_tasks;
  due record;
  run timestamptz;
  answer jsonb;
  jobs jsonb := '[]';
  skipped int := 0;
  failed int := 0;
begin
  for cron_task in
    select * from public.cron_tasks t where t.active and t.next_run_at <= now() order by t.name for update skip locked
  loop
    select * into due from public.due_cron_runs(cron_task);
    failed := failed + (due.problem is not null)::int;
    skipped := skipped + (due.problem is null and due.runs = '{}')::int;

    foreach run in array due.runs loop
      answer := public.enqueue_cron_run(cron_task, run);
      if answer ? 'error' then
        failed := failed + 1;
        due.problem := answer ->> 'error';
      elsif (answer ->> 'created')::boolean then
        jobs := jobs || jsonb_build_object('name', cron_task.name, 'job_id', answer -> 'job_id', 'run_at', run);
        cron_task.last_job_id := (answer ->> 'job_id')::bigint;
        cron_task.last_enqueued_at := now();
      else
        skipped := skipped + 1;
      end if;
    end loop;

    update public.cron_tasks t set
      next_run_at = due.next_run_at,
      last_error = due.problem,
      last_job_id = cron_task.last_job_id,
      last_enqueued_at = cron_task.last_enqueued_at
    where t.name = cron_task.name;
  end loop;
  return jsonb_build_object(
    'enqueued', jsonb_array_length(jobs), 'skipped', skipped, 'failed', failed, 'jobs', jobs);
end $$;
comment on function public.enqueue_cron_tasks() is 'Enqueues the recurring jobs that are due; each due time once.';
revoke all on function public.enqueue_cron_tasks() from public, anon, authenticated;
grant execute on function public.enqueue_cron_tasks() to service_role;

-- Lets pg_cron call enqueue_cron_tasks, or changes how often. Called by operators, once. Safe to repeat; a schedule that
-- somebody paused stays paused. Rows whose schedule is an interval below a minute need '10 seconds' or the like here.
create function public.schedule_cron_tasks(schedule text default '* * * * *') returns text
language plpgsql security definer set search_path = '' as $$
begin
  perform public.check_cron_schedule(schedule);
  perform cron.schedule('crontick-cron-tasks', schedule, 'select public.enqueue_cron_tasks()');
  return format('scheduled "crontick-cron-tasks" at "%s"', schedule);
end $$;
comment on function public.schedule_cron_tasks(text) is 'Lets pg_cron enqueue the recurring jobs; safe to repeat.';
revoke all on function public.schedule_cron_tasks(text) from public, anon, authenticated;
grant execute on function public.schedule_cron_tasks(text) to service_role;

-- Removes the schedule that schedule_cron_tasks made. Called by operators. Safe to repeat.
create function public.unschedule_cron_tasks() returns text
language plpgsql security definer set search_path = '' as $$
begin
  perform public.check_cron_schedule();
  if not exists (select from cron.job j where j.jobname = 'crontick-cron-tasks') then
    return '"crontick-cron-tasks" was not scheduled';
  end if;
  perform cron.unschedule('crontick-cron-tasks');
  return 'removed the schedule "crontick-cron-tasks"';
end $$;
comment on function public.unschedule_cron_tasks() is 'Stops pg_cron from enqueuing the recurring jobs.';
revoke all on function public.unschedule_cron_tasks() from public, anon, authenticated;
grant execute on function public.unschedule_cron_tasks() to service_role;
