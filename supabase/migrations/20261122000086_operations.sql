-- operations: what people change in the queue, and the trail of who did.

create table public.operator_actions (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null check (actor ~ '\S' and length(actor) <= 300),
  action text not null,
  job_id bigint,
  details jsonb not null default '{}'
);
comment on table public.operator_actions is 'The audit trail: who changed what, and when. Kept 400 days.';
comment on column public.operator_actions.job_id is 'The one job that it was about; it may be gone by now.';
comment on column public.operator_actions.details is
  'What was asked for, without payloads, and what came of it, in numbers.';
create index operator_actions_by_time on public.operator_actions (at);

-- Cancels unfinished jobs, at most 1,000 a call, those with the lowest ids first, and whatever waits for them:
-- {"cancelled", "descendants", "left"}. Running ones hear of it at their next heartbeat.
-- Called by operate. Locks all that it may change by ascending id, and asks again under the locks which ones it still may.
create function public.cancel_jobs(status text default null, type text default null, org_id text default null)
returns jsonb
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  statuses text[] := case when cancel_jobs.status is null
    then array['waiting', 'queued', 'processing'] else array[cancel_jobs.status] end;
  job_ids bigint[];
  below bigint[];
  descendants int;
begin
  if not coalesce(cancel_jobs.status, 'queued') in ('waiting', 'queued', 'processing') then
    raise exception 'status: expected waiting, queued or processing; a job that has ended cannot be cancelled'
      using errcode = '22023';
  end if;
  job_ids := array(
    select j.id from public.jobs j
    where j.status in ('waiting', 'queued', 'processing') and j.status = any (statuses)
      and (cancel_jobs.type is null or j.type = cancel_jobs.type)
      and (cancel_jobs.org_id is null or j.org_id = cancel_jobs.org_id)
    order by j.id limit 1000);
  below := public.waiting_descendants(job_ids);
  perform public.lock_jobs(job_ids || below);
  job_ids := array(select j.id from public.jobs j where j.id = any (job_ids) and j.status = any (statuses));
  below := array(
    select j.id from public.jobs j where j.id = any (below) and j.status = 'waiting' and not j.id = any (job_ids));
  perform public.cancel_unfinished(job_ids, 'cancelled', 'cancelled by an operator');
  perform public.settle_children(job_ids);
  select count(*) into descendants from public.jobs j where j.id = any (below) and j.status = 'cancelled';
  return jsonb_build_object(
    'cancelled', cardinality(job_ids),
    'descendants', descendants,
    'left', (
      select count(*) from public.jobs j
      where j.status in ('waiting', 'queued', 'processing') and j.status = any (statuses)
        and (cancel_jobs.type is null or j.type = cancel_jobs.type)
        and (cancel_jobs.org_id is null or j.org_id = cancel_jobs.org_id)));
end $$;
comment on function public.cancel_jobs(text, text, text) is
  'Cancels up to 1,000 unfinished jobs, of one status, type or organisation if it is named.';
revoke all on function public.cancel_jobs(text, text, text) from public, anon, authenticated;
grant execute on function public.cancel_jobs(text, text, text) to service_role;

-- Raises 22023, naming the parameter, unless an operator may ask for this action with these parameters.
-- Called by operate. Takes no locks. What enqueue takes is checked by problem_of_job.
create function public.check_operation(actor text, action text, parameters jsonb) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  known text[];
  name text;
  value jsonb;
  problem text;
