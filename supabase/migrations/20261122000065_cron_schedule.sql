-- cron schedule: what '0 7 * * mon-fri' in Europe/Berlin means. Written in SQL, so that the database can tell what is due
-- without being asked every minute by a process of ours. Nothing here reads or writes a table.

-- What a schedule says, read once: either every_seconds, or the values of the five fields in ascending order.
create type public.cron_times as (
  every_seconds int,
  minutes int[],
  hours int[],
  days int[],
  months int[],
  weekdays int[],
  -- As in cron: when both are restricted a day may match either; '*' and '*/2' do not restrict in this sense.
  either_day boolean,
  -- An hour that is a number, a list or a range is a time of the day; '*' and '*/2' are an interval.
  fixed_hour boolean
);

-- The values of one field in ascending order; raises 22023 with the field's name. Called by read_cron_schedule.
create function public.read_cron_field(
  schedule text, field_name text, field text, lowest int, highest int, names text[] default '{}'
) returns int[]
language plpgsql stable security definer set search_path = '' as $$
declare
  item text;
  part text[];
  first_value int;
  last_value int;
  step int;
  chosen int[] := '{}';
begin
  foreach item in array string_to_array(lower(field), ',') loop
    part := regexp_match(item, '^(?:(\*)|([a-z]{3}|[0-9]{1,2})(?:-([a-z]{3}|[0-9]{1,2}))?)(?:/([0-9]{1,2}))?$');
    first_value := case when part[1] = '*' then lowest when part[2] ~ '^[0-9]' then part[2]::int
      else array_position(names, part[2]) - 1 + lowest end;
    last_value := case when part[1] = '*' then highest when part[3] is null then first_value
      when part[3] ~ '^[0-9]' then part[3]::int
      -- The week may also end on a Sunday: fri-sun.
      when part[3] = 'sun' then highest else array_position(names, part[3]) - 1 + lowest end;
    step := coalesce(part[4]::int, 1);
    if not coalesce(lowest <= first_value and first_value <= last_value and last_value <= highest
      and step between 1 and highest and (part[4] is null or part[1] = '*' or part[3] is not null), false)
    then
      chosen := '{}';
      exit;
    end if;
    chosen := chosen || array(select generate_series(first_value, last_value, step));
  end loop;
  if chosen = '{}' then
    raise exception 'schedule "%": % "%" is not allowed; write *, %-% (%), a list (1,2), a range (1-5) or a step (*/5, 10-30/5)',
      schedule, field_name, field, lowest, highest,
      case when names = '{}' then 'numbers' else format('or %s to %s', names[1], names[cardinality(names)]) end
      using errcode = '22023';
  end if;
  return array(select distinct c.value from unnest(chosen) c (value) order by c.value);
end $$;
revoke all on function public.read_cron_field(text, text, text, int, int, text[]) from public, anon, authenticated;
grant execute on function public.read_cron_field(text, text, text, int, int, text[]) to service_role;

-- Reads a schedule; raises 22023 naming what is wrong. Called by next_cron_time. Takes no locks.
create function public.read_cron_schedule(schedule text) returns public.cron_times
language plpgsql stable security definer set search_path = '' as $$
declare
  expression text := lower(btrim(schedule));
  fields text[];
  times public.cron_times;
begin
  if expression ~ '^[0-9]{1,9} +seconds?$' then
    times.every_seconds := split_part(expression, ' ', 1)::int;
    if times.every_seconds not between 1 and 86400 then
      raise exception 'schedule "%": the interval must be from 1 to 86400 seconds', schedule using errcode = '22023';
    end if;
    return times;
  end if;
  expression := case expression
    when '@hourly' then '0 * * * *' when '@daily' then '0 0 * * *' when '@weekly' then '0 0 * * 0'
    when '@monthly' then '0 0 1 * *' when '@yearly' then '0 0 1 1 *' else expression end;
  fields := regexp_split_to_array(expression, '\s+');
  if cardinality(fields) <> 5 then
    raise exception 'schedule "%" has % field(s) instead of five: minute hour day month weekday', schedule,
      case when expression = '' then 0 else cardinality(fields) end using errcode = '22023',
      hint = 'Also allowed: @hourly, @daily, @weekly, @monthly, @yearly and, for less than a minute, ''30 seconds''.';
  end if;

  times.minutes := public.read_cron_field(schedule, 'minute', fields[1], 0, 59);
  times.hours := public.read_cron_field(schedule, 'hour', fields[2], 0, 23);
  times.days := public.read_cron_field(schedule, 'day', fields[3], 1, 31);
  times.months := public.read_cron_field(schedule, 'month', fields[4], 1, 12,
    '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}');
  times.weekdays := public.read_cron_field(schedule, 'weekday', fields[5], 0, 7, '{sun,mon,tue,wed,thu,fri,sat}');
  if 7 = any (times.weekdays) then
    times.weekdays := times.weekdays || 0;
  end if;
  times.either_day := fields[3] not like '*%' and fields[5] not like '*%';
  times.fixed_hour := fields[2] not like '*%';
  return times;
