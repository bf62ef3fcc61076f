-- ingest: an upload becomes a row in ingested_files and the jobs of its flow, in the commit that stores it.
--
-- Storage fires row triggers twice for one upload: first in a probe that is always rolled back
-- (version = '1'), then for real. Identity of an upload is (object id, version): the id survives
-- overwrites, the version does not.

create table public.ingested_files (
  id bigint generated always as identity primary key,
  org_id text not null check (btrim(org_id) <> ''),
  object_id uuid not null,
  version text not null,
  bucket_id text not null,
  path text not null,
  mime_type text,
  size bigint,
  etag text,
  owner_id text,
  created_at timestamptz not null default now(),
  superseded_at timestamptz,
  deleted_at timestamptz,
  problem text,
  unique (object_id, version)
);
comment on table public.ingested_files is 'One row per uploaded object version; the newest that is not deleted is the file.';
comment on column public.ingested_files.problem is
  'Set when a flow of this file could not be enqueued; operators find the reason in ingest_failures.';
comment on column public.ingested_files.mime_type is 'What the uploader claimed. The handlers look at the bytes.';
create unique index ingested_files_one_current on public.ingested_files (object_id)
  where superseded_at is null and deleted_at is null;
create index ingested_files_ended on public.ingested_files (id)
  where superseded_at is not null or deleted_at is not null;
create index ingested_files_of_org on public.ingested_files (org_id, created_at);
create index ingested_files_by_path on public.ingested_files (bucket_id, path);

alter table public.jobs add constraint jobs_file_id_fkey
  foreign key (file_id) references public.ingested_files (id);

create table public.ingest_routes (
  id bigint generated always as identity primary key,
  name text not null unique,
  bucket_id text not null check (bucket_id <> 'thumbnails'),
  path_pattern text not null default '%',
  mime_pattern text not null default '%',
  flow jsonb not null check (case when jsonb_typeof(flow) = 'array' then flow <> '[]' else false end),
  active boolean not null default true
);
comment on table public.ingest_routes is
  'Which upload starts which flow. Patterns are LIKE patterns; every active route that matches starts its flow.';
comment on column public.ingest_routes.flow is
  'As for enqueue_jobs, without org_id: [{"ref", "type", "after", "priority", "max_attempts", "payload"}].';
create index ingest_routes_by_bucket on public.ingest_routes (bucket_id) where active;

create table public.ingest_failures (
  id bigint generated always as identity primary key,
  object_id uuid,
  version text,
  bucket_id text,
  path text,
  operation text not null,
  error text not null,
  created_at timestamptz not null default now()
);
comment on table public.ingest_failures is
  'Uploads that were stored but not enqueued, with the reason: shown by queue_health().';
create index ingest_failures_latest on public.ingest_failures (created_at);
create index ingest_failures_of_object on public.ingest_failures (object_id);

create table public.file_analyses (
  file_id bigint primary key references public.ingested_files (id) on delete cascade,
  org_id text not null,
  kind text not null,
  mime_type text,
  mime_mismatch boolean not null default false,
  title text,
  language text,
  summary text,
  topics text[] not null default '{}',
  key_terms text[] not null default '{}',
  pages int,
  duration_seconds double precision,
  width int,
  height int,
  content jsonb not null default '[]',
  notes text[] not null default '{}',
  provider text,
  degraded boolean not null default false,
  safety_flags text[] not null default '{}',
  requests int,
  tokens_in int,
  tokens_out int,
  cost numeric,
  content_sha256 text,
  created_at timestamptz not null default now()
);
comment on table public.file_analyses is 'What analyze_file found out about a file version.';
comment on column public.file_analyses.cost is 'What the AI provider charged for it, where the prices are configured.';
create index file_analyses_of_org on public.file_analyses (org_id);

create table public.thumbnails (
  id bigint generated always as identity primary key,
  file_id bigint not null references public.ingested_files (id) on delete cascade,
  org_id text not null,
  size int not null,
  bucket_id text not null,
  path text not null,
  width int not null,
  height int not null,
  bytes int not null,
  placeholder text,
  source_width int,
  source_height int,
  created_at timestamptz not null default now(),
  unique (file_id, size)
);
comment on column public.thumbnails.placeholder is
  'A data: URI of a picture of at most 16 pixels a side, shown, scaled up, while the thumbnail loads: no script needed.';