begin
  known := case action
    when 'enqueue' then array['org_id', 'type', 'payload', 'run_at', 'priority', 'max_attempts', 'idempotency_key',
      'unique_for', 'on_conflict', 'after', 'file_id']
    when 'retry' then array['job_id']
    when 'cancel' then array['job_id']
    when 'retry_failed' then array['type', 'org_id']
    when 'cancel_jobs' then array['status', 'type', 'org_id']
    when 'pause' then array['reason']
    when 'resume' then '{}'
    when 'tick' then array['limit', 'types', 'force', 'drain', 'delay'] end;
  if coalesce(actor, '') !~ '\S' or length(actor) > 300 then
    raise exception 'actor: expected the name of whoever does this, of at most 300 characters' using errcode = '22023';
  elsif known is null then
    raise exception 'action: expected enqueue, retry, cancel, retry_failed, cancel_jobs, pause, resume or tick'
      using errcode = '22023';
  elsif jsonb_typeof(parameters) <> 'object' then
    raise exception 'parameters: expected an object' using errcode = '22023';
  end if;
  for name, value in select e.key, e.value from jsonb_each(parameters) e order by e.key loop
    problem := case
      when name <> all (known) then format('%s does not take it%s', action,
        case when known <> '{}' then '; it takes ' || array_to_string(known, ', ') else '' end)
      when action in ('enqueue', 'tick') or value = 'null' then null
      when name = 'job_id' and (jsonb_typeof(value) <> 'number' or value::text !~ '^[1-9][0-9]{0,17}$')
        then 'expected the number of a job'
      when name <> 'job_id' and jsonb_typeof(value) <> 'string' then 'expected a string'
      when name = 'type' and value #>> '{}' !~ '^[a-z][a-z0-9_]{0,62}$'
        then 'expected a job type: a lower-case name such as create_cards'
      when length(value #>> '{}') > 1000 then 'at most 1,000 characters' end;
    if problem is not null then
      raise exception '%: %', left(name, 100), problem using errcode = '22023';
    end if;
  end loop;
  if action in ('retry', 'cancel') and parameters ->> 'job_id' is null then
    raise exception 'job_id: expected the number of a job' using errcode = '22023';
  elsif action = 'enqueue' then
    problem := public.problem_of_job(parameters);
    if problem is not null then
      raise exception '%', problem using errcode = '22023';
    end if;
  end if;
end $$;
revoke all on function public.check_operation(text, text, jsonb) from public, anon, authenticated, service_role;

-- Does it: one function of the queue for each action. Called by operate. Locks what that function locks.
create function public.carry_out(action text, parameters jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  return case action
    when 'enqueue' then public.enqueue_jobs(jsonb_build_array(parameters)) -> 0
    when 'retry' then public.retry_job((parameters ->> 'job_id')::bigint)
    when 'cancel' then public.cancel_job((parameters ->> 'job_id')::bigint)
    when 'retry_failed' then public.retry_failed_jobs(parameters ->> 'type', parameters ->> 'org_id')
    when 'cancel_jobs' then public.cancel_jobs(
      parameters ->> 'status', parameters ->> 'type', parameters ->> 'org_id')
    when 'pause' then public.pause_processing(parameters ->> 'reason')
    when 'resume' then public.resume_processing()
    when 'tick' then jsonb_build_object('noted', true) end;
end $$;
revoke all on function public.carry_out(text, jsonb) from public, anon, authenticated, service_role;

-- Does what an operator asks for and writes down who did, in one transaction, and answers what the function underneath
-- answers: enqueue (an element of enqueue_jobs), retry, cancel {"job_id"}, retry_failed {"type"?, "org_id"?},
-- cancel_jobs {"status"?, "type"?, "org_id"?}, pause {"reason"?}, resume; tick only notes that somebody called the worker.
-- A dry run does it, too, and undoes it: it answers what would have happened, with "dry_run": true, and nothing but
-- sequences has moved. What is refused (22023, PT409) leaves no trace.
-- Called by the jobs API and the CLI. Locks what the function underneath locks, in its order, until the call ends.
create function public.operate(actor text, action text, parameters jsonb default '{}', dry_run boolean default false)
returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  asked jsonb := coalesce(nullif(parameters, 'null'), '{}');
  answer jsonb;
begin
  perform public.check_operation(actor, action, asked);
  if coalesce(dry_run, false) then
    begin
      answer := public.carry_out(action, asked);
      raise exception 'undone' using errcode = 'CT002';
    exception when sqlstate 'CT002' then
      return coalesce(answer, '{}') || jsonb_build_object('dry_run', true);
    end;
  end if;
  answer := public.carry_out(action, asked);
  insert into public.operator_actions (actor, action, job_id, details)
  values (operate.actor, operate.action,
    coalesce(asked ->> 'job_id', answer ->> 'job_id')::bigint,
    jsonb_build_object(
      'parameters', jsonb_strip_nulls(asked - array['payload', 'job_id']),
      'result', answer - 'job_id' || case when jsonb_typeof(answer -> 'skipped') = 'array'
        then jsonb_build_object('skipped', jsonb_array_length(answer -> 'skipped')) else '{}' end));
  return answer;
end $$;
comment on function public.operate(text, text, jsonb, boolean) is
  'Does what an operator asks for, and writes down who did; a dry run undoes it.';
revoke all on function public.operate(text, text, jsonb, boolean) from public, anon, authenticated;
grant execute on function public.operate(text, text, jsonb, boolean) to service_role;

-- One page of the audit trail, the latest first: {"operations": [{"id", "at", "actor", "action", "job_id", "details"}],
-- "next"}. Called by the jobs API, the dashboard and the CLI. Takes no locks.
create function public.list_operations(page_size int default 50, cursor text default null) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  most int := least(greatest(coalesce(page_size, 50), 1), 500);
  before bigint := coalesce(
    (public.read_cursor(cursor, 'operations_([1-9][0-9]{0,17})'))[1]::bigint, 9223372036854775807);
  operations jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(p) order by p.id desc), '[]') into operations
  from (
    select a.id, a.at, a.actor, a.action, a.job_id, a.details
    from public.operator_actions a where a.id < before order by a.id desc limit most) p;
  return jsonb_build_object('operations', operations, 'next', case
    when jsonb_array_length(operations) = most then 'operations_' || (operations -> -1 ->> 'id') end);
end $$;
comment on function public.list_operations(int, text) is 'One page of the audit trail, the latest first.';
revoke all on function public.list_operations(int, text) from public, anon, authenticated;
grant execute on function public.list_operations(int, text) to service_role;
