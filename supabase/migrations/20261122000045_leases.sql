-- leases: a worker says that it still runs its jobs, and hears which are its own no more.

-- Reads a heartbeat element by element; what is malformed has no job_id, so its verdict is "lost".
-- Called by extend_leases. A progress of more than 10 kB is left out: people watch it.
create function public.read_leases(leases jsonb)
returns table (ordinal bigint, named jsonb, job_id bigint, lease_token uuid, progress jsonb)
language sql stable security definer set search_path = '' as $$
  select e.ordinality, e.value -> 'job_id',
    case when ok.all then (e.value ->> 'job_id')::bigint end,
    case when ok.all then (e.value ->> 'lease_token')::uuid end,
    case when pg_column_size(e.value -> 'progress') <= 10000 then nullif(e.value -> 'progress', 'null') end
  from jsonb_array_elements(leases) with ordinality e
  cross join lateral (select
    coalesce(e.value ->> 'job_id', '') ~ '^[1-9][0-9]{0,17}$'
    and coalesce(e.value ->> 'lease_token', '')
      ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' as all) ok
$$;
revoke all on function public.read_leases(jsonb) from public, anon, authenticated;
grant execute on function public.read_leases(jsonb) to service_role;

-- Keeps running jobs leased and stores their progress: [{"job_id", "lease_token", "progress"?}] answered by
-- [{"job_id", "verdict": "ok" | "lost" | "cancelled"}]. This is how a worker learns that its job is no longer its own.
-- Called by the tick's heartbeat. Locks the jobs by ascending id; changes no indexed column, so it stays cheap (HOT).
create function public.extend_leases(worker_id uuid, leases jsonb, lease_seconds int default null) returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  held uuid[];
  seconds int := least(greatest(coalesce(lease_seconds,
    (select s.lease_seconds from public.job_queue_settings s where s.only_row)), 10), 3600);
begin
  if leases is null or jsonb_typeof(leases) <> 'array' then
    raise exception 'leases: expected a JSON array' using errcode = '22023';
  end if;
  perform 1 from public.jobs j
  where j.id = any (array(select l.job_id from public.read_leases(leases) l))
    and j.status = 'processing' and j.worker_id = extend_leases.worker_id
  order by j.id for no key update;

  with extended as (
    update public.jobs j set
      lease_expires_at = now() + make_interval(secs => seconds),
      progress = coalesce(l.progress, j.progress)
    from public.read_leases(leases) l
    where j.id = l.job_id and j.status = 'processing' and j.lease_token = l.lease_token
      and j.worker_id = extend_leases.worker_id
    returning j.lease_token
  )
  select coalesce(array_agg(e.lease_token), '{}') into held from extended e;

  return coalesce((
    select jsonb_agg(jsonb_build_object('job_id', l.named, 'verdict', case
        when j.lease_token = l.lease_token and l.lease_token = any (held) then 'ok'
        when j.status = 'cancelled' then 'cancelled'
        else 'lost' end)
      order by l.ordinal)
    from public.read_leases(leases) l left join public.jobs j on j.id = l.job_id), '[]');
end $$;
comment on function public.extend_leases(uuid, jsonb, int) is 'Keeps running jobs leased and stores their progress.';
revoke all on function public.extend_leases(uuid, jsonb, int) from public, anon, authenticated;
grant execute on function public.extend_leases(uuid, jsonb, int) to service_role;
