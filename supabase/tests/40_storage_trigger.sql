-- What Storage does to its table, event by event, and what becomes of it.
-- Run by `supabase test db` and by tests/database/test_pgtap.py. Leaves nothing behind.
begin;
create extension if not exists pgtap with schema extensions;
select plan(37);

create temporary view newest_file as
select f.* from public.ingested_files f where f.id = (select max(id) from public.ingested_files);
create temporary view newest_jobs as
select j.type, j.status, j.org_id, j.payload from public.jobs j join newest_file f on f.id = j.file_id;
create function pg_temp.upload(path text, bucket text default 'ingest', mime_type text default 'text/plain') returns void
language sql as $$
  insert into storage.objects as o (bucket_id, name, version, metadata, owner_id)
  values (bucket, path, gen_random_uuid()::text, jsonb_build_object('mimetype', mime_type, 'size', 5, 'eTag', '"e"'), 'ann')
  on conflict (name, bucket_id) do update set version = excluded.version, metadata = excluded.metadata
$$;

select has_trigger('storage', 'objects', 'crontick_ingest_stored', 'stored objects tell us of themselves');
select has_trigger('storage', 'objects', 'crontick_ingest_deleted', 'deleted ones too');

-- The probe, which Storage rolls back before it stores a byte.
insert into storage.objects (bucket_id, name, version) values ('ingest', 'acme/probe.txt', '1');
select is_empty($$ select 1 from public.ingested_files $$, 'a probe is no file');
select is_empty($$ select 1 from public.jobs $$, 'and starts nothing');
update storage.objects set version = '1', metadata = '{"mimetype": "text/plain"}' where name = 'acme/probe.txt';
select is_empty($$ select 1 from public.ingested_files $$, 'nor does the probe of an overwrite');

-- A new object, stored as Storage stores it.
set local role service_role;
select lives_ok($$ select pg_temp.upload('acme/notes.txt') $$, 'an upload goes through');
reset role;
select results_eq(
  $$ select org_id, bucket_id, path, mime_type, size, etag, owner_id from newest_file $$,
  $$ values ('acme', 'ingest', 'acme/notes.txt', 'text/plain', 5::bigint, '"e"', 'ann') $$,
  'it is a file of the organisation that its path begins with');
select set_eq(
  $$ select type, status, org_id from newest_jobs $$,
  $$ values ('analyze_file', 'queued', 'acme'), ('create_thumbnail', 'queued', 'acme'),
       ('create_cards', 'waiting', 'acme') $$,
  'its flow stands in the queue, and the cards wait for the analysis');
select results_eq(
  $$ select distinct payload ->> 'path', payload ->> 'bucket', payload ->> 'version' from newest_jobs $$,
  $$ select path, bucket_id, version from newest_file $$,
  'every job is told which file, in which version');

update storage.objects set last_accessed_at = now(), user_metadata = '{"a": 1}' where name = 'acme/notes.txt';
select results_eq($$ select count(*) from public.ingested_files $$, array[1::bigint], 'a change of metadata is no upload');

-- Overwriting it.
select pg_temp.upload('acme/notes.txt');
select results_eq(
  $$ select superseded_at is not null, deleted_at is not null from public.ingested_files order by id $$,
  $$ values (true, false), (false, false) $$,
  'an overwrite supersedes the version before it');
select results_eq($$ select count(distinct object_id) from public.ingested_files $$, array[1::bigint], 'of the same object');
select results_eq(
  $$ select status, count(*) from public.jobs group by status order by status $$,
  $$ values ('cancelled', 3::bigint), ('queued', 2::bigint), ('waiting', 1::bigint) $$,
  'the old version''s jobs are cancelled and the new one''s flow starts');
select results_eq(
  $$ select distinct last_error from public.jobs where status = 'cancelled' $$,
  array['superseded: a newer version of the file was uploaded'], 'with the reason');

-- Moving it, which gives it a new version and a new path under the same id.
update storage.objects set name = 'globex/notes.txt', version = 'moved' where name = 'acme/notes.txt';
select results_eq(
  $$ select org_id, path, version from newest_file $$, $$ values ('globex', 'globex/notes.txt', 'moved') $$,
  'a moved object is a file under its new path');
select results_eq(
  $$ select distinct org_id from newest_jobs $$, array['globex'], 'and its jobs belong to where it moved');
select is_empty(
  $$ select 1 from public.jobs where org_id = 'acme' and status <> 'cancelled' $$, 'nothing runs where it was');
update storage.objects set name = 'globex/renamed.txt' where name = 'globex/notes.txt';
select results_eq(
  $$ select path, version, superseded_at is null from newest_file $$,
  $$ values ('globex/renamed.txt', 'moved', true) $$,
  'a rename that keeps the version keeps the file');

