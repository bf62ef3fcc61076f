-- One round trip per step of the state machine: make a call, then look at the whole queue and at what must always hold.
-- Loaded into the test's own database; nothing of it is part of the product. Times are microseconds since 1970.

create schema machine;

create function machine.micros(instant timestamptz) returns bigint
language sql immutable as $$ select (extract(epoch from instant) * 1000000)::bigint $$;

-- Every job, with what is meaningless in its status left out.
create function machine.jobs() returns jsonb
language plpgsql stable as $$
begin
  return (
    select coalesce(json_agg(told)::jsonb, '[]')
    from (
      select j.id, j.org_id, j.type, j.payload, j.status, case when j.status = 'queued' then j.turn end as turn,
        j.priority, machine.micros(j.run_at) as run_at, j.attempts, j.crashes, j.max_attempts, j.idempotency_key as key,
        j.unique_for, j.file_id, case when j.status = 'waiting' then j.waiting_for else 0 end as waiting_for,
        j.worker_id, j.lease_token, machine.micros(j.lease_expires_at) as lease_expires_at, j.progress, j.output,
        j.last_error is not null as has_error, j.public_error, j.cancelled_by, machine.micros(j.completed_at) as completed_at
      from public.jobs j) told);
end $$;

-- What must hold after every step whatever the model thinks: one sentence for each violation.
create function machine.violations() returns jsonb
language plpgsql stable as $$
begin
  return (select coalesce(jsonb_agg(v.what), '[]') from (
    select format('job %s: %s attempts of %s while %s', j.id, j.attempts, j.max_attempts, j.status) as what
    from public.jobs j
    where j.attempts > j.max_attempts or (j.status in ('waiting', 'queued') and j.attempts >= j.max_attempts)
    union all
    select format('job %s: %s crashes, but not a dead letter', j.id, j.crashes)
    from public.jobs j left join public.job_types t on t.type = j.type join public.job_types d on d.type = '*'
    where j.status in ('waiting', 'queued', 'processing') and j.crashes >= coalesce(t.max_crashes, d.max_crashes)
    union all
    select format('job %s: ready before its time', j.id)
    from public.jobs j where j.status = 'queued' and j.turn = 'ready' and j.run_at > now()
    union all
    select format('job %s: waits for %s, but has %s unfinished parents', j.id, j.waiting_for, p.unfinished)
    from public.jobs j
    cross join lateral (
      select count(*) as unfinished from public.job_parents e join public.jobs p on p.id = e.parent_id
      where e.job_id = j.id and p.status <> 'done') p
    where (j.status = 'waiting' and j.waiting_for <> p.unfinished)
      or (j.status in ('queued', 'processing', 'done') and p.unfinished > 0)
    union all
    select format('job %s: waits, but none of its parents will ever move it on', j.id)
    from public.jobs j
    where j.status = 'waiting' and not exists (
      select from public.job_parents e join public.jobs p on p.id = e.parent_id
      where e.job_id = j.id and p.status in ('waiting', 'queued', 'processing'))
    union all
    select format('lease token %s is held by %s jobs', j.lease_token, count(*))
    from public.jobs j where j.lease_token is not null group by j.lease_token having count(*) > 1
    union all
    select format('lease token %s ended %s times', r.lease_token, count(*))
    from public.job_runs r group by r.lease_token having count(*) > 1
    union all
    select format('lease token %s is live, but its attempt has ended', j.lease_token)
    from public.jobs j join public.job_runs r on r.lease_token = j.lease_token
    union all
    select format('%s unfinished jobs of one key: %s', count(*), array_agg(j.id))
    from public.jobs j where j.status in ('waiting', 'queued', 'processing')
    group by j.org_id, j.type, j.idempotency_key having count(*) > 1
    union all
    select format('%s jobs hold one key for ever: %s', count(*), array_agg(j.id))
    from public.jobs j where j.unique_for = 'ever'
    group by j.org_id, j.type, j.idempotency_key having count(*) > 1
  ) v);
end $$;

-- Runs one call (a select whose $1 is the jsonb of its arguments) and answers with what it changed.
-- Only refusals that the contract knows are answers; any other error is the test's failure.
create function machine.step(call text, arguments jsonb, runs_seen bigint) returns jsonb
language plpgsql as $$
declare
  answer jsonb;
  refused text;
