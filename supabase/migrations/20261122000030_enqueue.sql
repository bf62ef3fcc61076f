-- enqueue: work becomes rows of jobs, once per idempotency key, alone or as a flow of jobs that wait.

-- How deep each job of a flow sits below the ones it waits for; no rows when nothing waits.
-- Called by check_jobs_to_enqueue. Raises 22023 for a ref that is doubled or unknown, and for a cycle.
create function public.flow_depths(jobs jsonb) returns table (ordinal int, depth int)
language plpgsql stable security definer set search_path = '' as $$
declare
  problem text;
  elements int := jsonb_array_length(jobs);
  ordinals int[];
  depths int[];
begin
  if not exists (select from jsonb_array_elements(jobs) e where e.value ? 'after' or e.value ? 'ref') then
    return;
  end if;

  select format('ref "%s" is used twice', e.value ->> 'ref') into problem
  from jsonb_array_elements(jobs) e where e.value ->> 'ref' is not null
  group by e.value ->> 'ref' having count(*) > 1 limit 1;
  if problem is null then
    select format('jobs[%s]: after names "%s", but no job of this flow has that ref', e.ordinality - 1, a.value)
    into problem
    from jsonb_array_elements(jobs) with ordinality e
    cross join jsonb_array_elements_text(coalesce(nullif(e.value -> 'after', 'null'), '[]')) a
    where not exists (select from jsonb_array_elements(jobs) p where p.value ->> 'ref' = a.value)
    order by e.ordinality limit 1;
  end if;
  if problem is not null then
    raise exception '%', problem using errcode = '22023';
  end if;

  with recursive element as (
    select (e.ordinality - 1)::int as ordinal, e.value ->> 'ref' as ref,
      coalesce(nullif(e.value -> 'after', 'null'), '[]') as after
    from jsonb_array_elements(jobs) with ordinality e
  ),
  edge as (
    select distinct child.ordinal as child, parent.ordinal as parent
    from element child
    cross join jsonb_array_elements_text(child.after) a
    join element parent on parent.ref = a.value
  ),
  reached as (
    select e.ordinal, 0 as depth from element e where e.after = '[]'
    union
    select edge.child, reached.depth + 1
    from reached join edge on edge.parent = reached.ordinal
    -- Deeper than there are elements means a circle; twice as deep names each of its members.
    where reached.depth < 2 * elements
  ),
  deepest as (
    select r.ordinal, max(r.depth) as depth from reached r group by r.ordinal
  )
  select array_agg(d.ordinal), array_agg(d.depth) into ordinals, depths from deepest d;

  if coalesce(cardinality(ordinals), 0) < elements or elements <= any (depths) then
    raise exception 'the jobs of this flow wait for each other in a circle: %', (
      select string_agg(coalesce(e.value ->> 'ref', e.value ->> 'type'), ', ' order by e.ordinality)
      from jsonb_array_elements(jobs) with ordinality e
      where coalesce(depths[array_position(ordinals, (e.ordinality - 1)::int)], elements) >= elements
    ) using errcode = '22023';
  end if;
  return query select u.o, u.d from unnest(ordinals, depths) u (o, d);
end $$;
revoke all on function public.flow_depths(jsonb) from public, anon, authenticated;
grant execute on function public.flow_depths(jsonb) to service_role;

-- What is wrong with one job that somebody wants to enqueue; null when nothing is.
-- Called by check_jobs_to_enqueue. Takes no locks.
create function public.problem_of_job(job jsonb) returns text
language plpgsql stable security definer set search_path = '' as $$
declare
  run_at timestamptz;
begin
  if jsonb_typeof(job) <> 'object' then
    return 'expected an object';
  elsif coalesce(btrim(job ->> 'org_id'), '') = '' then
    return 'org_id is missing: every job belongs to an organisation';
  elsif length(job ->> 'org_id') > 256 or length(job ->> 'idempotency_key') > 512 then
    return 'org_id may have 256 characters and idempotency_key 512';
  elsif coalesce(job ->> 'type', '') !~ '^[a-z][a-z0-9_]{0,62}$' then
    return format('type %s is not a job type: expected a lower-case name such as create_cards', coalesce(job ->> 'type', 'null'));
  elsif jsonb_typeof(coalesce(job -> 'payload', '{}')) not in ('object', 'null') then
    return 'payload: expected an object';
  elsif jsonb_typeof(coalesce(job -> 'after', '[]')) not in ('array', 'null') then
    return 'after: expected an array of refs';
  elsif coalesce(job ->> 'priority', '0') !~ '^(-?[0-9]{1,3}|-?1000)$' then
    return 'priority: expected a whole number from -1000 to 1000';
  elsif coalesce(job ->> 'max_attempts', '1') !~ '^([1-9][0-9]?|100)$' then
    return 'max_attempts: expected a whole number from 1 to 100';
  elsif coalesce(job ->> 'file_id', '1') !~ '^[1-9][0-9]{0,17}$' then
    return 'file_id: expected the number of a file';
  elsif job ->> 'file_id' is not null
    and not exists (select from public.ingested_files f where f.id = (job ->> 'file_id')::bigint) then
    return format('file_id: there is no file %s', job ->> 'file_id');
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
  return null;
