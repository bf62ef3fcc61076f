-- results: what workers say about their jobs, read element by element, so that one malformed result spoils no other.

create type public.job_result as (
  ordinal int,
  job_id bigint,
  lease_token uuid,
  outcome text,
  output jsonb,
  error text,
  retry_in double precision,
  duration_ms int,
  public_error text,
  cost numeric,
  content_sha256 text,
  handler_version text,
  reused_from bigint,
  problem text
);
comment on type public.job_result is 'One element of resolve_jobs, checked: `problem` says what is wrong with it.';

create type public.job_verdict as (
  ordinal int,
  job_id bigint,
  verdict text,
  status text,
  attempts int,
  run_at timestamptz,
  error text
);
comment on type public.job_verdict is 'What resolve_jobs answers about one element.';

-- Reads the results of a batch one by one, so that a malformed element is an answer and never an exception.
-- Called by read_job_results. A lease that is named twice counts once: the second element is a problem.
create function public.read_results_one_by_one(results jsonb) returns public.job_result[]
language sql stable security definer set search_path = '' as $$
  select coalesce(array_agg(row(
      c.ordinality::int,
      case when c.problem is null then (c.value ->> 'job_id')::bigint end,
      case when c.problem is null then (c.value ->> 'lease_token')::uuid end,
      c.value ->> 'outcome',
      nullif(c.value -> 'output', 'null'),
      left(c.value ->> 'error', 4000),
      case when c.problem is null and c.value ->> 'retry_in' is not null
        then least(greatest((c.value ->> 'retry_in')::numeric, 0), 2592000)::double precision end,
      case when c.problem is null and c.value ->> 'duration_ms' is not null
        then least(greatest((c.value ->> 'duration_ms')::numeric, 0), 2147483647)::int end,
      left(c.value ->> 'public_error', 1000),
      case when c.problem is null and c.value ->> 'cost' is not null
        then least(greatest((c.value ->> 'cost')::numeric, 0), 1e9) end,
      c.value ->> 'content_sha256',
      c.value ->> 'handler_version',
      case when c.problem is null then (c.value ->> 'reused_from')::bigint end,
      coalesce(c.problem, case when c.place > 1 then 'this job stands in the batch twice' end)
    )::public.job_result order by c.ordinality), '{}')
  from (
    select r.*, row_number() over (
      partition by r.problem is null, r.value ->> 'job_id', lower(r.value ->> 'lease_token') order by r.ordinality) as place
    from (
      select e.ordinality, e.value, case
        when jsonb_typeof(e.value) <> 'object' then 'expected an object'
        when coalesce(e.value ->> 'job_id', '') !~ '^[1-9][0-9]{0,17}$' then 'job_id: expected a job''s number'
        when coalesce(e.value ->> 'lease_token', '')
          !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then 'lease_token: expected a uuid'
        when coalesce(e.value ->> 'outcome', '') not in ('done', 'retry', 'failed', 'snooze', 'release')
          then 'outcome: expected done, retry, failed, snooze or release'
        when jsonb_typeof(coalesce(e.value -> 'retry_in', '0')) not in ('number', 'null')
          then 'retry_in: expected seconds'
        when jsonb_typeof(coalesce(e.value -> 'duration_ms', '0')) not in ('number', 'null')
          then 'duration_ms: expected milliseconds'
        when jsonb_typeof(coalesce(e.value -> 'cost', '0')) not in ('number', 'null') then 'cost: expected a number'
        when coalesce(e.value ->> 'content_sha256', repeat('0', 64)) !~ '^[0-9a-f]{64}$'
          then 'content_sha256: expected 64 hexadecimal digits, in lower case'
        when jsonb_typeof(coalesce(e.value -> 'handler_version', 'null')) not in ('string', 'null')
          or length(e.value ->> 'handler_version') > 200 then 'handler_version: expected at most 200 characters'
        when coalesce(e.value ->> 'reused_from', '1') !~ '^[1-9][0-9]{0,17}$' then 'reused_from: expected a job''s number'
        end as problem
      from jsonb_array_elements(results) with ordinality e
    ) r
  ) c
$$;
revoke all on function public.read_results_one_by_one(jsonb) from public, anon, authenticated;
grant execute on function public.read_results_one_by_one(jsonb) to service_role;

-- Reads the results of a batch at once; if anything is wrong with any of them, one by one, to say what.
-- Called by resolve_jobs.
create function public.read_job_results(results jsonb) returns public.job_result[]
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  read public.job_result[];
  ids bigint[];
  are_sound boolean;
begin
  select
    array_agg(row(
      r.ordinal, r.job_id, r.lease_token, r.outcome, nullif(r.output, 'null'), left(r.error, 4000),
      case when r.retry_in is not null then least(greatest(r.retry_in::text::numeric, 0), 2592000) end,
      case when r.duration_ms is not null then least(greatest(r.duration_ms::text::numeric, 0), 2147483647) end,
      left(r.public_error, 1000), case when r.cost is not null then least(greatest(r.cost::text::numeric, 0), 1e9) end,
      r.content_sha256, r.handler_version, r.reused_from, null)::public.job_result order by r.ordinal),
    array_agg(r.job_id),
    bool_and(coalesce(
      r.job_id > 0 and r.lease_token is not null and r.outcome in ('done', 'retry', 'failed', 'snooze', 'release')
      and coalesce(r.reused_from, 1) > 0 and coalesce(length(r.handler_version), 0) <= 200
      and (r.content_sha256 is null or r.content_sha256 ~ '^[0-9a-f]{64}$'), false))
  into read, ids, are_sound
  from rows from (jsonb_to_recordset(results) as (
    job_id bigint, lease_token uuid, outcome text, output jsonb, error text, retry_in jsonb, duration_ms jsonb,
    public_error text, cost jsonb, content_sha256 text, handler_version text, reused_from bigint)
  ) with ordinality r (job_id, lease_token, outcome, output, error, retry_in, duration_ms, public_error, cost,
    content_sha256, handler_version, reused_from, ordinal);
  if are_sound and cardinality(ids) = (select count(distinct i.id) from unnest(ids) i (id)) then
    return read;
  end if;
  return public.read_results_one_by_one(results);
exception when data_exception or syntax_error_or_access_rule_violation then
  return public.read_results_one_by_one(results);
end $$;
revoke all on function public.read_job_results(jsonb) from public, anon, authenticated;
grant execute on function public.read_job_results(jsonb) to service_role;