end $$;
revoke all on function public.read_cron_schedule(text) from public, anon, authenticated;
grant execute on function public.read_cron_schedule(text) to service_role;

-- The first local time after another one that the five fields name; null when there is none in 50 years (a leap day on a
-- given weekday takes up to 40). Called by next_cron_time. It goes by months and days, never by minutes.
create function public.next_local_time(times public.cron_times, after timestamp) returns timestamp
language plpgsql stable security definer set search_path = '' as $$
declare
  today date := after::date;
  day date := today;
  hour int := date_part('hour', after);
  minute int;
  in_month boolean;
  in_week boolean;
begin
  while day < today + 18263 loop
    if not date_part('month', day)::int = any (times.months) then
      day := date_trunc('month', day::timestamp) + interval '1 month';
      continue;
    end if;
    in_month := date_part('day', day)::int = any (times.days);
    in_week := date_part('dow', day)::int = any (times.weekdays);
    if (in_month and in_week) or (times.either_day and (in_month or in_week)) then
      if day > today then
        return day + make_time(times.hours[1], times.minutes[1], 0);
      end if;
      -- width_bucket counts the values up to the given one, so one further is the first above it.
      if hour = any (times.hours) then
        minute := times.minutes[width_bucket(date_part('minute', after)::int, times.minutes) + 1];
      end if;
      if minute is null then
        hour := times.hours[width_bucket(hour, times.hours) + 1];
        minute := times.minutes[1];
      end if;
      if hour is not null then
        return day + make_time(hour, minute, 0);
      end if;
    end if;
    day := day + 1;
  end loop;
  return null;
end $$;
revoke all on function public.next_local_time(public.cron_times, timestamp) from public, anon, authenticated;
grant execute on function public.next_local_time(public.cron_times, timestamp) to service_role;

-- When the clocks of a time zone change within a day of that moment; null when they do not. Called by next_cron_time.
create function public.clock_change_near(moment timestamptz, time_zone text) returns timestamptz
language plpgsql stable security definer set search_path = '' as $$
declare
  earlier bigint := floor(date_part('epoch', moment)) - 86400;
  later bigint := earlier + 2 * 86400;
  middle bigint;
  old_clock interval := timezone(time_zone, to_timestamp(earlier)) - timezone('UTC', to_timestamp(earlier));
begin
  if timezone(time_zone, to_timestamp(later)) - timezone('UTC', to_timestamp(later)) = old_clock then
    return null;
  end if;
  while later - earlier > 1 loop
    middle := (earlier + later) / 2;
    if timezone(time_zone, to_timestamp(middle)) - timezone('UTC', to_timestamp(middle)) = old_clock then
      earlier := middle;
    else
      later := middle;
    end if;
  end loop;
  return to_timestamp(later);
end $$;
revoke all on function public.clock_change_near(timestamptz, text) from public, anon, authenticated;
grant execute on function public.clock_change_near(timestamptz, text) to service_role;

