-- A stand-in for pg_cron 1.6: the tables, functions and refusals of the real one. Jobs are run by a thread
-- of the supervisor (scripts/local_supabase/cron_stand_in.py), which hears of changes through NOTIFY.
--
-- The real functions are written in C and see their caller while they write as superuser. Here each one is
-- an invoker's function that hands its caller's name to a definer's function in schema cron_stand_in. That
-- name is not checked: this is for a laptop.

create schema cron;
create schema cron_stand_in;
grant usage on schema cron_stand_in to public;

create sequence cron.jobid_seq;
create table cron.job (
  jobid bigint primary key default pg_catalog.nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport int not null default coalesce(pg_catalog.inet_server_port(), 5432),
  database text not null default pg_catalog.current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);
grant select on cron.job to public;
alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);

create sequence cron.runid_seq;
create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default pg_catalog.nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);
grant select, delete on cron.job_run_details to public;
alter table cron.job_run_details enable row level security;
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);
grant select on sequence cron.jobid_seq, cron.runid_seq to public;

create function cron.job_cache_invalidate() returns trigger
language plpgsql
set search_path = ''
as $$
begin
  notify cron_stand_in;
  return null;
end
$$;
create trigger cron_job_cache_invalidate after insert or update or delete or truncate on cron.job
  for each statement execute function cron.job_cache_invalidate();

-- One field of a cron expression. Stricter than Python's cronsim, as pg_cron is: '5/10' is refused.
create function cron_stand_in.field_is_valid(field text, lowest int, highest int, names text[]) returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
  item text;
  part text[];
  first_value int;
  last_value int;
begin
  foreach item in array pg_catalog.string_to_array(pg_catalog.lower(field), ',') loop
    for i in 1 .. coalesce(pg_catalog.array_length(names, 1), 0) loop
      item := pg_catalog.replace(item, names[i], (lowest + i - 1)::text);
    end loop;
    part := pg_catalog.regexp_match(item, '^(?:\*|([0-9]{1,3})(?:-([0-9]{1,3}))?)(?:/([0-9]{1,3}))?$');
    if part is null or part[3]::int = 0 or (part[3] is not null and part[1] is not null and part[2] is null) then
      return false;
    end if;
    first_value := part[1]::int;
    last_value := part[2]::int;
    if first_value not between lowest and highest or last_value not between lowest and highest
      or last_value < first_value
    then
      return false;
    end if;
  end loop;
  return field <> '';
end
$$;

-- Like the real parser it looks at five fields and ignores what follows: '*/30 * * * * *' is every 30 minutes.
create function cron_stand_in.check_schedule(schedule text) returns void
language plpgsql
set search_path = ''
as $$
declare
  field text[] := pg_catalog.regexp_split_to_array(pg_catalog.btrim(schedule, E' \t'), '[ \t]+');
  months constant text[] := '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}';
  days constant text[] := '{sun,mon,tue,wed,thu,fri,sat}';
begin
  if schedule ~* '^ *[1-5]?[0-9] +seconds? *$' and schedule !~ '^ *0+ ' then
    return;
  end if;
  if schedule ~* '^@(reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)' then
    return;
  end if;
  if coalesce(
    pg_catalog.array_length(field, 1) >= 5
    and cron_stand_in.field_is_valid(field[1], 0, 59, null)
    and cron_stand_in.field_is_valid(field[2], 0, 23, null)
    and (field[3] = '$' or cron_stand_in.field_is_valid(field[3], 1, 31, null))
    and cron_stand_in.field_is_valid(field[4], 1, 12, months)
    and cron_stand_in.field_is_valid(field[5], 0, 7, days),
    false
  ) then
    return;
  end if;
  raise exception using
    errcode = '22023',
    message = pg_catalog.format('invalid schedule: %s', schedule),
    hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
end
$$;

create function cron_stand_in.require_superuser(caller text, purpose text) returns void
language plpgsql
set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_roles as r where r.rolname = caller and r.rolsuper) then
    raise exception using errcode = '42501', message = 'must be superuser to ' || purpose;
  end if;
