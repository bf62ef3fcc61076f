-- enqueue: work becomes rows of jobs, once per idempotency key, alone or as a flow of jobs that wait.

-- What is wrong with one job that somebody wants to enqueue; null when nothing is.
-- Called by check_jobs_to_enqueue. Takes no locks.
create function public.problem_of_job(job jsonb) returns text
language plpgsql stable security definer set search_path = '' as $$
declare
  run_at timestamptz;
  parent jsonb;
begin
  if jsonb_typeof(job) <> 'object' then
    return 'expected an object';
  elsif jsonb_typeof(coalesce(job -> 'org_id', 'null')) not in ('string', 'null')
    or jsonb_typeof(coalesce(job -> 'idempotency_key', 'null')) not in ('string', 'null')
    or jsonb_typeof(coalesce(job -> 'ref', 'null')) not in ('string', 'null') then
    return 'org_id, idempotency_key and ref: expected strings';
  elsif coalesce(btrim(job ->> 'org_id'), '') = '' then
    return 'org_id is missing: every job belongs to an organisation';
  elsif length(job ->> 'org_id') > 256 or length(job ->> 'idempotency_key') > 512 then
    return 'org_id may have 256 characters and idempotency_key 512';
  elsif coalesce(job ->> 'type', '') !~ '^[a-z][a-z0-9_]{0,62}$' then
    return format('type %s is not a job type: expected a lower-case name such as create_cards', coalesce(job ->> 'type', 'null'));
  elsif jsonb_typeof(coalesce(job -> 'payload', '{}')) not in ('object', 'null') then
    return 'payload: expected an object';
  elsif pg_column_size(job -> 'payload') > 1000000 then
    return 'payload: at most 1 MB; put more into Storage and name its path';
  elsif jsonb_typeof(coalesce(job -> 'after', '[]')) not in ('array', 'null') then
    return 'after: expected an array of refs and job ids';
  elsif coalesce(job ->> 'on_conflict', 'return') not in ('return', 'replace', 'debounce') then
    return 'on_conflict: expected return, replace or debounce';
  elsif coalesce(job ->> 'unique_for', 'unfinished') not in ('unfinished', 'ever') then
    return 'unique_for: expected unfinished or ever';
  elsif coalesce(job ->> 'priority', '0') !~ '^(-?[0-9]{1,3}|-?1000)$' then
    return 'priority: expected a whole number from -1000 to 1000';
  elsif coalesce(job ->> 'max_attempts', '1') !~ '^([1-9][0-9]?|100)$' then
    return 'max_attempts: expected a whole number from 1 to 100';
  elsif coalesce(job ->> 'file_id', '1') !~ '^[1-9][0-9]{0,17}$' then
    return 'file_id: expected the number of a file';
  elsif job ->> 'file_id' is not null and not exists (
    select from public.ingested_files f where f.id = (job ->> 'file_id')::bigint and f.org_id = job ->> 'org_id') then
    return format('file_id: organisation %s has no file %s', job ->> 'org_id', job ->> 'file_id');
  elsif job ->> 'run_at' is not null then
    begin
      run_at := (job ->> 'run_at')::timestamptz;
    exception when others then
      return 'run_at: expected a time such as 2030-01-31T12:00:00Z';
    end;
    if not isfinite(run_at) or extract(year from run_at) not between 1970 and 9999 then
      return 'run_at: expected a time between the years 1970 and 9999';
    end if;
  end if;
  if coalesce(job -> 'after', '[]') in ('[]', 'null') then
    return null;
  end if;
  for parent in select a.value from jsonb_array_elements(job -> 'after') a loop
    if jsonb_typeof(parent) not in ('string', 'number') or (
      jsonb_typeof(parent) = 'number' and parent::text !~ '^[1-9][0-9]{0,17}$') then
      return format('after: %s is neither a ref nor the number of a job', parent);
    elsif jsonb_typeof(parent) = 'number' and not exists (
      select from public.jobs j where j.id = parent::text::bigint and j.org_id = job ->> 'org_id') then
      return format('after: organisation %s has no job %s', job ->> 'org_id', parent);
    end if;
  end loop;
  return null;
