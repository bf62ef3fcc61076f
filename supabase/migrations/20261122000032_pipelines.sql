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
-- as enqueue_jobs does, in the order of the steps. The same pipeline with the same payload that is still unfinished is
-- returned, not started again; with an idempotency_key, the same key is.
-- Called by applications. Raises 22023 for a pipeline that does not exist.
create function public.start_pipeline(
  pipeline text, org_id text, payload jsonb default '{}', idempotency_key text default null
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  steps jsonb := (select p.steps from public.pipelines p where p.name = start_pipeline.pipeline);
begin
  if steps is null then
    raise exception 'there is no pipeline "%"', pipeline using errcode = '22023', hint = coalesce(
      'There are: ' || (select string_agg(p.name, ', ' order by p.name) from public.pipelines p),
      'insert into public.pipelines (name, steps) values (…);');
  elsif jsonb_typeof(coalesce(payload, '{}')) <> 'object' then
    raise exception 'payload: expected an object' using errcode = '22023';
  end if;
  return (
    select public.enqueue_jobs(jsonb_agg(
      step.value || jsonb_build_object(
        'org_id', start_pipeline.org_id,
        'payload', coalesce(nullif(step.value -> 'payload', 'null'), '{}') || coalesce(start_pipeline.payload, '{}'),
        'idempotency_key', start_pipeline.idempotency_key || ':' || coalesce(step.value ->> 'ref', step.ordinality::text))
      order by step.ordinality))
    from jsonb_array_elements(steps) with ordinality step);
end $$;
comment on function public.start_pipeline(text, text, jsonb, text) is 'Enqueues the steps of a pipeline.';
revoke all on function public.start_pipeline(text, text, jsonb, text) from public, anon, authenticated;
grant execute on function public.start_pipeline(text, text, jsonb, text) to service_role;