end
$$;

create function cron_stand_in.schedule(
  caller text, new_name text, new_schedule text, new_command text, new_database text, new_username text,
  new_active boolean
) returns bigint
language plpgsql
security definer
set search_path = ''
as $$
declare
  new_id bigint;
begin
  perform cron_stand_in.check_schedule(new_schedule);
  if new_username is distinct from caller and new_username is not null then
    perform cron_stand_in.require_superuser(caller, 'create a job for another role');
  end if;
  insert into cron.job as j (schedule, command, database, username, active, jobname)
  values (
    new_schedule, new_command, coalesce(new_database, pg_catalog.current_database()),
    coalesce(new_username, caller), coalesce(new_active, true), new_name
  )
  on conflict on constraint jobname_username_uniq
  do update set schedule = excluded.schedule, command = excluded.command, database = excluded.database
  returning j.jobid into new_id;
  return new_id;
end
$$;

create function cron_stand_in.unschedule(caller text, old_id bigint, old_name text) returns boolean
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from cron.job as j
  where (j.jobid = old_id or j.jobname = old_name) and j.username = caller;
  if not found then
    raise exception using
      errcode = 'XX000',
      message = pg_catalog.format('could not find valid entry for job ''%s''', coalesce(old_name, old_id::text));
  end if;
  return true;
end
$$;

create function cron_stand_in.alter_job(
  caller text, old_id bigint, new_schedule text, new_command text, new_database text, new_username text,
  new_active boolean
) returns void
language plpgsql
security definer
set search_path = ''
as $$
begin
  if new_username is not null then
    perform cron_stand_in.require_superuser(caller, 'alter username');
  end if;
  if new_schedule is not null then
    perform cron_stand_in.check_schedule(new_schedule);
  end if;
  update cron.job as j
  set
    schedule = coalesce(new_schedule, j.schedule),
    command = coalesce(new_command, j.command),
    database = coalesce(new_database, j.database),
    username = coalesce(new_username, j.username),
    active = coalesce(new_active, j.active)
  where j.jobid = old_id and j.username = caller;
  if not found then
    raise exception using
      errcode = 'XX000',
      message = pg_catalog.format('Job %s does not exist or you don''t own it', old_id);
  end if;
end
$$;

create function cron.schedule(schedule text, command text) returns bigint
language sql strict
set search_path = ''
as $$ select cron_stand_in.schedule(current_user, null, $1, $2, null, null, true) $$;

create function cron.schedule(job_name text, schedule text, command text) returns bigint
language plpgsql
set search_path = ''
as $$
begin
  if $1 is null then
    raise exception using errcode = '22004', message = 'job_name can not be NULL';
  end if;
  return cron_stand_in.schedule(current_user, $1, $2, $3, null, null, true);
end
$$;

create function cron.schedule_in_database(
  job_name text, schedule text, command text, database text, username text default null,
  active boolean default true
) returns bigint
language sql
set search_path = ''
as $$ select cron_stand_in.schedule(current_user, $1, $2, $3, $4, $5, $6) $$;

create function cron.unschedule(job_id bigint) returns boolean
language sql strict
set search_path = ''
as $$ select cron_stand_in.unschedule(current_user, $1, null) $$;

create function cron.unschedule(job_name text) returns boolean
language sql strict
set search_path = ''
as $$ select cron_stand_in.unschedule(current_user, null, $1) $$;

create function cron.alter_job(
  job_id bigint, schedule text default null, command text default null, database text default null,
  username text default null, active boolean default null
) returns void
language sql
set search_path = ''
as $$ select cron_stand_in.alter_job(current_user, $1, $2, $3, $4, $5, $6) $$;

revoke all on function cron.alter_job(bigint, text, text, text, text, boolean) from public;
revoke all on function cron.schedule_in_database(text, text, text, text, text, boolean) from public;