end $$;
revoke all on function public.problem_of_job(jsonb) from public, anon, authenticated;
grant execute on function public.problem_of_job(jsonb) to service_role;

-- Reads what a caller asks for into one complete row per job, as a jsonb array.
-- Called by enqueue_jobs. Raises 22023 naming the element that is wrong; takes no locks.
create function public.check_jobs_to_enqueue(jobs jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  problem text;
  checked jsonb;
begin
  if jobs is null or jsonb_typeof(jobs) <> 'array' then
    raise exception 'jobs: expected a JSON array of jobs' using errcode = '22023';
  end if;

  select format('jobs[%s]: %s', e.ordinality - 1, p.problem) into problem
  from jsonb_array_elements(jobs) with ordinality e
  cross join lateral (select public.problem_of_job(e.value) as problem offset 0) p
  where p.problem is not null
  order by e.ordinality limit 1;
  if problem is not null then
    raise exception '%', problem using errcode = '22023';
  end if;

  select coalesce(jsonb_agg(jsonb_build_object(
      'ordinal', e.ordinality - 1,
      'org_id', e.value ->> 'org_id',
      'type', e.value ->> 'type',
      'payload', p.payload,
      'run_at', coalesce((e.value ->> 'run_at')::timestamptz, now()),
      'priority', coalesce((e.value ->> 'priority')::int, 0),
      'max_attempts', coalesce((e.value ->> 'max_attempts')::int, own.max_attempts, every.max_attempts),
      'file_id', (e.value ->> 'file_id')::bigint,
      'key', coalesce(nullif(e.value ->> 'idempotency_key', ''), encode(sha256(convert_to(
        (e.value ->> 'org_id') || chr(31) || (e.value ->> 'type') || chr(31) || p.payload::text, 'UTF8')), 'hex')),
      'unique_for', coalesce(e.value ->> 'unique_for', 'unfinished'),
      'on_conflict', coalesce(e.value ->> 'on_conflict', 'return'),
      'depth', coalesce(d.depth, 0),
      'ref', e.value ->> 'ref',
      'after', coalesce(nullif(e.value -> 'after', 'null'), '[]'))
    order by e.ordinality), '[]')
  into checked
  from jsonb_array_elements(jobs) with ordinality e
  cross join lateral (select coalesce(nullif(e.value -> 'payload', 'null'), '{}') as payload) p
  left join public.flow_depths(jobs) d on d.ordinal = e.ordinality - 1
  left join public.job_policies own on own.type = e.value ->> 'type'
  join public.job_policies every on every.type = '*';

  select format('jobs[%s] is the same work as jobs[%s], but its after, unique_for or on_conflict differ',
    max(c.ordinal), min(c.ordinal))
  into problem
  from jsonb_to_recordset(checked) c (
    ordinal int, org_id text, type text, key text, after jsonb, unique_for text, on_conflict text)
  group by c.org_id, c.type, c.key having count(distinct (c.after, c.unique_for, c.on_conflict)) > 1 limit 1;
  if problem is not null then
    raise exception '%', problem using errcode = '22023';
  end if;
  return checked;
end $$;
revoke all on function public.check_jobs_to_enqueue(jsonb) from public, anon, authenticated;
grant execute on function public.check_jobs_to_enqueue(jsonb) to service_role;

-- The W3C trace context (traceparent) that this transaction belongs to, or null: what set_config('crontick.traceparent',
-- ..., true) said, else the header of the HTTP request that PostgREST or the Storage API carries out.
-- Called by insert_new_jobs, once per call; never raises, for no trace is worth an upload. Takes no locks.
create function public.current_trace_parent() returns text
language plpgsql stable security definer set search_path = '' as $$
declare
  said text := nullif(current_setting('crontick.traceparent', true), '');
  headers text := current_setting('request.headers', true);
begin
  if said is null and strpos(headers, '"traceparent"') > 0 then
    begin
      said := headers::json ->> 'traceparent';
    exception when others then
      return null; -- somebody else's setting of that name
    end;
  end if;
  return substring(said from '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$');
end $$;
revoke all on function public.current_trace_parent() from public, anon, authenticated;
grant execute on function public.current_trace_parent() to service_role;

-- Inserts those of the checked jobs that do not exist yet and returns their ids, which follow the flow: parents first.
-- Called by enqueue_jobs. Rows go in by key, so that two calls meet the keys they share in the same order.
create function public.insert_new_jobs(asked jsonb) returns bigint[]
language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  new_ids bigint[];
  trace text := public.current_trace_parent();
begin
  with numbered as materialized (
    select nextval('public.jobs_id_seq') as id, a.*
    from (
      select r.*
      from jsonb_to_recordset(asked) r (ordinal int, org_id text, type text, payload jsonb, run_at timestamptz,
        priority int, max_attempts int, file_id bigint, key text, unique_for text, depth int, after jsonb)
      order by r.depth, r.ordinal offset 0
    ) a
  ),
  inserted as (
    insert into public.jobs (id, org_id, type, payload, status, waiting_for, run_at, turn, priority, max_attempts,
      file_id, idempotency_key, unique_for, trace_parent)
    overriding system value
    select n.id, n.org_id, n.type, n.payload,
      case when n.after = '[]' then 'queued' else 'waiting' end,
      (select count(distinct x.value)::int from jsonb_array_elements(n.after) x),
      n.run_at, case when n.run_at > now() then 'later' else 'ready' end, n.priority, n.max_attempts,
      n.file_id, n.key, n.unique_for, trace
    from numbered n
    order by n.org_id, n.type, n.key, n.id
    on conflict do nothing
    returning jobs.id
  )
  select coalesce(array_agg(i.id), '{}') into new_ids from inserted i;
  return new_ids;
end $$;
revoke all on function public.insert_new_jobs(jsonb) from public, anon, authenticated;
grant execute on function public.insert_new_jobs(jsonb) to service_role;

-- Which job each of the checked ones is, in their order: the one whose key is taken for ever, or the unfinished one.
-- Called by enqueue_jobs, as a statement of its own: only its snapshot shows what a concurrent call committed first.
create function public.find_asked_jobs(asked jsonb) returns bigint[]
language plpgsql volatile security definer
set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  return (select array_agg(coalesce(
      case when a.unique_for = 'ever' then (
        select j.id from public.jobs j
        where j.org_id = a.org_id and j.type = a.type and j.idempotency_key = a.key and j.unique_for = 'ever') end,
      (select j.id from public.jobs j
        where j.org_id = a.org_id and j.type = a.type and j.idempotency_key = a.key
          and j.status in ('waiting', 'queued', 'processing')))
    order by a.ordinal)
  from jsonb_to_recordset(asked) a (ordinal int, org_id text, type text, key text, unique_for text));
end $$;
revoke all on function public.find_asked_jobs(jsonb) from public, anon, authenticated;
grant execute on function public.find_asked_jobs(jsonb) to service_role;

-- Does to jobs that exist already what the asked ones want of them: replaces what is not running yet, pushes its
-- run_at, takes its key for ever. One that runs already gives its key up, so that the newer work is not lost: that is
-- why a retry of it can never meet the newer job. Returns the ids of those that got something new.
-- Called by enqueue_once, which holds the jobs' locks. `existing` has one id, or null, for each of the asked.
create function public.change_existing_jobs(asked jsonb, existing bigint[]) returns bigint[]
language plpgsql security definer
set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  running bigint[];
  changed bigint[];
begin
  running := array(
    select j.id
    from jsonb_to_recordset(asked) a (ordinal int, on_conflict text)
    join public.jobs j on j.id = existing[a.ordinal + 1]
    where a.on_conflict <> 'return' and j.status = 'processing' and j.unique_for = 'unfinished');
  update public.jobs j set idempotency_key = format('%s#%s', left(j.idempotency_key, 490), j.id)
  where j.id = any (running);

  with wanted as (
    select distinct on (existing[a.ordinal + 1]) existing[a.ordinal + 1] as id, a.*
    from jsonb_to_recordset(asked) a (
      ordinal int, payload jsonb, run_at timestamptz, priority int, max_attempts int, unique_for text, on_conflict text)
    where existing[a.ordinal + 1] is not null and not existing[a.ordinal + 1] = any (running)
      and (a.on_conflict <> 'return' or a.unique_for = 'ever')
    order by existing[a.ordinal + 1], a.ordinal desc
  ),
  moved as (
    update public.jobs j set
      unique_for = case when w.unique_for = 'ever' then 'ever' else j.unique_for end,
      payload = case when w.on_conflict = 'replace' and m.movable then w.payload else j.payload end,
      priority = case when w.on_conflict = 'replace' and m.movable then w.priority else j.priority end,
      max_attempts = case when w.on_conflict = 'replace' and m.movable
        then least(greatest(w.max_attempts, j.attempts + 1), 100) else j.max_attempts end,
      run_at = case when m.movable then m.run_at else j.run_at end,
      turn = case when not m.movable or j.turn = 'alone' then j.turn when m.run_at > now() then 'later' else 'ready' end,
      updated_at = now()
    from wanted w
    join public.jobs old on old.id = w.id
    cross join lateral (select
      w.on_conflict <> 'return' and old.status in ('waiting', 'queued') as movable,
      case w.on_conflict when 'debounce' then greatest(w.run_at, old.run_at) else w.run_at end as run_at) m
    where j.id = w.id and old.status in ('waiting', 'queued', 'processing')
      and (m.movable or w.unique_for = 'ever' and j.unique_for <> 'ever')
    returning j.id, m.movable
  )
  select coalesce(array_agg(m.id) filter (where m.movable), '{}') into changed from moved m;
  return changed;
end $$;
revoke all on function public.change_existing_jobs(jsonb, bigint[]) from public, anon, authenticated;
grant execute on function public.change_existing_jobs(jsonb, bigint[]) to service_role;

-- Which job waits for which among the asked ones that are new: one row per pair, with the ref it goes by.
-- Called by enqueue_once.
create function public.links_of_flow(asked jsonb, job_ids bigint[], new_ids bigint[])
returns table (child bigint, parent bigint, ref text)
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
  return query
    select job_ids[a.ordinal + 1],
      case when jsonb_typeof(x.value) = 'number' then x.value::text::bigint else job_ids[p.ordinal + 1] end,
      p.ref
    from jsonb_to_recordset(asked) a (ordinal int, after jsonb)
    cross join jsonb_array_elements(a.after) x
    left join jsonb_to_recordset(asked) p (ordinal int, ref text)
      on jsonb_typeof(x.value) = 'string' and p.ref = x.value #>> '{}'
    where job_ids[a.ordinal + 1] = any (new_ids);
end $$;
revoke all on function public.links_of_flow(jsonb, bigint[], bigint[]) from public, anon, authenticated;
grant execute on function public.links_of_flow(jsonb, bigint[], bigint[]) to service_role;

-- One try at enqueueing checked jobs: the answer of enqueue_jobs. Raises CT001 when the world moved meanwhile (a job ended
-- before it was found, or one appeared that is not locked yet): then the caller undoes this try, locks and keys included.
-- Called by enqueue_jobs. Locks the jobs that exist and matter (parents, those to be changed) by ascending id, then takes
-- the new keys in their order, then locks nothing more that is not its own: retry_job and the others keep to that, too.
create function public.enqueue_once(asked jsonb) returns jsonb
language plpgsql security definer
set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  changes boolean := exists (
    select from jsonb_array_elements(asked) a
    where a.value ->> 'on_conflict' <> 'return' or a.value ->> 'unique_for' <> 'unfinished');
  flows boolean := exists (select from jsonb_array_elements(asked) a where a.value -> 'after' <> '[]');
  existing bigint[] := '{}';
  changed_ids bigint[] := '{}';
  new_ids bigint[];
  job_ids bigint[];
begin
  if flows or changes then
    existing := public.find_asked_jobs(asked);
    perform public.lock_jobs(existing || array(
      select x.value::text::bigint
      from jsonb_array_elements(asked) a cross join jsonb_array_elements(a.value -> 'after') x
      where jsonb_typeof(x.value) = 'number'));
  end if;
  if changes then
    changed_ids := public.change_existing_jobs(asked, existing);
  end if;
  new_ids := public.insert_new_jobs(asked);
  job_ids := public.find_asked_jobs(asked);
  if array_position(job_ids, null) is not null or ((flows or changes) and exists (
    select from unnest(job_ids) u (id) where u.id <> all (new_ids) and u.id <> all (array_remove(existing, null)))) then
    raise exception 'the jobs moved meanwhile' using errcode = 'CT001';
  end if;
  if flows then
    perform public.link_flow(
      array_agg(l.child), array_agg(l.parent), array_agg(l.ref)) from public.links_of_flow(asked, job_ids, new_ids) l
    having count(*) > 0;
  end if;

  return (
    select jsonb_agg(jsonb_build_object(
        'job_id', j.id, 'created', u.is_first and j.id = any (new_ids), 'status', j.status)
        || case when changes then jsonb_build_object('changed', j.id = any (changed_ids)) else '{}' end
      order by u.ordinal)
    from (
      select u.id, u.ordinal, row_number() over (partition by u.id order by u.ordinal) = 1 as is_first
      from unnest(job_ids) with ordinality u (id, ordinal)
    ) u
    join public.jobs j on j.id = u.id);
end $$;
revoke all on function public.enqueue_once(jsonb) from public, anon, authenticated;
grant execute on function public.enqueue_once(jsonb) to service_role;

-- Enqueues a batch, or a flow whose jobs wait for each other: an array of
--   {"org_id", "type", "payload"?, "run_at"?, "priority"?, "max_attempts"?, "idempotency_key"?, "unique_for"?,
--    "on_conflict"?, "ref"?, "after"?: [ref of this flow | id of a job]}
-- and answers, in the same order, [{"job_id", "created", "status", "changed"?}]. The same work that is still unfinished
-- (unique_for ever: that was ever enqueued so) is returned instead of enqueued again; on_conflict replace gives one that
-- has not started the new payload, priority and run_at, debounce only pushes its run_at; one that runs is let be, and the
-- new work enqueued beside it. All or nothing: one bad element refuses the batch (22023).
-- Called by handlers' callers, the CLI and the storage trigger. Never waits for a worker.
create function public.enqueue_jobs(jobs jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  asked jsonb := public.check_jobs_to_enqueue(jobs);
begin
  if asked = '[]' then
    return '[]';
  end if;
  for attempt in 1..10 loop
    begin
      return public.enqueue_once(asked);
    exception when sqlstate 'CT001' then
      null; -- once more: this try is undone, with the locks and the keys that it held
    end;
  end loop;
  raise exception 'the same work keeps ending while this call enqueues it; call again' using errcode = '55P03';
end $$;
comment on function public.enqueue_jobs(jsonb) is 'Enqueues a batch or a flow of jobs.';
revoke all on function public.enqueue_jobs(jsonb) from public, anon, authenticated;
grant execute on function public.enqueue_jobs(jsonb) to service_role;

-- Enqueues one job and answers {"job_id", "created", "status", "changed"?}. Only the organisation and the type are required.
-- Called by applications and the CLI. The same work that is still unfinished is returned, not enqueued again.
create function public.enqueue_job(
  org_id text,
  type text,
  payload jsonb default '{}',
  run_at timestamptz default null,
  priority int default 0,
  max_attempts int default null,
  idempotency_key text default null,
  on_conflict text default 'return',
  unique_for text default 'unfinished'
) returns jsonb
language sql security definer set search_path = '' as $$
  select public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'org_id', org_id, 'type', type, 'payload', payload, 'run_at', run_at,
    'priority', priority, 'max_attempts', max_attempts, 'idempotency_key', idempotency_key,
    'on_conflict', on_conflict, 'unique_for', unique_for))) -> 0
$$;
comment on function public.enqueue_job(text, text, jsonb, timestamptz, int, int, text, text, text) is 'Enqueues one job.';
revoke all on function public.enqueue_job(text, text, jsonb, timestamptz, int, int, text, text, text)
from public, anon, authenticated;
grant execute on function public.enqueue_job(text, text, jsonb, timestamptz, int, int, text, text, text) to service_role;