comment on column public.thumbnails.source_width is
  'The original''s size as it is seen, turned upright: pixels, or points for a PDF; null where it has none.';
comment on table public.thumbnails is 'The pictures that create_thumbnail stored, one row per file version and size.';
create index thumbnails_of_org on public.thumbnails (org_id);

create table public.cards (
  id uuid primary key default gen_random_uuid(),
  file_id bigint not null references public.ingested_files (id) on delete cascade,
  object_id uuid not null,
  org_id text not null,
  card_key text not null,
  type text not null check (type in ('basic', 'cloze')),
  front text not null,
  back text not null,
  hint text,
  tags text[] not null default '{}',
  source jsonb not null default '{}',
  difficulty real,
  confidence real,
  quality real,
  position int not null default 0,
  edited_at timestamptz,
  removed_at timestamptz,
  gone_at timestamptz,
  fsrs_state smallint not null default 1 check (fsrs_state between 1 and 3),
  fsrs_step smallint default 0,
  fsrs_stability double precision,
  fsrs_difficulty double precision,
  due timestamptz not null default now(),
  last_review timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (object_id, card_key)
);
comment on column public.cards.position is 'Its place in the file''s deck, from 0.';
comment on column public.cards.edited_at is 'When a person changed it: processing the file again leaves it as it is.';
comment on column public.cards.removed_at is 'When a person removed it: it stays away when the file is processed again.';
comment on column public.cards.gone_at is
  'When its file stopped saying it, for a card that was reviewed: if the file says it again, its reviews still count.';
comment on column public.cards.fsrs_state is
  'The memory model FSRS: 1 learning, 2 review, 3 relearning. New cards are due at once.';
comment on column public.cards.updated_at is 'When its words, its source or its reviews changed; not its place in the deck.';
comment on table public.cards is 'One set of cards per stored object; a card keeps its id when the file is processed again.';
create index cards_of_file on public.cards (file_id);
create index cards_of_org on public.cards (org_id);
create index cards_due on public.cards (org_id, due) where removed_at is null and gone_at is null;

insert into storage.buckets (id, name, public) values ('ingest', 'ingest', false), ('thumbnails', 'thumbnails', false)
on conflict (id) do nothing;

insert into public.ingest_routes (name, bucket_id, flow) values (
  'uploads', 'ingest',
  '[{"ref": "analysis", "type": "analyze_file"},
    {"type": "create_thumbnail"},
    {"type": "create_cards", "after": ["analysis"]}]');

