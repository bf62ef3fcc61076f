-- pipelines: flows with a name, so that an application starts "video" and the steps stay data that anybody may change.

create table public.pipelines (
  name text primary key check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
  steps jsonb not null check (case when jsonb_typeof(steps) = 'array' then steps <> '[]' else false end),
  description text
);
comment on table public.pipelines is 'Flows with a name, started by start_pipeline(). ingest_routes start theirs by upload.';
comment on column public.pipelines.steps is
  'As for enqueue_jobs, without org_id: [{"ref", "type", "after", "priority", "max_attempts", "payload"}].';

-- Enqueues the steps of a pipeline for an organisation, all with this payload (a step's own keys below it), and answers
-- as enqueue_jobs does, in the order of the steps. While any job of the same pipeline with the same payload (or the same
-- idempotency_key) is unfinished, those jobs are returned and nothing is started; a job_id is null if it is gone.
-- Called by applications. Raises 22023 for a pipeline that does not exist.
create function public.start_pipeline(
  pipeline text, org_id text, payload jsonb default '{}', idempotency_key text default null
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  steps jsonb := (select p.steps from public.pipelines p where p.name = start_pipeline.pipeline);
  key text := coalesce(idempotency_key, encode(sha256(convert_to(
    pipeline || chr(31) || coalesce(payload, '{}')::text, 'UTF8')), 'hex')) || ':';
  started jsonb;
begin
  if steps is null then
    raise exception 'there is no pipeline "%"', pipeline using errcode = '22023', hint = coalesce(
      'There are: ' || (select string_agg(p.name, ', ' order by p.name) from public.pipelines p),
      'insert into public.pipelines (name, steps) values (…);');
  elsif jsonb_typeof(coalesce(payload, '{}')) <> 'object' then
    raise exception 'payload: expected an object' using errcode = '22023';
  end if;
  with recursive step as (
    select s.ordinality as ordinal, s.value ->> 'type' as type, key || coalesce(s.value ->> 'ref', s.ordinality::text) as key
    from jsonb_array_elements(steps) with ordinality s
  ),
  flow (id) as (
    select j.id from step s join public.jobs j
      on j.org_id = start_pipeline.org_id and j.type = s.type and j.idempotency_key = s.key
    where j.status in ('waiting', 'queued', 'processing')
    union
    select case when e.job_id = f.id then e.parent_id else e.job_id end
    from flow f join public.job_parents e on e.job_id = f.id or e.parent_id = f.id
  )
  select jsonb_agg(jsonb_build_object('job_id', j.id, 'created', false, 'status', coalesce(j.status, 'done'))
    order by s.ordinal) into started
  from step s
  left join (
    select j.* from flow f join public.jobs j on j.id = f.id
  ) j on j.type = s.type and j.idempotency_key = s.key
  where exists (select from flow);
  if started is not null then
    return started;
  end if;
  return (
    select public.enqueue_jobs(jsonb_agg(
      step.value || jsonb_build_object(
        'org_id', start_pipeline.org_id,
        'payload', coalesce(nullif(step.value -> 'payload', 'null'), '{}') || coalesce(start_pipeline.payload, '{}'),
        'idempotency_key', key || coalesce(step.value ->> 'ref', step.ordinality::text))
      order by step.ordinality))
    from jsonb_array_elements(steps) with ordinality step);
end $$;
comment on function public.start_pipeline(text, text, jsonb, text) is 'Enqueues the steps of a pipeline.';
revoke all on function public.start_pipeline(text, text, jsonb, text) from public, anon, authenticated;
grant execute on function public.start_pipeline(text, text, jsonb, text) to service_role;
