-- Who sees which rows: two organisations that upload side by side, their members, and everybody else.
-- Run by `supabase test db` and by tests/database/test_pgtap.py. Leaves nothing behind.
begin;
create extension if not exists pgtap with schema extensions;

create temporary view our_tables as
select c.oid, c.relname as name from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f');
create temporary view our_plain_tables as
select c.oid, c.relname as name from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p');
grant select on our_tables, our_plain_tables to anon, authenticated;

select plan((select count(*) from our_tables)::int + 4 * (select count(*) from our_plain_tables)::int + 38);

-- A row of either organisation in every table that knows organisations.
insert into storage.objects (bucket_id, name, version, metadata) values
  ('ingest', 'acme/a.txt', 'v1', '{"mimetype": "text/plain", "size": 5}'),
  ('ingest', 'globex/b.txt', 'v1', '{"mimetype": "text/plain", "size": 5}');
insert into public.file_analyses (file_id, org_id, kind) select f.id, f.org_id, 'text' from public.ingested_files f;
insert into public.thumbnails (file_id, org_id, size, bucket_id, path, width, height, bytes)
select f.id, f.org_id, 256, 'thumbnails', f.org_id || '/256.webp', 256, 192, 900 from public.ingested_files f;
insert into public.cards (file_id, object_id, org_id, card_key, type, front, back)
select f.id, f.object_id, f.org_id, 'k', 'basic', 'Front', 'Back' from public.ingested_files f;
insert into public.job_runs (job_id, org_id, type, attempt, worker_id, lease_token, outcome, started_at)
select j.id, j.org_id, j.type, 1, gen_random_uuid(), gen_random_uuid(), 'retry', now() from public.jobs j;
insert into public.org_usage (org_key, day, org_id) select distinct j.org_key, current_date, j.org_id from public.jobs j;
insert into public.content_results (org_id, type, content_sha256, handler_version, job_id)
select j.org_id, j.type, repeat('a', 64), '1', j.id from public.jobs j;

select set_eq($$ select org_id from public.jobs $$, array['acme', 'globex'], 'both organisations have jobs to be seen');

-- A member of one organisation.
set local role authenticated;
set local "request.jwt.claims" = '{"role": "authenticated", "app_metadata": {"org_ids": ["acme"]}}';
select set_eq($$ select org_id from public.jobs $$, array['acme'], 'a member sees the jobs of its organisation');
select set_eq($$ select org_id from public.ingested_files $$, array['acme'], 'a member sees its files');
select set_eq($$ select org_id from public.file_analyses $$, array['acme'], 'a member sees its analyses');
select set_eq($$ select org_id from public.thumbnails $$, array['acme'], 'a member sees its thumbnails');
select set_eq($$ select org_id from public.cards $$, array['acme'], 'a member sees its cards');
select lives_ok($$ select public.remove_card(c.id) from public.cards c $$, 'a member takes a card of its away');
select is_empty($$ select 1 from public.cards $$, 'and does not see it any more');
select results_eq(
  $$ select path, jsonb_array_length(jobs) from public.file_status $$, $$ values ('acme/a.txt', 3) $$,
  'a member sees how far its files are');
select is_empty(
  $$ select 1 from public.ingested_files where path like 'globex/%' $$, 'asking for the other organisation finds nothing');
select is_empty($$ select 1 from public.cards c where c.org_id = 'globex' $$, 'nor does asking for its cards');

select throws_ok(
  format('select %I from public.jobs', c.name), '42501', null, format('a member cannot read a job''s %s', c.name))
from unnest(array['payload', 'output', 'worker_id', 'lease_token', 'idempotency_key']) c (name);
select throws_ok($$ select * from public.jobs $$, '42501', null, 'nor all columns at once');
select throws_ok(
  format('select 1 from public.%I', t.name), '42501', null, format('a member cannot read %s', t.name))
from unnest(array['job_runs', 'org_usage', 'content_results', 'org_limits', 'job_types', 'job_queue_settings',
  'pipelines', 'ingest_routes', 'ingest_failures', 'file_sweeps', 'past_steps']) t (name);

-- Nobody writes from a browser, whatever the table. Refused before a row is looked at, so no row is needed.
select throws_ok(
  format('insert into public.%I default values', t.name), '42501', null, format('a member inserts nothing into %s', t.name))
from our_plain_tables t order by t.name;
select throws_ok(
  format('update public.%I set %I = null where true', t.name, (
    select a.attname from pg_catalog.pg_attribute a
    where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
    order by a.attnum limit 1)),
  '42501', null, format('a member updates nothing in %s', t.name))
from our_plain_tables t order by t.name;
select throws_ok(
  format('delete from public.%I where true', t.name), '42501', null, format('a member deletes nothing from %s', t.name))
from our_plain_tables t order by t.name;
select throws_ok(
  format('truncate public.%I', t.name), '42501', null, format('a member does not empty %s', t.name))
from our_plain_tables t order by t.name;

-- Members of more, of none, and tokens that only look right.
set local "request.jwt.claims" = '{"role": "authenticated", "app_metadata": {"org_ids": ["acme", "globex"]}}';
select set_eq($$ select org_id from public.jobs $$, array['acme', 'globex'], 'a member of two organisations sees both');
set local "request.jwt.claims" = '{"role": "authenticated", "app_metadata": {"org_ids": []}}';
select is_empty($$ select id from public.jobs $$, 'a member of no organisation sees nothing');
set local "request.jwt.claims" = '{"role": "authenticated", "app_metadata": {"org_ids": "acme"}}';
select is_empty($$ select id from public.jobs $$, 'org_ids that is no list gives nothing');
set local "request.jwt.claims" = '{"role": "authenticated", "app_metadata": {"org_ids": [null, {"a": 1}, "ACME"]}}';
select is_empty($$ select id from public.jobs $$, 'nor do members of a list that name no organisation');
set local "request.jwt.claims" = '{"role": "authenticated"}';
select is_empty($$ select id from public.jobs $$, 'a token without app_metadata gives nothing');
set local "request.jwt.claims" = '{"role": "authenticated", "user_metadata": {"org_ids": ["acme"]}}';
select is_empty($$ select id from public.jobs $$, 'what users may write about themselves gives nothing');
set local "request.jwt.claims" = '{"role": "service_role", "app_metadata": {"org_ids": ["%"]}}';
select is_empty($$ select id from public.jobs $$, 'neither a role inside the token nor a pattern gives anything');
set local "request.jwt.claims" = '';
select is_empty($$ select id from public.jobs $$, 'without a token there is nothing');

-- Not signed in.
set local role anon;
set local "request.jwt.claims" = '{"role": "anon", "app_metadata": {"org_ids": ["acme"]}}';
select throws_ok(format('select 1 from public.%I', t.name), '42501', null, format('anon cannot read %s', t.name))
from our_tables t order by t.name;

reset role;
select is(
  (select count(*)::int from public.jobs where status in ('queued', 'waiting')), 6,
  'after all these attempts every job is as it was');
set local role service_role;
select set_eq($$ select org_id from public.job_runs $$, array['acme', 'globex'], 'service_role sees every organisation');
reset role;

select * from finish();
rollback;