-- Cancels unfinished jobs. A running one learns it at its next heartbeat; what it resolves later is
-- refused with the verdict that the audit row's outcome stands for.
-- Called by retire_files and cancel_job. Locks the jobs by ascending id.
create function public.cancel_unfinished(job_ids bigint[], outcome text, reason text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform 1 from public.jobs j
  where j.id = any (job_ids) and j.status in ('waiting', 'queued', 'processing')
  order by j.id for update;

  insert into public.job_runs (job_id, org_id, type, attempt, worker_id, lease_token, outcome, error, started_at)
  select j.id, j.org_id, j.type, j.attempts, j.worker_id, j.lease_token, cancel_unfinished.outcome, reason, j.started_at
  from public.jobs j where j.id = any (job_ids) and j.status = 'processing';

  -- A cancelled attempt counts: or who uploads again and again would work without limit.
  if public.limits_are_on() then
    insert into public.org_usage as u (org_key, day, org_id, jobs)
    select j.org_key, (now() at time zone 'UTC')::date, min(j.org_id), count(*)
    from public.jobs j where j.id = any (job_ids) and j.status = 'processing' group by j.org_key order by j.org_key
    on conflict on constraint org_usage_pkey do update set jobs = u.jobs + excluded.jobs;
  end if;

  update public.jobs j set
    status = 'cancelled', worker_id = null, lease_token = null, lease_expires_at = null,
    last_error = reason, completed_at = now(), updated_at = now()
  where j.id = any (job_ids) and j.status in ('waiting', 'queued', 'processing');
end $$;
revoke all on function public.cancel_unfinished(bigint[], text, text) from public, anon, authenticated;
grant execute on function public.cancel_unfinished(bigint[], text, text) to service_role;

-- Retires the current versions of stored objects: their jobs first, then their rows.
-- Called by the storage triggers and catch_up. `ended_as` is 'superseded' or 'deleted'.
create function public.retire_files(object_ids uuid[], ended_as text) returns void
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  current_ids bigint[] := array(
    select f.id from public.ingested_files f
    where f.object_id = any (object_ids) and f.superseded_at is null and f.deleted_at is null);
  job_ids bigint[];
begin
  if current_ids = '{}' then
    return;
  end if;
  job_ids := array(select j.id from public.jobs j where j.file_id = any (current_ids));
  perform public.lock_jobs(job_ids || public.waiting_descendants(job_ids));
  perform public.cancel_unfinished(job_ids, 'superseded', case ended_as
    when 'deleted' then 'the file was deleted' else 'superseded: a newer version of the file was uploaded' end);
  perform public.settle_children(job_ids);
  perform 1 from public.ingested_files f where f.id = any (current_ids) order by f.id for no key update;
  update public.ingested_files f set
    superseded_at = case when ended_as = 'superseded' then now() end,
    deleted_at = case when ended_as = 'deleted' then now() end
  where f.id = any (current_ids);
end $$;
revoke all on function public.retire_files(uuid[], text) from public, anon, authenticated;
grant execute on function public.retire_files(uuid[], text) to service_role;

-- Records one stored object version and enqueues the flows of every route that matches it; a route whose flow cannot be
-- enqueued is recorded and keeps no other from starting. A renamed row that kept its version is the same file.
-- Called by the storage trigger and ingest_again. Returns the file's id, or null when no route wants it or its path is
-- refused: that is recorded too, and not raised, so that the version before it stays retired.
create function public.ingest_object(
  object_id uuid, version text, bucket_id text, path text, metadata jsonb, owner_id text, priority int default 0
) returns bigint
language plpgsql security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  mime_type text := metadata ->> 'mimetype';
  org_id text := case when strpos(path, '/') > 1 then split_part(path, '/', 1) end;
  problem text := case
    when org_id is null then format('no organisation: upload to <organisation>/…, not to "%s"', path)
    -- A client that resolves such a path would read another organisation's file with our key.
    when path ~ '(^|/)\.{0,2}(/|$)' then format('the path "%s" has an empty, "." or ".." segment', path) end;
  route public.ingest_routes;
  file_id bigint;
begin
  if not exists (
    select from public.ingest_routes r where r.active and r.bucket_id = ingest_object.bucket_id
      and path like r.path_pattern and coalesce(mime_type, '') like r.mime_pattern) then
    return null;
  end if;
  if problem is not null then
    perform public.record_ingest_failure(object_id, version, bucket_id, path, 'ingest', problem);
    return null;
  end if;

  insert into public.ingested_files (org_id, object_id, version, bucket_id, path, mime_type, size, etag, owner_id)
  values (org_id, object_id, version, bucket_id, path, mime_type,
    (metadata ->> 'size')::bigint, metadata ->> 'eTag', owner_id)
  on conflict on constraint ingested_files_object_id_version_key do update set
    org_id = excluded.org_id, bucket_id = excluded.bucket_id, path = excluded.path,
    superseded_at = null, deleted_at = null
  returning id into file_id;

  for route in
    select r.* from public.ingest_routes r where r.active and r.bucket_id = ingest_object.bucket_id
      and path like r.path_pattern and coalesce(mime_type, '') like r.mime_pattern
    order by r.id
  loop
    begin
      perform public.enqueue_file_flow(file_id, route.flow, priority);
    exception when others then
      perform public.record_ingest_failure(object_id, version, bucket_id, path, 'route ' || route.name, sqlerrm);
      update public.ingested_files f set problem = 'its processing could not be started' where f.id = file_id;
    end;
  end loop;
  return file_id;
end $$;
revoke all on function public.ingest_object(uuid, text, text, text, jsonb, text, int)
from public, anon, authenticated;
grant execute on function public.ingest_object(uuid, text, text, text, jsonb, text, int) to service_role;

-- Enqueues one flow for one file version: every job gets the file as its payload, and so many points of priority more.
-- Called by ingest_object, ingest_again and backfill_file.
create function public.enqueue_file_flow(file_id bigint, flow jsonb, priority int default 0) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  return (
    select public.enqueue_jobs(jsonb_agg(
      element.value
      || case when enqueue_file_flow.priority = 0 then '{}' else jsonb_build_object('priority', least(greatest(
        coalesce((element.value ->> 'priority')::int, 0) + enqueue_file_flow.priority, -1000), 1000)) end
      || jsonb_build_object(
        'org_id', f.org_id,
        'file_id', f.id,
        'payload', coalesce(nullif(element.value -> 'payload', 'null'), '{}') || jsonb_build_object(
          'file_id', f.id, 'bucket', f.bucket_id, 'path', f.path,
          'version', f.version, 'mime_type', f.mime_type, 'size', f.size))
      order by element.ordinality))
    from public.ingested_files f
    cross join jsonb_array_elements(enqueue_file_flow.flow) with ordinality element
    where f.id = enqueue_file_flow.file_id);
end $$;
revoke all on function public.enqueue_file_flow(bigint, jsonb, int) from public, anon, authenticated;
grant execute on function public.enqueue_file_flow(bigint, jsonb, int) to service_role;

-- Writes down what could not be enqueued and why; if even that fails, the server's log has it.
-- Called by the storage triggers, ingest_object and the sweeps. It never raises: no upload is refused because of us.
create function public.record_ingest_failure(
  object_id uuid, version text, bucket_id text, path text, operation text, error text
) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.ingest_failures (object_id, version, bucket_id, path, operation, error)
  values (object_id, version, bucket_id, path, operation, error);
exception when others or query_canceled then
  raise warning 'crontick: % of %/% was not enqueued: % (and not recorded: %)', operation, bucket_id, path, error, sqlerrm;
end $$;
revoke all on function public.record_ingest_failure(uuid, text, text, text, text, text) from public, anon, authenticated;
grant execute on function public.record_ingest_failure(uuid, text, text, text, text, text) to service_role;

-- What storage.objects tells us: an object was stored, overwritten, moved or copied.
-- Runs inside the Storage API's own transaction and never refuses it: what goes wrong here is recorded in
-- ingest_failures. Waits at most two seconds for each lock, so that an upload is never slow because of us.
create function public.ingest_stored_object() returns trigger
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
begin
  if tg_op = 'UPDATE' and new.version is not distinct from old.version
    and new.name is not distinct from old.name and new.bucket_id is not distinct from old.bucket_id then
    return null;
  end if;
  if tg_op = 'UPDATE' then
    perform public.retire_files(array[old.id], case
      when exists (select from public.ingest_routes r where r.active and r.bucket_id = new.bucket_id)
      then 'superseded' else 'deleted' end);
  end if;
  if new.name is not null and new.bucket_id is not null
    and new.name not like '%/.emptyFolderPlaceholder' and new.name <> '.emptyFolderPlaceholder' then
    perform public.ingest_object(
      new.id, coalesce(new.version, 'unversioned'), new.bucket_id, new.name, new.metadata, new.owner_id);
  end if;
  return null;
exception when others or query_canceled then
  perform public.record_ingest_failure(new.id, new.version, new.bucket_id, new.name, lower(tg_op), sqlerrm);
  return null;
end $$;
revoke all on function public.ingest_stored_object() from public, anon, authenticated;

-- What storage.objects tells us: objects were deleted, one or many at once.
-- Once per statement, so that the jobs of all of them are locked in one order. Never refuses the deletion.
create function public.retire_deleted_objects() returns trigger
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
begin
  perform public.retire_files(array(select g.id from gone g), 'deleted');
  return null;
exception when others or query_canceled then
  perform public.record_ingest_failure(g.id, g.version, g.bucket_id, g.name, 'delete', sqlerrm)
  from gone g where exists (select from public.ingested_files f where f.object_id = g.id);
  return null;
end $$;
revoke all on function public.retire_deleted_objects() from public, anon, authenticated;

create or replace trigger crontick_ingest_stored
  after insert or update on storage.objects
  for each row when (new.version is distinct from '1')
  execute function public.ingest_stored_object();

create or replace trigger crontick_ingest_deleted
  after delete on storage.objects referencing old table as gone
  for each statement execute function public.retire_deleted_objects();
