-- turns: whose job is next.
--
-- A batch is put together fairly at a bounded price. A quarter of it goes to whatever comes first by place, which is
-- where priority and age count across organisations; the rest goes round the organisations, found by jumping through
-- the index jobs_ready from a random one to the next. Nothing here grows with the backlog.

-- Makes jobs ready whose time has come, the longest overdue first. Called by claim_jobs.
-- Locks at most `up_to` of them, skipping those that another claim makes ready right now.
create function public.ready_due_jobs(up_to int default 1000) returns void
language plpgsql volatile security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  update public.jobs j set turn = 'ready'
  where j.id = any (array(
    select l.id from public.jobs l
    where l.status = 'queued' and l.turn = 'later' and l.run_at <= now()
    order by l.run_at limit up_to for update skip locked));
end $$;
revoke all on function public.ready_due_jobs(int) from public, anon, authenticated;
grant execute on function public.ready_due_jobs(int) to service_role;

-- The types that this claim may take from: those that have claimable jobs, were asked for, have room under their
-- limit, and usually end within `fits_in` seconds: nine in ten of those among the latest 5,000 attempts; unknown ones fit.
-- Called by claim_jobs and count_claimable_jobs. Jumps from type to type through the index; takes no locks.
create function public.open_types(types text[], fits_in int) returns text[]
language plpgsql stable security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
begin
  return (
  with recursive present (type) as (
    (select j.type from public.jobs j where j.status = 'queued' and j.turn = 'ready' order by j.type limit 1)
    union all
    select (
      select j.type from public.jobs j where j.status = 'queued' and j.turn = 'ready' and j.type > p.type
      order by j.type limit 1)
    from present p where p.type is not null
  ),
  latest as (
    select r.type, r.outcome, r.duration_ms, r.reused_from
    from public.job_runs r where fits_in is not null order by r.job_id desc limit 5000
  ),
  usual as (
    select l.type, percentile_disc(0.9) within group (order by l.duration_ms) as ms
    from latest l where l.outcome = 'done' and l.reused_from is null group by l.type
  ),
  named as (
    select p.type from present p
    union
    select j.type from public.jobs j where j.status = 'queued' and j.turn = 'alone' and j.run_at <= now()
  )
  select coalesce(array_agg(n.type), '{}')
  from named n left join public.type_rooms() r on r.type = n.type left join usual u on u.type = n.type
  where n.type is not null and (open_types.types is null or n.type = any (open_types.types)) and coalesce(r.slots, 1) > 0
    and (fits_in is null or coalesce(u.ms, 0) <= fits_in::bigint * 1000));
end $$;
revoke all on function public.open_types(text[], int) from public, anon, authenticated;
grant execute on function public.open_types(text[], int) to service_role;

-- Ready jobs of these types in the order in which a batch should take them, several times as many as are wanted: first
-- those ahead of all by place, then one of each organisation in turn. At most so many organisations of each type are
-- visited, starting at a random one.
-- Called by claim_jobs and count_claimable_jobs. Reads (types · organisations) pieces of an index; takes no locks.
create function public.candidates_in_turn(types text[], wanted int, organisations int) returns public.candidate[]
language plpgsql volatile security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  anywhere bigint := hashtextextended(gen_random_uuid()::text, 0);
  quarter int := floor(wanted / 4.0 + random());
begin
  return (
  with recursive lane (type, org_key, wrapped, steps) as (
    select t.type, f.org_key, f.org_key < anywhere, 1
    from unnest(candidates_in_turn.types) t (type)
    cross join lateral (select coalesce(
      (select j.org_key from public.jobs j where j.status = 'queued' and j.turn = 'ready' and j.type = t.type
        and j.org_key >= anywhere order by j.org_key limit 1),
      (select j.org_key from public.jobs j where j.status = 'queued' and j.turn = 'ready' and j.type = t.type
        order by j.org_key limit 1)) as org_key offset 0) f
    where f.org_key is not null
    union all
    select l.type, n.org_key, l.wrapped or n.org_key < l.org_key, l.steps + 1
    from lane l
    cross join lateral (select coalesce(
      (select j.org_key from public.jobs j where j.status = 'queued' and j.turn = 'ready' and j.type = l.type
        and j.org_key > l.org_key order by j.org_key limit 1),
      case when not l.wrapped then (
        select j.org_key from public.jobs j where j.status = 'queued' and j.turn = 'ready' and j.type = l.type
        order by j.org_key limit 1) end) as org_key offset 0) n
    where l.steps < organisations
      and n.org_key is not null and not ((l.wrapped or n.org_key < l.org_key) and n.org_key >= anywhere)
  ),
  depth as (
    select least(wanted, ceil(4.0 * wanted / greatest(count(distinct l.org_key), 1)))::int as jobs from lane l
  ),
  ahead as (
    select h.id, t.type, h.org_key, h.place
    from unnest(candidates_in_turn.types) t (type)
    cross join lateral (
      select j.id, j.org_key, j.place from public.jobs j
      where j.status = 'queued' and j.turn = 'ready' and j.priority >= -1000 and j.type = t.type
      order by j.place, j.id limit quarter) h
    order by h.place, h.id limit quarter
  ),
  of_lanes as (
    select x.id, l.type, l.org_key, x.place
    from lane l
    cross join lateral (
      select j.id, j.place from public.jobs j
      where j.status = 'queued' and j.turn = 'ready' and j.type = l.type and j.org_key = l.org_key
      order by j.place, j.id limit (select d.jobs from depth d)) x
  ),
  ranked as (
    select a.id, a.type, a.org_key, a.place, 0 as round from ahead a
    union all
    select o.id, o.type, o.org_key, o.place, row_number() over (partition by o.org_key order by o.place, o.id)
    from of_lanes o where o.id not in (select a.id from ahead a)
  )
  select coalesce(array_agg(row(r.id, r.type, r.org_key)::public.candidate order by r.round, r.place, r.id), '{}')
  from ranked r);
end $$;
revoke all on function public.candidates_in_turn(text[], int, int) from public, anon, authenticated;
grant execute on function public.candidates_in_turn(text[], int, int) to service_role;

-- Locks as many jobs of each lane as stand among the first `wanted` candidates: the candidates themselves, or, where
-- another claim was faster, those behind them in the same lane. Whatever is locked is skipped, never waited for.
-- Called by claim_jobs. The quota per lane keeps every limit that the candidates keep.
create function public.lock_in_lanes(candidates public.candidate[], wanted int) returns bigint[]
language plpgsql volatile security definer set search_path = ''
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
begin
  return (
  with quota as materialized (
    select c.type, c.org_key, count(*) as jobs
    from unnest(candidates[:wanted]) c (id, type, org_key)
    group by c.type, c.org_key
  )
  select array(
    select x.id
    from quota q
    cross join lateral (
      select j.id from public.jobs j
      where j.status = 'queued' and j.turn = 'ready' and j.type = q.type and j.org_key = q.org_key
      order by j.place, j.id limit q.jobs for update skip locked) x));
end $$;
revoke all on function public.lock_in_lanes(public.candidate[], int) from public, anon, authenticated;
grant execute on function public.lock_in_lanes(public.candidate[], int) to service_role;