begin
  if call is not null then
    begin
      execute call into answer using arguments;
    exception when sqlstate '22023' or sqlstate 'PT409' then
      refused := sqlstate;
    end;
  end if;
  return jsonb_build_object(
    'now', machine.micros(now()), 'day', (now() at time zone 'UTC')::date, 'answer', answer, 'refused', refused,
    'jobs', machine.jobs(), 'violations', machine.violations(),
    'runs', (
      select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'job_id', r.job_id, 'attempt', r.attempt,
        'lease_token', r.lease_token, 'worker_id', r.worker_id, 'outcome', r.outcome) order by r.id), '[]')
      from public.job_runs r where r.id > runs_seen),
    'usage', (
      select coalesce(jsonb_agg(jsonb_build_object('org_id', u.org_id, 'day', u.day, 'jobs', u.jobs, 'spend', u.spend)), '[]')
      from public.org_usage u),
    'ingest_failures', (select count(*) from public.ingest_failures));
end $$;

-- Lets time pass: every instant of every job moves into the past.
create function machine.pass(seconds int) returns void
language sql as $$
  update public.jobs j set
    run_at = j.run_at - make_interval(secs => seconds),
    lease_expires_at = j.lease_expires_at - make_interval(secs => seconds),
    created_at = j.created_at - make_interval(secs => seconds),
    updated_at = j.updated_at - make_interval(secs => seconds),
    started_at = j.started_at - make_interval(secs => seconds),
    completed_at = j.completed_at - make_interval(secs => seconds)
  where true
$$;

-- An empty queue with the policies that the model knows; `luck` is what random() starts from.
create function machine.reset(luck double precision) returns void
language plpgsql as $$
begin
  perform setseed(luck);
  delete from public.jobs where true;
  delete from public.job_runs where true;
  update public.prune_progress set position = 0, file_position = 0 where true;
  delete from public.ingested_files where true;
  delete from public.ingest_failures where true;
  delete from public.org_usage where true;
  delete from public.org_limits l where l.org_id <> '*';
  update public.org_limits set max_concurrency = null, jobs_per_day = null, spend_per_day = null where true;
  delete from public.job_types t where t.type <> '*';
  update public.job_types t set max_attempts = 3, max_crashes = 2, max_concurrency_per_org = null, usual_cost = null
  where t.type = '*';
  insert into public.job_types
    (type, max_attempts, max_crashes, backoff_seconds, backoff_cap_seconds, timeout_seconds, apply_function)
  values ('plain', null, null, null, null, null, null), ('brief', 1, 1, null, null, 30, null),
    ('picky', null, 3, 3000, 1000, null, 'apply_picky');
  update public.job_queue_settings s set processing_enabled = true, paused_reason = null, paused_at = null where s.only_row;
  set local storage.allow_delete_query = 'true';
  delete from storage.objects where true;
end $$;

-- The output of a picky job can be refused, and with it the attempt.
create function public.apply_picky(job public.jobs, output jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if output ? 'broken' then
    raise exception 'job %: this output is broken', job.id;
  end if;
end $$;

delete from public.ingest_routes where true;
insert into public.ingest_routes (name, bucket_id, flow) values ('machine', 'ingest',
  '[{"ref": "a", "type": "picky"}, {"ref": "b", "type": "plain"}, {"ref": "c", "type": "brief", "after": ["a"]}]');

-- What the Storage API does. Answers with the version that is stored.
create function machine.upload(path text) returns jsonb
language sql as $$
  insert into storage.objects (bucket_id, name, version, metadata)
  values ('ingest', path, gen_random_uuid()::text, '{"mimetype": "text/plain", "size": 5}')
  on conflict (name, bucket_id) do update set version = excluded.version
  returning to_jsonb(version)
$$;

create function machine.remove(path text) returns jsonb
language plpgsql as $$
begin
  set local storage.allow_delete_query = 'true';
  delete from storage.objects o where o.name = path;
  return to_jsonb(path);
end $$;

-- A file that was replaced while the trigger could not tell anybody.
create function machine.outdate(file_id bigint) returns jsonb
language sql as $$
  update public.ingested_files f set superseded_at = now() where f.id = file_id returning to_jsonb(f.id)
$$;

create function machine.limit_type(asked jsonb) returns jsonb
language sql as $$
  update public.job_types t set max_concurrency = (asked ->> 'max_concurrency')::int,
    max_concurrency_per_org = (asked ->> 'max_concurrency_per_org')::int, usual_cost = (asked ->> 'usual_cost')::numeric
  where t.type = asked ->> 'type' returning to_jsonb(t.type)
$$;

create function machine.limit_org(asked jsonb) returns jsonb
language sql as $$
  insert into public.org_limits as l (org_id, max_concurrency, jobs_per_day, spend_per_day)
  values (asked ->> 'org_id', (asked ->> 'max_concurrency')::int, (asked ->> 'jobs_per_day')::int,
    (asked ->> 'spend_per_day')::numeric)
  on conflict (org_id) do update set max_concurrency = excluded.max_concurrency,
    jobs_per_day = excluded.jobs_per_day, spend_per_day = excluded.spend_per_day
  returning to_jsonb(l.org_id)
$$;
