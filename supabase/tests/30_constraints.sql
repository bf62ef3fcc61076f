-- What the tables refuse by themselves, whoever writes: each row here breaks exactly one rule.
-- Run by `supabase test db` and by tests/database/test_pgtap.py. Leaves nothing behind.
begin;
create extension if not exists pgtap with schema extensions;

create temporary table refused (
  ordinal int generated always as identity, relation text, rule text, sentence text, statement text);

-- A queued job with one thing changed: the columns to set besides, and their values.
create function pg_temp.job(columns text, row_values text) returns text language sql as $$
  select format('insert into public.jobs (org_id, type, max_attempts, idempotency_key, %s) values (''o'', ''t'', 3, ''k'', %s)',
    columns, row_values)
$$;
create function pg_temp.processing(token text, worker text, until text, completed text) returns text language sql as $$
  select pg_temp.job('status, lease_token, worker_id, lease_expires_at, completed_at',
    format('''processing'', %s, %s, %s, %s', token, worker, until, completed))
$$;

insert into refused (relation, rule, sentence, statement) values
  ('jobs', 'jobs_org_id_check', 'a job belongs to an organisation',
    $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values (' ', 't', 3, 'k') $$),
  ('jobs', 'jobs_org_id_check', 'an organisation''s name has an end',
    $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values (repeat('o', 257), 't', 3, 'k') $$),
  ('jobs', 'jobs_type_check', 'a job type is a lower-case name',
    $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values ('o', 'Create Cards', 3, 'k') $$),
  ('jobs', 'jobs_max_attempts_check', 'a job is attempted at least once',
    $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values ('o', 't', 0, 'k') $$),
  ('jobs', 'jobs_max_attempts_check', 'a job is attempted at most a hundred times',
    $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values ('o', 't', 101, 'k') $$),
  ('jobs', 'jobs_idempotency_key_check', 'a key has at least a character',
    $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values ('o', 't', 3, '') $$),
  ('jobs', 'jobs_idempotency_key_check', 'a key has at most 512 characters',
    $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values ('o', 't', 3, repeat('k', 513)) $$),
  ('jobs', 'jobs_payload_check', 'a payload is an object', pg_temp.job('payload', '''[1]''')),
  ('jobs', 'jobs_status_check', 'there are six statuses and no others', pg_temp.job('status', '''paused''')),
  ('jobs', 'jobs_turn_check', 'there are three turns and no others', pg_temp.job('turn', '''soon''')),
  ('jobs', 'jobs_unique_for_check', 'work is unique while unfinished or for ever', pg_temp.job('unique_for', '''a day''')),
  ('jobs', 'jobs_priority_check', 'priority stays below 1001', pg_temp.job('priority', '1001')),
  ('jobs', 'jobs_priority_check', 'priority stays above -1001', pg_temp.job('priority', '-1001')),
  ('jobs', 'jobs_attempts_check', 'attempts never fall below none', pg_temp.job('attempts', '-1')),
  ('jobs', 'attempts_within_bounds', 'attempts never exceed what was allowed', pg_temp.job('attempts', '4')),
  ('jobs', 'jobs_crashes_check', 'crashes never fall below none', pg_temp.job('crashes', '-1')),
  ('jobs', 'jobs_waiting_for_check', 'nothing waits for less than no job',
    pg_temp.job('status, completed_at, waiting_for', '''cancelled'', now(), -1')),
  ('jobs', 'waiting_means_parents', 'a waiting job waits for something', pg_temp.job('status', '''waiting''')),
  ('jobs', 'waiting_means_parents', 'a queued job waits for nothing', pg_temp.job('waiting_for', '1')),
  ('jobs', 'an_end_has_a_time', 'a done job ended some time', pg_temp.job('status', '''done''')),
  ('jobs', 'an_end_has_a_time', 'so did a dead letter', pg_temp.job('status', '''failed''')),
  ('jobs', 'an_end_has_a_time', 'and a cancelled job', pg_temp.job('status', '''cancelled''')),
  ('jobs', 'an_end_has_a_time', 'a queued job has not ended', pg_temp.job('completed_at', 'now()')),
  ('jobs', 'an_end_has_a_time', 'nor has one that runs',
    pg_temp.processing('gen_random_uuid()', 'gen_random_uuid()', 'now()', 'now()')),
  ('jobs', 'a_lease_belongs_to_processing', 'a running job has a lease', pg_temp.processing('null', 'null', 'null', 'null')),
  ('jobs', 'a_lease_belongs_to_processing', 'a lease has a worker',
    pg_temp.processing('gen_random_uuid()', 'null', 'now()', 'null')),
  ('jobs', 'a_lease_belongs_to_processing', 'a lease has an end',
    pg_temp.processing('gen_random_uuid()', 'gen_random_uuid()', 'null', 'null')),
  ('jobs', 'a_lease_belongs_to_processing', 'a queued job has no lease',
    pg_temp.job('lease_token, worker_id, lease_expires_at', 'gen_random_uuid(), gen_random_uuid(), now()')),
  ('job_parents', 'job_parents_check', 'a job''s parent is older than the job: there are no circles',
    $$ insert into public.job_parents (job_id, parent_id) select max(id), max(id) from public.jobs $$),
  ('job_runs', 'job_runs_outcome_check', 'an attempt ends in a known way',
    $$ insert into public.job_runs (job_id, org_id, type, attempt, worker_id, lease_token, outcome, started_at)
       select max(id), 'o', 't', 1, gen_random_uuid(), gen_random_uuid(), 'vanished', now() from public.jobs $$),
  ('job_runs', 'job_runs_cost_check', 'no attempt earns money',
    $$ insert into public.job_runs (job_id, org_id, type, attempt, worker_id, lease_token, outcome, started_at, cost)
       select max(id), 'o', 't', 1, gen_random_uuid(), gen_random_uuid(), 'done', now(), -0.01 from public.jobs $$),
  ('job_types', 'job_types_type_check', 'a policy is for a name that a job type can have',
    $$ insert into public.job_types (type) values ('Create Cards') $$),
  ('job_types', 'the_default_policy_is_complete', 'the default policy leaves nothing open',
    $$ update public.job_types set max_attempts = null where type = '*' $$),
  ('job_types', 'the_default_limits_no_type', 'the defaults cannot limit a type',
    $$ update public.job_types set max_concurrency = 1 where type = '*' $$),
  ('job_queue_settings', 'job_queue_settings_only_row_check', 'there is one row of settings',
    $$ insert into public.job_queue_settings (only_row) values (false) $$),
  ('job_queue_settings', 'a_pause_has_a_time', 'a pause began some time',
    $$ update public.job_queue_settings set processing_enabled = false where only_row $$),
  ('job_queue_settings', 'job_queue_settings_lease_seconds_check', 'a lease lasts at least ten seconds',
    $$ update public.job_queue_settings set lease_seconds = 9 where only_row $$),
  ('job_queue_settings', 'job_queue_settings_http_timeout_ms_check', 'a call ends before pg_cron''s statement does',
    $$ update public.job_queue_settings set http_timeout_ms = 120000 where only_row $$),
  ('org_limits', 'org_limits_org_id_check', 'a limit is somebody''s',
    $$ insert into public.org_limits (org_id) values (' ') $$),
  ('pipelines', 'pipelines_name_check', 'a pipeline has a plain name',
    $$ insert into public.pipelines (name, steps) values ('A Pipeline', '[{"type": "t"}]') $$),
  ('pipelines', 'pipelines_steps_check', 'a pipeline has steps',
    $$ insert into public.pipelines (name, steps) values ('p', '[]') $$),
  ('pipelines', 'pipelines_steps_check', 'the steps are a list',
    $$ insert into public.pipelines (name, steps) values ('p', '{"type": "t"}') $$),
  ('ingest_routes', 'ingest_routes_flow_check', 'a route starts something',
    $$ insert into public.ingest_routes (name, bucket_id, flow) values ('r', 'ingest', '[]') $$),
  ('ingest_routes', 'ingest_routes_bucket_id_check', 'our own pictures start nothing: that would never end',
    $$ insert into public.ingest_routes (name, bucket_id, flow) values ('r', 'thumbnails', '[{"type": "t"}]') $$),
  ('ingested_files', 'ingested_files_org_id_check', 'a file belongs to an organisation',
    $$ insert into public.ingested_files (org_id, object_id, version, bucket_id, path)
       values ('', gen_random_uuid(), 'v', 'ingest', 'a') $$),
  ('content_results', 'content_results_content_sha256_check', 'content is named by its SHA-256',
    $$ insert into public.content_results (org_id, type, content_sha256, handler_version, job_id)
       values ('o', 't', 'abc', '1', 1) $$),
  ('content_results', 'content_results_handler_version_check', 'a handler''s version is short',
    $$ insert into public.content_results (org_id, type, content_sha256, handler_version, job_id)
       values ('o', 't', repeat('a', 64), repeat('v', 201), 1) $$),
  ('cards', 'cards_type_check', 'a card is basic or cloze',
    $$ insert into public.cards (file_id, object_id, org_id, card_key, type, front, back)
       select max(f.id), gen_random_uuid(), 'o', 'k', 'riddle', 'f', 'b' from public.ingested_files f $$);
insert into refused (relation, rule, sentence, statement)
select t.relation, format('%s_%s_check', t.relation, l.name), format('%s of %s is never negative', l.name, t.relation),
  format('insert into public.%I (%I, %I) values (''x'', -1)', t.relation, t.key, l.name)
from (values ('job_types', 'type'), ('org_limits', 'org_id')) t (relation, key)
join (values
  ('job_types', 'max_attempts'), ('job_types', 'max_crashes'), ('job_types', 'backoff_seconds'),
  ('job_types', 'backoff_cap_seconds'), ('job_types', 'timeout_seconds'), ('job_types', 'max_concurrency'),
  ('job_types', 'max_concurrency_per_org'), ('job_types', 'usual_cost'), ('job_types', 'keep_done_days'),
  ('job_types', 'keep_failed_days'), ('job_types', 'keep_cancelled_days'), ('org_limits', 'max_concurrency'),
  ('org_limits', 'jobs_per_day'), ('org_limits', 'spend_per_day')) l (relation, name) on l.relation = t.relation;

select plan((select count(*) from refused)::int + 55);

insert into storage.objects (bucket_id, name, version) values ('ingest', 'o/a.txt', 'v1');
select throws_ok(
  r.statement, '23514', format('new row for relation "%s" violates check constraint "%s"', r.relation, r.rule), r.sentence)
from refused r order by r.ordinal;

-- The state machine is held by constraints: a new one belongs above.
select is_empty(
  $$ select c.conname from pg_catalog.pg_constraint c
     where c.contype = 'c' and c.conrelid in ('public.jobs'::regclass, 'public.job_parents'::regclass)
       and c.conname <> 'jobs_run_at_check' and c.conname not in (select r.rule from refused r) $$,
  'every rule of jobs and their parents is broken once by this file');
select throws_ok(pg_temp.job('run_at', '''infinity'''), null, null, 'a job''s time comes');
select is_empty(
  $$ select c.conname, c.conrelid::regclass from pg_catalog.pg_constraint c
     where c.connamespace = 'public'::regnamespace and not c.convalidated $$,
  'no rule was added without looking at the rows that were there');

-- The legal states.
delete from public.jobs where true;
select lives_ok(pg_temp.job('priority', '1000'), 'a queued job is as it should be');
select throws_ok(pg_temp.job('priority', '0'), '23505',
  'duplicate key value violates unique constraint "jobs_unfinished_once"', 'the same work is queued once');
select throws_ok(pg_temp.job('status, waiting_for', '''waiting'', 1'), '23505',
  'duplicate key value violates unique constraint "jobs_unfinished_once"', 'a waiting job counts as well');
select throws_ok(pg_temp.processing('gen_random_uuid()', 'gen_random_uuid()', 'now()', 'null'), '23505',
  'duplicate key value violates unique constraint "jobs_unfinished_once"', 'and so does a running one');
select lives_ok(pg_temp.job('status, completed_at', '''done'', now()'), 'the same work may have been done before');
select lives_ok(pg_temp.job('status, completed_at', '''failed'', now()'), 'or have failed before');
select lives_ok(pg_temp.job('status, completed_at, waiting_for', '''cancelled'', now(), 1'),
  'a job may be cancelled while it waits');
select lives_ok(
  $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values ('other', 't', 3, 'k') $$,
  'another organisation has its own keys');
select lives_ok(
  $$ insert into public.jobs (org_id, type, max_attempts, idempotency_key) values ('o', 'other', 3, 'k') $$,
  'so has another job type');
delete from public.jobs where true;
select lives_ok(pg_temp.job('status, completed_at, unique_for', '''done'', now(), ''ever'''), 'work may be done for ever');
select throws_ok(pg_temp.job('status, completed_at, unique_for', '''done'', now(), ''ever'''), '23505',
  'duplicate key value violates unique constraint "jobs_once_for_ever"', 'and is never done for ever twice');
select throws_ok(pg_temp.job('unique_for', '''ever'''), '23505',
  'duplicate key value violates unique constraint "jobs_once_for_ever"', 'nor queued for ever again');

-- From one state to another: what the picture in the migration of jobs shows, and nothing else.
create function pg_temp.state(status text)
returns table (waiting_for int, lease_token uuid, worker_id uuid, lease_expires_at timestamptz, completed_at timestamptz)
language sql as $$
  select case when status = 'waiting' then 1 else 0 end,
    case when status = 'processing' then gen_random_uuid() end,
    case when status = 'processing' then gen_random_uuid() end,
    case when status = 'processing' then now() end,
    case when status in ('done', 'failed', 'cancelled') then now() end
$$;
create temporary table moves as
select o.status as old_status, n.status as new_status, format('%s to %s', o.status, n.status) as key
from unnest(array['waiting', 'queued', 'processing', 'done', 'failed', 'cancelled']) o (status)
join unnest(array['waiting', 'queued', 'processing', 'done', 'failed', 'cancelled']) n (status) on n.status <> o.status;
delete from public.jobs where true;
insert into public.jobs (org_id, type, max_attempts, idempotency_key, status,
  waiting_for, lease_token, worker_id, lease_expires_at, completed_at)
select 'o', 't', 3, m.key, m.old_status, s.* from moves m cross join lateral pg_temp.state(m.old_status) s;
select case
  when m.key in ('waiting to queued', 'waiting to cancelled', 'queued to processing', 'queued to cancelled',
    'processing to done', 'processing to queued', 'processing to failed', 'processing to cancelled',
    'failed to queued', 'failed to waiting', 'cancelled to queued', 'cancelled to waiting')
    then lives_ok(c.change, format('a job goes from %s', m.key))
  else throws_ok(c.change, 'PT409', null, format('no job goes from %s', m.key)) end
from moves m
cross join lateral (select format($$
    update public.jobs j set status = %1$L, waiting_for = s.waiting_for, lease_token = s.lease_token,
      worker_id = s.worker_id, lease_expires_at = s.lease_expires_at, completed_at = s.completed_at
    from pg_temp.state(%1$L) s where j.idempotency_key = %2$L $$, m.new_status, m.key) as change) c
order by m.key;
delete from public.jobs where true;

-- What belongs together.
select throws_ok($$ delete from public.job_types where type = '*' $$, 'PT409',
  'the row ''*'' of job_types holds the defaults: change its values, but not its name', 'the default policy stays');
select throws_ok($$ update public.job_types set type = 'x' where type = '*' $$, 'PT409', null, 'and keeps its name');
select lives_ok($$ update public.job_types set max_attempts = 7 where type = '*' $$, 'but its values may change');
select throws_ok($$ insert into public.job_queue_settings default values $$, '23505', null,
  'there is no second row of settings');
select throws_ok(
  $$ insert into public.ingested_files (org_id, object_id, version, bucket_id, path)
     select org_id, object_id, version, bucket_id, path from public.ingested_files $$,
  '23505', 'duplicate key value violates unique constraint "ingested_files_object_id_version_key"',
  'a version of an object is one file');
select throws_ok(
  $$ insert into public.ingested_files (org_id, object_id, version, bucket_id, path)
     select org_id, object_id, 'v2', bucket_id, path from public.ingested_files $$,
  '23505', 'duplicate key value violates unique constraint "ingested_files_one_current"',
  'an object has one current version');
select throws_ok(
  $$ insert into public.thumbnails (file_id, org_id, size, bucket_id, path, width, height, bytes)
     select f.id, f.org_id, 256, 'thumbnails', 'p', 1, 1, 1 from public.ingested_files f cross join generate_series(1, 2) $$,
  '23505', null, 'a file has one picture of a size');
select throws_ok(
  $$ insert into public.cards (file_id, object_id, org_id, card_key, type, front, back)
     select f.id, f.object_id, f.org_id, 'k', 'basic', 'f', 'b'
     from public.ingested_files f cross join generate_series(1, 2) $$,
  '23505', null, 'an object has a card once');
select throws_ok(
  $$ insert into public.ingest_routes (name, bucket_id, flow) values ('uploads', 'ingest', '[{"type": "t"}]') $$,
  '23505', null, 'a route has a name of its own');
select throws_ok(pg_temp.job('file_id', '0'), '23503', null, 'a job''s file exists');

select * from finish();
rollback;