-- Deleting it: allowed to the Storage API alone, which sets this switch.
set local storage.allow_delete_query = 'true';
delete from storage.objects where name = 'globex/renamed.txt';
select results_eq(
  $$ select deleted_at is not null, superseded_at is not null from newest_file $$, $$ values (true, false) $$,
  'a deleted object''s file is deleted');
select is_empty($$ select 1 from public.jobs where status <> 'cancelled' $$, 'and nothing works on it any more');
select isnt_empty($$ select 1 from public.jobs where last_error = 'the file was deleted' $$, 'with the reason');
select pg_temp.upload('acme/' || n || '.txt') from generate_series(1, 3) n;
delete from storage.objects where name like 'acme/_.txt';
select results_eq(
  $$ select count(*) from public.ingested_files where path like 'acme/_.txt' and deleted_at is not null $$,
  array[3::bigint], 'many are deleted at once');

-- Whatever is none of our business.
delete from public.jobs where true;
delete from public.ingested_files where true;
select pg_temp.upload('acme/new folder/.emptyFolderPlaceholder');
select pg_temp.upload('.emptyFolderPlaceholder');
select is_empty($$ select 1 from public.ingested_files $$, 'an empty folder is no file');
select pg_temp.upload('acme/1/256.webp', 'thumbnails', 'image/webp');
select is_empty($$ select 1 from public.ingested_files $$, 'our own pictures are none either');
insert into storage.buckets (id, name) values ('archive', 'archive');
select pg_temp.upload('acme/a.txt', 'archive');
select is_empty($$ select 1 from public.ingested_files $$, 'nor is what goes to a bucket without a route');
select is_empty($$ select 1 from public.ingest_failures $$, 'and none of that is a failure');
select pg_temp.upload('acme/kept.txt');
update storage.objects set bucket_id = 'archive', version = 'archived' where name = 'acme/kept.txt';
select results_eq(
  $$ select path, deleted_at is not null from newest_file $$, $$ values ('acme/kept.txt', true) $$,
  'what moves out of the watched bucket is gone for us');

-- No upload is refused because of us: it is stored, and what went wrong is written down.
select pg_temp.upload('nobody.txt');
select pg_temp.upload('acme/../globex/a.txt');
select pg_temp.upload('acme//a.txt');
select results_eq(
  $$ select count(*) from storage.objects where name in ('nobody.txt', 'acme/../globex/a.txt', 'acme//a.txt') $$,
  array[3::bigint], 'objects with bad paths are stored');
select is_empty(
  $$ select 1 from public.ingested_files where path in ('nobody.txt', 'acme/../globex/a.txt', 'acme//a.txt') $$,
  'but never processed');
select results_eq(
  $$ select path, error like '%no organisation%' from public.ingest_failures order by id $$,
  $$ values ('nobody.txt', true), ('acme/../globex/a.txt', false), ('acme//a.txt', false) $$,
  'and each is reported with the reason');
update public.ingest_routes set flow = '[{"type": "Not A Type"}]' where name = 'uploads';
select lives_ok($$ select pg_temp.upload('acme/b.txt') $$, 'a broken route refuses no upload');
select is_empty($$ select 1 from newest_jobs $$, 'it starts nothing');
select results_eq(
  $$ select operation, error like '%is not a job type%' from public.ingest_failures order by id desc limit 1 $$,
  $$ values ('route uploads', true) $$,
  'and says so');

-- Routes choose.
update public.ingest_routes set flow = '[{"type": "convert"}]', path_pattern = 'acme/%', mime_pattern = 'image/%'
where name = 'uploads';
select pg_temp.upload('acme/c.txt');
select pg_temp.upload('globex/c.png', 'ingest', 'image/png');
select is_empty(
  $$ select 1 from public.ingested_files where path like '%/c.%' $$, 'an upload that no route wants is no file');
select pg_temp.upload('acme/c.png', 'ingest', 'image/png');
select results_eq($$ select type from newest_jobs $$, array['convert'], 'one that a route wants starts its flow');
update public.ingest_routes set active = false where name = 'uploads';
select pg_temp.upload('acme/d.png', 'ingest', 'image/png');
select is_empty($$ select 1 from public.ingested_files where path = 'acme/d.png' $$, 'a route that is off wants nothing');

-- Rows that did not come through the API, as after a restore.
update public.ingest_routes set active = true where name = 'uploads';
insert into storage.objects (bucket_id, name, metadata)
values ('ingest', 'acme/restored.png', '{"mimetype": "image/png"}');
select results_eq(
  $$ select path, version from newest_file $$, $$ values ('acme/restored.png', 'unversioned') $$,
  'an object without a version is a file too');

select * from finish();
rollback;
