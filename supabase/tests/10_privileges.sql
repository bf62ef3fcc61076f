-- Who may call what: the API functions belong to service_role, and nothing of ours is open to browsers.
-- Run by `supabase test db` and by tests/database/test_pgtap.py. Leaves nothing behind.
begin;
create extension if not exists pgtap with schema extensions;
select plan(68);

-- Read from the catalogue, so that what a later migration adds is covered too. An extension's functions are not ours.
create temporary view our_functions as
select p.oid, p.proname as name, p.oid::regprocedure::text as signature, p.prosecdef as is_definer, p.proconfig as config,
  coalesce(p.proacl, acldefault('f', p.proowner)) as acl
from pg_catalog.pg_proc p
where p.pronamespace = 'public'::regnamespace
  and not exists (
    select from pg_catalog.pg_depend d
    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e');

create temporary view our_tables as
select c.oid, c.relname as name, c.relkind as kind, c.relrowsecurity as has_row_security, c.reloptions as options
from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f');

select cmp_ok((select count(*)::int from our_functions), '>', 40, 'the catalogue shows our functions');
select is_empty(
  $$ select f.signature from our_functions f cross join aclexplode(f.acl) a where a.grantee = 0 $$,
  'PUBLIC executes none of our functions');
select is_empty(
  $$ select signature from our_functions where has_function_privilege('anon', oid, 'execute') $$,
  'anon executes none of our functions');
select set_eq(
  $$ select name::text from our_functions where has_function_privilege('authenticated', oid, 'execute') $$,
  array['current_org_ids', 'edit_card', 'remove_card', 'restore_card', 'schedule_card'],
  'authenticated executes only what the policies call, and what keeps its cards');
select is_empty(
  $$ select signature from our_functions where not 'search_path=""' = any (coalesce(config, '{}')) $$,
  'every function pins search_path to nothing');
select is_empty(
  $$ select signature from our_functions where not is_definer and name <> 'current_org_ids' $$,
  'every function runs as its owner, for its callers have no rights on the tables');
select is_empty(
  $$ select name from our_functions group by name having count(*) > 1 $$,
  'no function is overloaded: PostgREST could not tell which is meant');

-- By name, so that a renamed or dropped function is noticed as well.
select ok(
  count(f.oid) = 1
  and bool_and(has_function_privilege('service_role', f.oid, 'execute'))
  and not bool_or(has_function_privilege('anon', f.oid, 'execute'))
  and not bool_or(has_function_privilege('authenticated', f.oid, 'execute')),
  format('%s is there, for service_role alone', api.name))
from unnest(array[
  'enqueue_job', 'enqueue_jobs', 'start_pipeline', 'start_job', 'claim_jobs', 'extend_leases', 'resolve_jobs',
  'find_content_result', 'cancel_job', 'retry_job', 'pause_processing', 'resume_processing', 'queue_health',
  'limit_reached', 'count_due_jobs', 'count_claimable_jobs', 'invoke_cron_tick', 'schedule_cron_tick',
  'unschedule_cron_tick', 'reclaim_expired_leases', 'settle_children', 'cancel_unfinished', 'retire_files', 'ingest_object',
  'operate', 'cancel_jobs', 'list_operations', 'list_jobs', 'describe_job', 'list_files', 'describe_file', 'queue_overview'
]) api (name)
left join our_functions f on f.name = api.name
group by api.name;

-- What a trigger fires or another function of ours calls needs no rights of its callers.
select ok(
  count(f.oid) = 1
  and not bool_or(has_function_privilege('service_role', f.oid, 'execute'))
  and not bool_or(has_function_privilege('anon', f.oid, 'execute'))
  and not bool_or(has_function_privilege('authenticated', f.oid, 'execute')),
  format('%s is there, and no API role executes it', inner_function.name))
from unnest(array[
  'keep_default_policy', 'refuse_impossible_status', 'ingest_stored_object', 'retire_deleted_objects', 'read_vault_secret',
  'card_of_member', 'check_card', 'check_schedule', 'check_operation', 'carry_out'
]) inner_function (name)
left join our_functions f on f.name = inner_function.name
group by inner_function.name;

select is_empty(
  $$ select t.name, p.privilege from our_tables t
     cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p (privilege)
     where has_table_privilege('anon', t.oid, p.privilege) $$,
  'anon has no privilege on any table');
select is_empty(
  $$ select name from our_tables where has_any_column_privilege('anon', oid, 'select, insert, update, references') $$,
  'nor on any column');
select is_empty(
  $$ select t.name, p.privilege from our_tables t
     cross join unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p (privilege)
     where has_table_privilege('authenticated', t.oid, p.privilege) $$,
  'authenticated writes no table');
select is_empty(
  $$ select name from our_tables where has_any_column_privilege('authenticated', oid, 'insert, update, references') $$,
  'nor any column');
select is_empty(
  $$ select c.relname from pg_catalog.pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
       and (has_sequence_privilege('anon', c.oid, 'usage, select, update')
         or has_sequence_privilege('authenticated', c.oid, 'usage, select, update')) $$,
  'no browser touches a sequence');
select is_empty(
  $$ select name from our_tables where kind in ('r', 'p') and not has_row_security $$,
  'row security is on for every table');
select is_empty(
  $$ select name from our_tables where kind = 'v' and not 'security_invoker=on' = any (coalesce(options, '{}')) $$,
  'every view runs with the rights of its reader');
select is_empty(
  $$ select t.name, p.privilege from our_tables t
     cross join unnest(array['insert', 'update', 'delete', 'truncate']) p (privilege)
     where has_table_privilege('service_role', t.oid, p.privilege) and t.name in (
       'jobs', 'job_runs', 'job_parents', 'org_usage', 'content_results', 'ingested_files', 'ingest_failures',
       'file_sweeps', 'past_steps', 'file_analyses', 'thumbnails', 'cards') $$,
  'service_role changes the state of the queue through the functions only');
select is_empty(
  $$ select p.polrelid::regclass, p.polname from pg_catalog.pg_policy p
     join pg_catalog.pg_class c on c.oid = p.polrelid
     where c.relnamespace = 'public'::regnamespace and p.polname <> 'service_all'
       and (p.polcmd <> 'r' or p.polroles <> array['authenticated'::regrole::oid]) $$,
  'every other policy lets signed-in users read, and nothing else');
select is_empty(
  $$ select r.name from unnest(array['anon', 'authenticated', 'service_role']) r (name)
     where has_schema_privilege(r.name, 'public', 'create') $$,
  'no API role makes objects in public, which our functions might find');

-- And what a browser really gets, when it tries.
grant select on our_functions, our_tables to anon, authenticated;
set local role anon;
select throws_ok($$ select public.claim_jobs(gen_random_uuid()) $$, '42501', null, 'anon cannot claim');
select throws_ok($$ select public.enqueue_jobs('[]') $$, '42501', null, 'anon cannot enqueue');
select throws_ok($$ select public.current_org_ids() $$, '42501', null, 'anon is not even asked where it belongs');
set local role authenticated;
select throws_ok($$ select public.claim_jobs(gen_random_uuid()) $$, '42501', null, 'a signed-in user cannot claim');
select throws_ok(
  $$ select public.resolve_jobs(gen_random_uuid(), '[]') $$, '42501', null, 'a signed-in user cannot resolve');
select throws_ok($$ select public.pause_processing() $$, '42501', null, 'a signed-in user cannot pause the queue');
select throws_ok(
  $$ select public.card_of_member(gen_random_uuid(), true) $$, '42501', null, 'nor lock cards past the functions');
set local role service_role;
select lives_ok($$ select public.claim_jobs(gen_random_uuid()) $$, 'service_role can claim');
select throws_ok(
  $$ update public.jobs set priority = 1 where true $$, '42501', null, 'service_role cannot write jobs past the functions');
reset role;

select * from finish();
rollback;