-- The first time after another one, where the clocks change between the two or close to them. Called by next_cron_time.
-- A fixed hour follows the old clock up to the later of the two readings: what the change leaves out comes as much later
-- as the clock went forward, what it repeats comes once, the first time. An interval follows each clock while it is valid.
create function public.next_time_around_change(
  times public.cron_times, after timestamptz, change timestamptz, time_zone text
) returns timestamptz
language plpgsql stable security definer set search_path = '' as $$
declare
  changed_at timestamp := timezone('UTC', change);
  before_it timestamptz := change - interval '1 second';
  old_clock interval := timezone(time_zone, before_it) - timezone('UTC', before_it);
  new_clock interval := timezone(time_zone, change) - changed_at;
  old_until timestamp := changed_at + case when times.fixed_hour then greatest(old_clock, new_clock) else old_clock end;
  new_from timestamp := changed_at + case when times.fixed_hour then greatest(old_clock, new_clock) else new_clock end;
  by_old timestamp := public.next_local_time(times, timezone('UTC', after) + old_clock);
  by_new timestamp := public.next_local_time(
    times, greatest(timezone('UTC', after) + new_clock, new_from - interval '1 microsecond'));
begin
  return least(
    case when by_old < old_until then timezone('UTC', by_old - old_clock) end,
    timezone('UTC', by_new - new_clock));
end $$;
revoke all on function public.next_time_around_change(public.cron_times, timestamptz, timestamptz, text)
from public, anon, authenticated;
grant execute on function public.next_time_around_change(public.cron_times, timestamptz, timestamptz, text) to service_role;

-- The first time strictly after another one that a schedule names; null when there is none within 50 years.
-- Where clocks change, a fixed hour runs exactly once (moved on when that hour is left out) and an interval such as
-- '*' or '*/2' by each clock as long as it is valid. Called by enqueue_cron_tasks, and by whoever wants to see what a
-- schedule means. Raises 22023 for a schedule that cannot be read. Takes no locks.
create function public.next_cron_time(schedule text, after timestamptz, time_zone text default 'UTC') returns timestamptz
language plpgsql stable strict security definer set search_path = '' as $$
declare
  times public.cron_times := public.read_cron_schedule(schedule);
  start timestamptz := after;
  change timestamptz;
  found_at timestamptz;
begin
  if not isfinite(after) then
    return null;
  elsif times.every_seconds is not null then
    return to_timestamp((floor(date_part('epoch', after) / times.every_seconds) + 1) * times.every_seconds);
  end if;
  loop
    change := public.clock_change_near(start, time_zone);
    if change is null then
      found_at := timezone(time_zone, public.next_local_time(times, timezone(time_zone, start)));
      change := public.clock_change_near(found_at, time_zone);
      if found_at is null or change is null then
        return found_at;
      end if;
      start := greatest(start, change - interval '48 hours');
    end if;
    found_at := public.next_time_around_change(times, start, change, time_zone);
    if found_at <= change + interval '24 hours' then
      return found_at;
    end if;
    -- Nothing around this change: further from behind it, where another one may be in the way.
    start := change + interval '24 hours';
  end loop;
end $$;
comment on function public.next_cron_time(text, timestamptz, text) is 'When a schedule is due next, strictly after a time.';
revoke all on function public.next_cron_time(text, timestamptz, text) from public, anon, authenticated;
grant execute on function public.next_cron_time(text, timestamptz, text) to service_role;

-- Of the due times from `due` to `until` the last one, found by halving: a schedule may have slept for months.
-- Called by due_cron_runs.
create function public.last_cron_time(schedule text, due timestamptz, until timestamptz, time_zone text) returns timestamptz
language plpgsql stable security definer set search_path = '' as $$
declare
  latest timestamptz := due;
  following timestamptz := public.next_cron_time(schedule, due, time_zone);
  nothing_after timestamptz := until;
  middle timestamptz;
  probe timestamptz;
begin
  while following <= until loop
    middle := to_timestamp((date_part('epoch', following) + date_part('epoch', nothing_after)) / 2);
    probe := public.next_cron_time(schedule, middle, time_zone);
    if probe <= until then
      latest := probe;
    else
      latest := following;
      nothing_after := middle;
    end if;
    following := public.next_cron_time(schedule, latest, time_zone);
  end loop;
  return latest;
end $$;
revoke all on function public.last_cron_time(text, timestamptz, timestamptz, text) from public, anon, authenticated;
grant execute on function public.last_cron_time(text, timestamptz, timestamptz, text) to service_role;
