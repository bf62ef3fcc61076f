-- limits: how much of the queue one job type or one organisation may take up at once, and per day. All off by default.
--
-- Concurrency is counted from live leases whenever jobs are claimed: there is no counter that could leak. What an
-- organisation used today is settled when attempts end; what its running jobs will cost is reserved by counting them.
-- A job beyond a limit waits; limit_reached() says for what.

create table public.org_limits (
  org_id text primary key check (btrim(org_id) <> ''),
  org_key bigint not null generated always as (hashtextextended(org_id, 0)) stored,
  max_concurrency int check (max_concurrency >= 0),
  jobs_per_day int check (jobs_per_day >= 0),
  spend_per_day numeric check (spend_per_day between 0 and 1e12)
);
comment on table public.org_limits is
  'What one organisation may have. A null takes the value of the row ''*'', which holds for all; null there: no limit.';
comment on column public.org_limits.jobs_per_day is 'Attempts per day (UTC); released, snoozed and crashed ones are free.';
comment on column public.org_limits.spend_per_day is
  'Per day (UTC), in the unit in which handlers report costs. Jobs wait when it is spent or reserved.';
create index org_limits_by_key on public.org_limits (org_key);
insert into public.org_limits (org_id) values ('*');

create table public.org_usage (
  org_key bigint not null,
  day date not null,
  org_id text not null,
  jobs int not null default 0,
  spend numeric not null default 0,
  primary key (org_key, day)
);
comment on table public.org_usage is 'What each organisation used per day (UTC), while limits are on or costs are reported.';

create type public.candidate as (id bigint, type text, org_key bigint);
comment on type public.candidate is 'A job that a claim may take; its lane is (type, org_key).';

-- Whether any limit is set: claims are spared all counting otherwise. Called by claim_jobs, start_job, end_attempts.
create function public.limits_are_on() returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return exists (
      select from public.org_limits l where num_nonnulls(l.max_concurrency, l.jobs_per_day, l.spend_per_day) > 0)
    or exists (
      select from public.job_types t where num_nonnulls(t.max_concurrency, t.max_concurrency_per_org) > 0);
end $$;
revoke all on function public.limits_are_on() from public, anon, authenticated;
grant execute on function public.limits_are_on() to service_role;

-- What every limited organisation among these has left: how many jobs, and how much to spend.
-- Called by within_limits and limit_reached. Reads live leases; takes no locks.
create function public.org_rooms(org_keys bigint[])
returns table (org_key bigint, slots int, jobs_today int, spend_today numeric, spend_per_day numeric)
language sql stable security definer set search_path = '' as $$
  select k.org_key,
    l.max_concurrency - coalesce(live.jobs, 0)::int,
    l.jobs_per_day - coalesce(used.jobs, 0) - coalesce(live.jobs, 0)::int,
    l.spend_per_day - coalesce(used.spend, 0) - coalesce(live.cost, 0),
    l.spend_per_day
  from unnest(org_keys) k (org_key)
  left join public.org_limits own on own.org_key = k.org_key
  left join public.org_limits every on every.org_id = '*'
  cross join lateral (select
    coalesce(own.max_concurrency, every.max_concurrency) as max_concurrency,
    coalesce(own.jobs_per_day, every.jobs_per_day) as jobs_per_day,
    coalesce(own.spend_per_day, every.spend_per_day) as spend_per_day) l
  left join public.org_usage used on used.org_key = k.org_key and used.day = (now() at time zone 'UTC')::date
  left join (
    select j.org_key, count(*) as jobs, sum(coalesce(p.usual_cost, d.usual_cost, 0)) as cost
    from public.jobs j
    left join public.job_policies p on p.type = j.type
    join public.job_policies d on d.type = '*'
    where j.status = 'processing' and j.lease_expires_at >= now()
    group by j.org_key
  ) live on live.org_key = k.org_key
$$;
revoke all on function public.org_rooms(bigint[]) from public, anon, authenticated;
grant execute on function public.org_rooms(bigint[]) to service_role;

-- How many more jobs of each limited type may run, over all organisations. Called by open_types and within_limits.
create function public.type_rooms() returns table (type text, slots int)
language plpgsql stable security definer set search_path = '' as $$
begin
  return query select t.type, t.max_concurrency - (
    select count(*) from public.jobs j
    where j.status = 'processing' and j.type = t.type and j.lease_expires_at >= now())::int
  from public.job_types t where t.max_concurrency is not null;
end $$;
revoke all on function public.type_rooms() from public, anon, authenticated;
grant execute on function public.type_rooms() to service_role;

