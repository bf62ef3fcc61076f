-- flows: jobs that wait for other jobs, and what moves them on.

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
    cross join jsonb_array_elements(coalesce(nullif(e.value -> 'after', 'null'), '[]')) p
    cross join lateral (select p.value #>> '{}' as value) a
    where jsonb_typeof(p.value) = 'string'
      and not exists (select from jsonb_array_elements(jobs) o where o.value ->> 'ref' = a.value)
    order by e.ordinality limit 1;
  end if;
  if problem is not null then
    raise exception '%', problem using errcode = '22023';
  end if;

  with recursive element as (
    select (e.ordinality - 1)::int as ordinal, e.value ->> 'ref' as ref, array(
      select a.value #>> '{}'
      from jsonb_array_elements(coalesce(nullif(e.value -> 'after', 'null'), '[]')) a
      where jsonb_typeof(a.value) = 'string') as after
    from jsonb_array_elements(jobs) with ordinality e
  ),
  edge as (
    select distinct child.ordinal as child, parent.ordinal as parent
    from element child
    join element parent on parent.ref = any (child.after)
  ),
  reached as (
    select e.ordinal, 0 as depth from element e where e.after = '{}'
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

-- Lets the new jobs of a flow wait for their parents, some of which may be older jobs that have ended.
-- Called by enqueue_once, which holds the locks of older parents, so that none ends unnoticed meanwhile.
create function public.link_flow(children bigint[], parents bigint[], refs text[]) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  insert into public.job_parents (job_id, parent_id, ref)
  select u.child, u.parent, min(u.ref) from unnest(children, parents, refs) u (child, parent, ref)
  group by u.child, u.parent;

  perform public.settle_waiting(children);
end $$;
revoke all on function public.link_flow(bigint[], bigint[], text[]) from public, anon, authenticated;
grant execute on function public.link_flow(bigint[], bigint[], text[]) to service_role;

-- Moves on whatever waits for these jobs.
-- Called by resolve_jobs, claim_jobs (dead letters of expired leases), retry_job and whatever cancels jobs.
create function public.settle_children(parent_ids bigint[]) returns void
language plpgsql security definer
set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  children bigint[] := array(
    select distinct e.job_id from public.job_parents e where e.parent_id = any (parent_ids) order by e.job_id);
begin
  if children <> '{}' then
    perform public.settle_waiting(children);
  end if;
end $$;
revoke all on function public.settle_children(bigint[]) from public, anon, authenticated;
grant execute on function public.settle_children(bigint[]) to service_role;

-- Moves waiting jobs on: queued once all parents are done, cancelled with their own children once one is a dead letter
-- or cancelled.
-- Called by settle_children and link_flow.
-- Locks the waiting jobs by ascending id, then counts: two parents that end at once cannot both miss it.
create function public.settle_waiting(children bigint[]) returns void
language plpgsql security definer
set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  dead bigint[];
begin
  while children <> '{}' loop
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
        turn = case when j.run_at > now() then 'later' else 'ready' end,
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
    -- Level by level in a loop: a chain of hundreds would exceed the stack.
    children := array(select distinct e.job_id from public.job_parents e where e.parent_id = any (dead) order by e.job_id);
  end loop;
end $$;
revoke all on function public.settle_waiting(bigint[]) from public, anon, authenticated;
grant execute on function public.settle_waiting(bigint[]) to service_role;

-- The jobs that wait, directly or further down, for these. Called by whatever locks them together.
create function public.waiting_descendants(job_ids bigint[]) returns bigint[]
language plpgsql stable security definer
set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  return array(
    with recursive below (id) as (
      select e.job_id from public.job_parents e where e.parent_id = any (job_ids)
      union
      select e.job_id from below b join public.job_parents e on e.parent_id = b.id
    )
    select b.id from below b);
end $$;
revoke all on function public.waiting_descendants(bigint[]) from public, anon, authenticated;
grant execute on function public.waiting_descendants(bigint[]) to service_role;

-- Locks jobs by ascending id, the order that every caller keeps to. Called by all that lock several.
create function public.lock_jobs(job_ids bigint[]) returns void
language plpgsql security definer
set search_path = '' set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  perform 1 from public.jobs j where j.id = any (job_ids) order by j.id for update;
end $$;
revoke all on function public.lock_jobs(bigint[]) from public, anon, authenticated;
grant execute on function public.lock_jobs(bigint[]) to service_role;
