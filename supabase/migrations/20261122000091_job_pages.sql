-- job pages: which jobs make a page, for people, who must never slow the queue down.
--
-- A page costs the same however deep it lies and however many jobs there are: it starts where the one before ended and
-- reads at most some thousand rows through an index that the queue has anyway. So a page may be short, or empty, and yet
-- have a next one: there was nothing among the rows that it looked at.

create type public.page_of_jobs as (job_ids bigint[], last bigint);
comment on type public.page_of_jobs is
  'The jobs of a page, and where the next one starts: behind the job `last`; null after the last page.';

-- What a list is narrowed down by, without its nulls. Raises 22023 naming the key that is wrong.
-- Called by list_jobs and list_files. Takes no locks.
create function public.check_filter(filter jsonb, allowed text[], statuses text[]) returns jsonb
language plpgsql immutable security definer set search_path = '' as $$
declare
  given jsonb := coalesce(nullif(filter, 'null'), '{}');
  name text;
  value jsonb;
  problem text;
begin
  if jsonb_typeof(given) <> 'object' then
    raise exception 'filter: expected an object' using errcode = '22023';
  end if;
  given := jsonb_strip_nulls(given);
  for name, value in select e.key, e.value from jsonb_each(given) e order by e.key loop
    problem := case
      when name <> all (allowed) then format('this list is narrowed down by %s only', array_to_string(allowed, ', '))
      when name = 'file_id' then case
        when jsonb_typeof(value) not in ('number', 'string') or value #>> '{}' !~ '^[1-9][0-9]{0,17}$'
        then 'expected the number of a file' end
      when jsonb_typeof(value) <> 'string' then 'expected a string'
      when length(value #>> '{}') > 1024 then 'at most 1,024 characters'
      when name = 'type' and value #>> '{}' !~ '^[a-z][a-z0-9_]{0,62}$'
        then 'expected a job type: a lower-case name such as create_cards'
      when name = 'status' and value #>> '{}' <> all (statuses)
        then 'expected one of ' || array_to_string(statuses, ', ') end;
    if problem is not null then
      raise exception '%: %', left(name, 100), problem using errcode = '22023';
    end if;
  end loop;
  return given;
end $$;
revoke all on function public.check_filter(jsonb, text[], text[]) from public, anon, authenticated, service_role;

-- The parts of a cursor, which is the name of its list and what `form` says; null without a cursor. Raises 22023 for one
-- that this list did not give out. Called by the lists. Takes no locks.
create function public.read_cursor(cursor text, form text) returns text[]
language plpgsql immutable security definer set search_path = '' as $$
declare
  parts text[] := regexp_match(cursor, '^(?:' || form || ')$');
begin
  if cursor is not null and parts is null then
    raise exception 'cursor: not one that this list gave out; take the first page without one' using errcode = '22023';
  end if;
  return parts;
end $$;
revoke all on function public.read_cursor(text, text) from public, anon, authenticated, service_role;

-- A time as whole microseconds since 1970, which is how a cursor carries it. Called by the lists.
create function public.microseconds(at timestamptz) returns bigint
language sql immutable security definer set search_path = '' as $$
  select (extract(epoch from at) * 1000000)::bigint
$$;
revoke all on function public.microseconds(timestamptz) from public, anon, authenticated, service_role;

-- The time that a cursor carries; null without one. Seconds and the rest apart: together they would not fit into the double
-- precision that intervals are multiplied with. Called by the lists.
create function public.time_of_cursor(microseconds text) returns timestamptz
language sql immutable security definer set search_path = '' as $$
  select timestamptz 'epoch' + microseconds::bigint / 1000000 * interval '1 second'
    + microseconds::bigint % 1000000 * interval '1 microsecond'
$$;
revoke all on function public.time_of_cursor(text) from public, anon, authenticated, service_role;

-- How many rows a page may look at: no more than it shows when it shows all, some thousand when it has to search.
-- Called by the lists of jobs and files.
create function public.rows_to_look_at(filter jsonb, page_size int) returns int
language sql immutable security definer set search_path = '' as $$
  select case when filter = '{}' then page_size else 5000 end
$$;
revoke all on function public.rows_to_look_at(jsonb, int) from public, anon, authenticated, service_role;

-- The page that these jobs, which were looked at in their order, make. Called by the lists of jobs. Takes no locks.
create function public.page_of(seen bigint[], filter jsonb, page_size int) returns public.page_of_jobs
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  found bigint[] := seen;
begin
  if filter <> '{}' then
    found := array(
      select j.id
      from unnest(seen) with ordinality s (id, number) join public.jobs j on j.id = s.id
      where coalesce(j.type = filter ->> 'type', true) and coalesce(j.org_id = filter ->> 'org_id', true)
        and coalesce(j.status = filter ->> 'status', true) and coalesce(j.file_id = (filter ->> 'file_id')::bigint, true)
      order by s.number limit page_size);
  end if;
  return (found, case
    when cardinality(found) = page_size then found[page_size]
    when cardinality(seen) = public.rows_to_look_at(filter, page_size) then seen[cardinality(seen)] end)::public.page_of_jobs;
end $$;
revoke all on function public.page_of(bigint[], jsonb, int) from public, anon, authenticated, service_role;

-- Jobs of these statuses, the newest first: all, or those of a file. Called by list_jobs. Takes no locks.
create function public.newest_jobs(filter jsonb, statuses text[], page_size int, before bigint) returns public.page_of_jobs
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  look_at int := public.rows_to_look_at(filter, page_size);
begin
  if filter ? 'file_id' then
    return public.page_of(array(
      select j.id from public.jobs j
      where j.file_id = (filter ->> 'file_id')::bigint and j.id < before and j.status = any (statuses)
      order by j.id desc limit look_at), filter, page_size);
  end if;
  return public.page_of(array(
    select j.id from public.jobs j where j.id < before order by j.id desc limit look_at), filter, page_size);
end $$;
revoke all on function public.newest_jobs(jsonb, text[], int, bigint) from public, anon, authenticated, service_role;

-- The jobs that run, by ascending id. Called by list_jobs. Takes no locks.
create function public.active_jobs_after(filter jsonb, page_size int, after bigint) returns public.page_of_jobs
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
begin
  return public.page_of(array(
    select j.id from public.jobs j where j.status = 'processing' and j.id > after
    order by j.id limit public.rows_to_look_at(filter, page_size)), filter, page_size);
end $$;
revoke all on function public.active_jobs_after(jsonb, int, bigint) from public, anon, authenticated, service_role;

-- Dead letters, the latest first. Called by list_jobs. Takes no locks. Without statistics the planner would sort them all.
create function public.dead_letters_before(filter jsonb, page_size int, ended_at timestamptz, before bigint)
returns public.page_of_jobs
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
set enable_sort = off as $$
begin
  return public.page_of(array(
    select j.id from public.jobs j
    where j.status = 'failed' and j.completed_at <= ended_at and (j.completed_at, j.id) < (ended_at, before)
    order by j.completed_at desc, j.id desc limit public.rows_to_look_at(filter, page_size)), filter, page_size);
end $$;
revoke all on function public.dead_letters_before(jsonb, int, timestamptz, bigint)
from public, anon, authenticated, service_role;

-- Queued jobs that a claim may take now, suspects included, by place. Called by pending_jobs_after. Takes no locks.
-- Jumps from type to type through the index; nothing is searched, for the filter says which part of an index to read.
create function public.ready_jobs_after(filter jsonb, page_size int, place double precision, id bigint)
returns public.page_of_jobs
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  types text[];
  found bigint[];
begin
  if filter ? 'type' then
    types := array[filter ->> 'type'];
  else
    types := array(
      with recursive present (type) as (
        (select j.type from public.jobs j where j.status = 'queued' and j.turn = 'ready' order by j.type limit 1)
        union all
        select (
          select j.type from public.jobs j where j.status = 'queued' and j.turn = 'ready' and j.type > p.type
          order by j.type limit 1)
        from present p where p.type is not null
      )
      select p.type from present p where p.type is not null);
  end if;
  found := array(
    select x.id
    from (
      select r.id, r.place
      from unnest(types) t (type)
      cross join lateral (
        select j.id, j.place from public.jobs j
        where not filter ? 'org_id' and j.status = 'queued' and j.turn = 'ready' and j.priority >= -1000
          and j.type = t.type and (j.place, j.id) > (ready_jobs_after.place, ready_jobs_after.id)
        order by j.place, j.id limit page_size) r
      union all
      select r.id, r.place
      from unnest(types) t (type)
      cross join lateral (
        select j.id, j.place from public.jobs j
        where filter ? 'org_id' and j.status = 'queued' and j.turn = 'ready'
          and j.type = t.type and j.org_key = hashtextextended(filter ->> 'org_id', 0) and j.org_id = filter ->> 'org_id'
          and (j.place, j.id) > (ready_jobs_after.place, ready_jobs_after.id)
        order by j.place, j.id limit page_size) r
      union all
      select a.id, a.place
      from (
        select j.id, j.place from public.jobs j
        where j.status = 'queued' and j.turn = 'alone'
          and (j.place, j.id) > (ready_jobs_after.place, ready_jobs_after.id)
          and coalesce(j.type = filter ->> 'type', true) and coalesce(j.org_id = filter ->> 'org_id', true)
        order by j.place, j.id limit page_size) a
    ) x
    order by x.place, x.id limit page_size);
  return (found, case when cardinality(found) = page_size then found[page_size] end)::public.page_of_jobs;
end $$;
revoke all on function public.ready_jobs_after(jsonb, int, double precision, bigint)
from public, anon, authenticated, service_role;

-- Queued jobs whose time lies ahead, or was not noticed by a claim yet, by their time. Called by pending_jobs_after.
create function public.later_jobs_after(filter jsonb, page_size int, run_at timestamptz, id bigint)
returns public.page_of_jobs
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
set enable_sort = off as $$
begin
  return public.page_of(array(
    select j.id from public.jobs j
    where j.status = 'queued' and j.turn = 'later' and j.run_at >= later_jobs_after.run_at
      and (j.run_at, j.id) > (later_jobs_after.run_at, later_jobs_after.id)
    order by j.run_at, j.id limit public.rows_to_look_at(filter, page_size)), filter, page_size);
end $$;
revoke all on function public.later_jobs_after(jsonb, int, timestamptz, bigint)
from public, anon, authenticated, service_role;

-- Jobs that wait for others, by organisation and type: behind this one of them, or from the first.
-- Called by pending_jobs_after. Walks through the index of unfinished work, 5,000 of them at a time; takes no locks.
create function public.waiting_jobs_after(filter jsonb, page_size int, id bigint) returns public.page_of_jobs
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  start record;
begin
  select j.org_id, j.type, j.idempotency_key into start from public.jobs j where j.id = waiting_jobs_after.id;
  if filter ? 'org_id' then
    return public.page_of(array(
      select j.id from public.jobs j
      where j.status in ('waiting', 'queued', 'processing') and j.org_id = filter ->> 'org_id'
        and (j.org_id, j.type, j.idempotency_key) > (filter ->> 'org_id', coalesce(start.type, ''), coalesce(start.idempotency_key, ''))
      order by j.org_id, j.type, j.idempotency_key limit 5000), filter || '{"status": "waiting"}', page_size);
  end if;
  return public.page_of(array(
    select j.id from public.jobs j
    where j.status in ('waiting', 'queued', 'processing')
      and (j.org_id, j.type, j.idempotency_key)
        > (coalesce(start.org_id, ''), coalesce(start.type, ''), coalesce(start.idempotency_key, ''))
    order by j.org_id, j.type, j.idempotency_key limit 5000), filter || '{"status": "waiting"}', page_size);
end $$;
revoke all on function public.waiting_jobs_after(jsonb, int, bigint) from public, anon, authenticated, service_role;

-- What is to be done: ready jobs by place, then those whose time lies ahead, then those that wait for others.
-- Called by list_jobs. `parts` is a cursor's: how many came before, which of the three, the key of the last one, its id.
-- Answers the page and which of the three its last job is of.
create function public.pending_jobs_after(
  filter jsonb, page_size int, parts text[], out page public.page_of_jobs, out stage int)
language plpgsql stable security definer set search_path = '' as $$
declare
  found bigint[] := '{}';
  after bigint := coalesce(parts[4]::bigint, 0);
  key text := parts[3];
  last_stage int := case filter ->> 'status' when 'queued' then 1 else 2 end;
begin
  stage := coalesce(parts[2]::int, case filter ->> 'status' when 'waiting' then 2 else 0 end);
  filter := filter - 'status';
  loop
    page := case stage
      when 0 then public.ready_jobs_after(
        filter, page_size - cardinality(found), coalesce(key::double precision, '-infinity'), after)
      when 1 then public.later_jobs_after(filter, page_size - cardinality(found),
        coalesce(public.time_of_cursor(key), '-infinity'), after)
      else public.waiting_jobs_after(filter, page_size - cardinality(found), after) end;
    found := found || page.job_ids;
    exit when page.last is not null or stage >= last_stage;
    stage := stage + 1;
    after := 0;
    key := null;
  end loop;
  page.job_ids := found;
end $$;
revoke all on function public.pending_jobs_after(jsonb, int, text[]) from public, anon, authenticated, service_role;