end $$;
revoke all on function public.problem_of_job(jsonb) from public, anon, authenticated;
grant execute on function public.problem_of_job(jsonb) to service_role;

-- Reads what a caller asks for into one complete row per job, as a jsonb array.
-- Called by enqueue_jobs. Raises 22023 naming the element that is wrong; takes no locks.
create function public.check_jobs_to_enqueue(jobs jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
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

  select format('jobs[%s] is the same work as jobs[%s], but waits for other jobs', max(c.ordinal), min(c.ordinal))
  into problem
  from jsonb_to_recordset(checked) c (ordinal int, org_id text, type text, key text, after jsonb)
  group by c.org_id, c.type, c.key having count(distinct c.after) > 1 limit 1;
  if problem is not null then
    raise exception '%', problem using errcode = '22023';
  end if;
  return checked;
end $$;
revoke all on function public.check_jobs_to_enqueue(jsonb) from public, anon, authenticated;
grant execute on function public.check_jobs_to_enqueue(jsonb) to service_role;

-- Lets the new jobs of a flow wait for their parents, some of which may be older jobs that just ended.
-- Called by enqueue_jobs. Locks older parents by ascending id, so that none ends unnoticed meanwhile.
create function public.link_flow(children bigint[], parents bigint[]) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  perform 1 from public.jobs j where j.id = any (parents) order by j.id for update;

  insert into public.job_parents (job_id, parent_id)
  select distinct u.child, u.parent from unnest(children, parents) u (child, parent);

  perform public.settle_children(parents);
end $$;
revoke all on function public.link_flow(bigint[], bigint[]) from public, anon, authenticated;
grant execute on function public.link_flow(bigint[], bigint[]) to service_role;

-- Moves on whatever waits for these jobs: queued once all parents are done, cancelled with its own
-- children once one is a dead letter or cancelled.
-- Called by link_flow, resolve_jobs, claim_jobs (dead letters of expired leases) and cancel_job.
-- Locks the waiting jobs by ascending id, then counts: two parents that end at once cannot both miss it.
create function public.settle_children(parent_ids bigint[]) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  children bigint[];
  dead bigint[];
begin
  children := array(
    select distinct e.job_id from public.job_parents e where e.parent_id = any (parent_ids) order by e.job_id);
  if cardinality(children) = 0 then
    return;
  end if;
  perform 1 from public.jobs j where j.id = any (children) and j.status = 'waiting' order by j.id for update;

  with left_over as (
    select e.job_id,
      count(*) filter (where p.status <> 'done') as unfinished,
      min(p.id) filter (where p.status in ('failed', 'cancelled')) as culprit
    from public.job_parents e join public.jobs p on p.id = e.parent_id
    where e.job_id = any (children)
    group by e.job_id
  ),
  moved as (
    update public.jobs j set
      status = case when l.culprit is not null then 'cancelled' when l.unfinished = 0 then 'queued' else 'waiting' end,
      waiting_for = l.unfinished,
      run_at = case when l.unfinished = 0 then greatest(j.run_at, now()) else j.run_at end,
      cancelled_by = l.culprit,
      last_error = case when l.culprit is not null
        then format('job %s (%s), which this one waits for, ended as %s', p.id, p.type, p.status) end,
      completed_at = case when l.culprit is not null then now() end,
      updated_at = now()
    from left_over l left join public.jobs p on p.id = l.culprit
    where j.id = l.job_id and j.status = 'waiting'
    returning j.id, j.status
  )
  select array_agg(m.id) into dead from moved m where m.status = 'cancelled';
  if dead is not null then
    perform public.settle_children(dead);
  end if;
end $$;
revoke all on function public.settle_children(bigint[]) from public, anon, authenticated;
grant execute on function public.settle_children(bigint[]) to service_role;

-- Inserts those of the checked jobs that do not exist yet and returns their ids, which follow the flow: parents first.
-- Called by enqueue_jobs. Rows go in by key, so that two calls meet the keys they share in the same order.
create function public.insert_new_jobs(asked jsonb) returns bigint[]
language sql security definer set search_path = '' as $$
  with numbered as materialized (
    select nextval('public.jobs_id_seq') as id, a.*
    from (
      select r.*
      from jsonb_to_recordset(asked) r (ordinal int, org_id text, type text, payload jsonb, run_at timestamptz,
        priority int, max_attempts int, file_id bigint, key text, depth int, after jsonb)
      order by r.depth, r.ordinal offset 0
    ) a
  ),
  inserted as (
    insert into public.jobs
      (id, org_id, type, payload, status, waiting_for, run_at, priority, max_attempts, file_id, idempotency_key)
    overriding system value
    select n.id, n.org_id, n.type, n.payload,
      case when n.after = '[]' then 'queued' else 'waiting' end,
      (select count(distinct x.value)::int from jsonb_array_elements_text(n.after) x),
      n.run_at, n.priority, n.max_attempts, n.file_id, n.key
    from numbered n
    order by n.org_id, n.type, n.key, n.id
    on conflict (org_id, type, idempotency_key) where status in ('waiting', 'queued', 'processing') do nothing
    returning id
  )
  select coalesce(array_agg(i.id), '{}') from inserted i
$$;
revoke all on function public.insert_new_jobs(jsonb) from public, anon, authenticated;
grant execute on function public.insert_new_jobs(jsonb) to service_role;

-- Enqueues a batch, or a flow whose jobs wait for each other: an array of
--   {"org_id", "type", "payload"?, "run_at"?, "priority"?, "max_attempts"?, "idempotency_key"?, "ref"?, "after"?: [ref]}
-- and answers, in the same order, [{"job_id", "created", "status"}]. The same work that is still unfinished
-- is returned instead of enqueued again. All or nothing: one bad element refuses the batch (22023).
-- Called by handlers' callers, the CLI and the storage trigger. Never waits for a worker.
create function public.enqueue_jobs(jobs jsonb) returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  asked jsonb := public.check_jobs_to_enqueue(jobs);
  new_ids bigint[];
  job_ids bigint[];
  children bigint[];
  parents bigint[];
begin
  for attempt in 1..10 loop
    new_ids := public.insert_new_jobs(asked);

    -- A statement of its own: only its snapshot shows a job that a concurrent call committed first.
    select array_agg((
        select j.id from public.jobs j
        where j.org_id = a.org_id and j.type = a.type and j.idempotency_key = a.key
          and j.status in ('waiting', 'queued', 'processing')
      ) order by a.ordinal) into job_ids
    from jsonb_to_recordset(asked) a (ordinal int, org_id text, type text, key text);

    select array_agg(job_ids[a.ordinal + 1]), array_agg(job_ids[p.ordinal + 1]) into children, parents
    from jsonb_to_recordset(asked) a (ordinal int, after jsonb)
    cross join jsonb_array_elements_text(a.after) x
    join jsonb_to_recordset(asked) p (ordinal int, ref text) on p.ref = x.value
    where job_ids[a.ordinal + 1] = any (new_ids);

    -- One that ended before we found it, or a parent that somebody else made after our child: once more, from the start.
    exit when array_position(job_ids, null) is null
      and not exists (select from unnest(children, parents) u (child, parent) where u.parent >= u.child);
    delete from public.jobs j where j.id = any (new_ids);
    job_ids := null;
  end loop;
  if job_ids is null and asked <> '[]' then
    raise exception 'the same work keeps ending while this call enqueues it; call again' using errcode = '55P03';
  end if;
  if children is not null then
    perform public.link_flow(children, parents);
  end if;

  return coalesce((
    select jsonb_agg(jsonb_build_object(
        'job_id', j.id, 'created', u.is_first and j.id = any (new_ids), 'status', j.status)
      order by u.ordinal)
    from (
      select u.id, u.ordinal, row_number() over (partition by u.id order by u.ordinal) = 1 as is_first
      from unnest(job_ids) with ordinality u (id, ordinal)
    ) u
    join public.jobs j on j.id = u.id), '[]');
end $$;
comment on function public.enqueue_jobs(jsonb) is 'Enqueues a batch or a flow of jobs.';
revoke all on function public.enqueue_jobs(jsonb) from public, anon, authenticated;
grant execute on function public.enqueue_jobs(jsonb) to service_role;

-- Enqueues one job and answers {"job_id", "created", "status"}. Only the organisation and the type are required.
-- Called by applications and the CLI. The same work that is still unfinished is returned, not enqueued again.
create function public.enqueue_job(
  org_id text,
  type text,
  payload jsonb default '{}',
  run_at timestamptz default null,
  priority int default 0,
  max_attempts int default null,
  idempotency_key text default null
) returns jsonb
language sql security definer set search_path = '' as $$
  select public.enqueue_jobs(jsonb_build_array(jsonb_build_object(
    'org_id', org_id, 'type', type, 'payload', payload, 'run_at', run_at,
    'priority', priority, 'max_attempts', max_attempts, 'idempotency_key', idempotency_key))) -> 0
$$;
comment on function public.enqueue_job(text, text, jsonb, timestamptz, int, int, text) is 'Enqueues one job.';
revoke all on function public.enqueue_job(text, text, jsonb, timestamptz, int, int, text) from public, anon, authenticated;
grant execute on function public.enqueue_job(text, text, jsonb, timestamptz, int, int, text) to service_role;