-- Those of the candidates, in their order, that keep every limit if all of them run at once.
-- Called by claim_jobs and start_job, one at a time under an advisory lock: two claims never fill the same room.
create function public.within_limits(candidates public.candidate[]) returns public.candidate[]
language sql stable security definer set search_path = '' as $$
  with asked as (
    select c.id, c.type, c.org_key, c.ordinality as ordinal,
      coalesce(p.max_concurrency_per_org, d.max_concurrency_per_org) as per_org,
      coalesce(p.usual_cost, d.usual_cost, 0) as cost
    from unnest(candidates) with ordinality c (id, type, org_key, ordinality)
    left join public.job_policies p on p.type = c.type
    join public.job_policies d on d.type = '*'
  ),
  live as (
    select j.type, j.org_key, count(*) as jobs from public.jobs j
    where j.status = 'processing' and j.lease_expires_at >= now() group by j.type, j.org_key
  ),
  of_lane as (
    select a.*, row_number() over (partition by a.type, a.org_key order by a.ordinal) + coalesce(l.jobs, 0) as place
    from asked a left join live l on l.type = a.type and l.org_key = a.org_key
  ),
  of_org as (
    select l.*, least(r.slots, r.jobs_today) as jobs_left, r.spend_today,
      row_number() over (partition by l.org_key order by l.ordinal) as place_in_org,
      sum(l.cost) over (partition by l.org_key order by l.ordinal) as spent
    from of_lane l
    join public.org_rooms(array(select distinct a.org_key from asked a)) r on r.org_key = l.org_key
    -- One that is too dear for what is left today must not keep the cheaper ones behind it waiting.
    where (l.per_org is null or l.place <= l.per_org)
      and (r.spend_today is null or (r.spend_today > 0 and l.cost <= r.spend_today))
  ),
  of_type as (
    select o.*, row_number() over (partition by o.type order by o.ordinal) as place_in_type
    from of_org o
    where o.place_in_org <= coalesce(o.jobs_left, o.place_in_org)
      and o.spent <= coalesce(o.spend_today, o.spent)
  )
  select coalesce(array_agg(row(t.id, t.type, t.org_key)::public.candidate order by t.ordinal), '{}')
  from of_type t left join public.type_rooms() r on r.type = t.type
  where t.place_in_type <= coalesce(r.slots, t.place_in_type)
$$;
revoke all on function public.within_limits(public.candidate[]) from public, anon, authenticated;
grant execute on function public.within_limits(public.candidate[]) to service_role;

-- The limit that keeps a job of this type and organisation waiting, as a sentence; null when none does.
-- Called by pending_jobs_queue and start_job. Takes no locks.
create function public.limit_reached(type text, org_id text) returns text
language sql stable security definer set search_path = '' as $$
  select case
    when t.slots <= 0 then format('as many %s jobs run as may run at once', limit_reached.type)
    when live.jobs >= p.max_concurrency_per_org
      then format('as many %s jobs of this organisation run as may run at once', limit_reached.type)
    when r.slots <= 0 then 'as many jobs of this organisation run as may run at once'
    when r.jobs_today <= 0 then 'the organisation has used its jobs of today (UTC)'
    when p.usual_cost > r.spend_per_day
      then format('a %s job usually costs more than the organisation may spend in a day', limit_reached.type)
    when r.spend_today <= 0 or r.spend_today < p.usual_cost then 'the organisation has used its budget of today (UTC)'
  end
  from public.org_rooms(array[hashtextextended(limit_reached.org_id, 0)]) r
  left join public.type_rooms() t on t.type = limit_reached.type
  cross join lateral (
    select coalesce(own.max_concurrency_per_org, every.max_concurrency_per_org) as max_concurrency_per_org,
      coalesce(own.usual_cost, every.usual_cost, 0) as usual_cost
    from public.job_policies every left join public.job_policies own on own.type = limit_reached.type
    where every.type = '*') p
  cross join lateral (
    select count(*) as jobs from public.jobs j
    where j.status = 'processing' and j.type = limit_reached.type and j.org_key = hashtextextended(limit_reached.org_id, 0)
      and j.lease_expires_at >= now()) live
$$;
revoke all on function public.limit_reached(text, text) from public, anon, authenticated;
grant execute on function public.limit_reached(text, text) to service_role;

-- Keeps claims that have limits to respect from filling the same room twice: they go one at a time.
-- Called by claim_jobs and start_job before they lock any job; held until they commit. True when limits are on.
create function public.hold_limits() returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  if not public.limits_are_on() then
    return false;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('crontick: claims within limits', 0));
  return true;
end $$;
revoke all on function public.hold_limits() from public, anon, authenticated;
grant execute on function public.hold_limits() to service_role;
