-- privileges: who may see what. Functions revoke and grant for themselves, beside their definition.
--
-- service_role   reads every table; changes happen through the functions
-- authenticated  reads the files of its own organisations and what was made from them, and keeps its cards
-- anon           nothing
--
-- On hosted Supabase, creating a policy locks tables of auth and storage until this file commits: rather give up soon
-- and be run again than make uploads wait.
set local lock_timeout = '2s';

-- The organisations of the signed-in user, from the token that Auth issued: app_metadata.org_ids.
-- Called by every policy below. Replace it if your memberships live in a table; keep it stable and cheap.
create function public.current_org_ids() returns text[]
language sql stable security invoker set search_path = '' as $$
  select array(select jsonb_array_elements_text(case
    when jsonb_typeof((select auth.jwt()) -> 'app_metadata' -> 'org_ids') = 'array'
    then (select auth.jwt()) -> 'app_metadata' -> 'org_ids' else '[]' end))
$$;
comment on function public.current_org_ids() is 'The organisations of the signed-in user: app_metadata.org_ids of the JWT.';
revoke all on function public.current_org_ids() from public, anon;
grant execute on function public.current_org_ids() to authenticated, service_role;

alter table public.jobs enable row level security;
alter table public.job_parents enable row level security;
alter table public.job_runs enable row level security;
alter table public.job_types enable row level security;
alter table public.job_queue_settings enable row level security;
alter table public.org_limits enable row level security;
alter table public.org_usage enable row level security;
alter table public.pipelines enable row level security;
alter table public.content_results enable row level security;
alter table public.prune_progress enable row level security;
alter table public.alerts enable row level security;
alter table public.operator_actions enable row level security;
alter table public.ingested_files enable row level security;
alter table public.ingest_routes enable row level security;
alter table public.ingest_failures enable row level security;
alter table public.file_sweeps enable row level security;
alter table public.past_steps enable row level security;
alter table public.file_analyses enable row level security;
alter table public.thumbnails enable row level security;
alter table public.cards enable row level security;
alter table public.cron_tasks enable row level security;

create policy members_read on public.jobs for select to authenticated
  using (org_id = any ((select public.current_org_ids())::text[]));
create policy members_read on public.ingested_files for select to authenticated
  using (org_id = any ((select public.current_org_ids())::text[]));
-- What was made from a file is seen while the file is there, in this organisation: also what an older version gave, until
-- the newer one is processed, but nothing of a file that was deleted or moved to others.
-- Asked row by row, which `exists` would not be: fifty cards need not read all files of their organisation.
create policy members_read on public.file_analyses for select to authenticated
  using (org_id = any ((select public.current_org_ids())::text[]) and (
    select true from public.ingested_files v join public.ingested_files f on f.object_id = v.object_id
    where v.id = file_analyses.file_id and f.org_id = file_analyses.org_id
      and f.superseded_at is null and f.deleted_at is null));
create policy members_read on public.thumbnails for select to authenticated
  using (org_id = any ((select public.current_org_ids())::text[]) and (
    select true from public.ingested_files v join public.ingested_files f on f.object_id = v.object_id
    where v.id = thumbnails.file_id and f.org_id = thumbnails.org_id
      and f.superseded_at is null and f.deleted_at is null));
create policy members_read on public.cards for select to authenticated
  using (removed_at is null and gone_at is null and org_id = any ((select public.current_org_ids())::text[]) and (
    select true from public.ingested_files f
    where f.object_id = cards.object_id and f.org_id = cards.org_id
      and f.superseded_at is null and f.deleted_at is null));

-- Who may join the topics of tell_about_file: members of the organisation that the topic names. They broadcast nothing.
do $$
begin
  if to_regclass('realtime.messages') is not null then
    create policy members_watch_files on realtime.messages for select to authenticated using (
      extension = 'broadcast' and topic = (select realtime.topic()) and topic like 'files:%'
      and substr(topic, 7) = any ((select public.current_org_ids())::text[]));
  end if;
end $$;

create policy service_all on public.jobs for all to service_role using (true) with check (true);
create policy service_all on public.job_parents for all to service_role using (true) with check (true);
create policy service_all on public.job_runs for all to service_role using (true) with check (true);
create policy service_all on public.job_types for all to service_role using (true) with check (true);
create policy service_all on public.job_queue_settings for all to service_role using (true) with check (true);
create policy service_all on public.org_limits for all to service_role using (true) with check (true);
create policy service_all on public.org_usage for all to service_role using (true) with check (true);
create policy service_all on public.pipelines for all to service_role using (true) with check (true);
create policy service_all on public.content_results for all to service_role using (true) with check (true);
create policy service_all on public.prune_progress for all to service_role using (true) with check (true);
create policy service_all on public.alerts for all to service_role using (true) with check (true);
create policy service_all on public.operator_actions for all to service_role using (true) with check (true);
create policy service_all on public.ingested_files for all to service_role using (true) with check (true);
create policy service_all on public.ingest_routes for all to service_role using (true) with check (true);
create policy service_all on public.ingest_failures for all to service_role using (true) with check (true);
create policy service_all on public.file_sweeps for all to service_role using (true) with check (true);
create policy service_all on public.past_steps for all to service_role using (true) with check (true);
create policy service_all on public.file_analyses for all to service_role using (true) with check (true);
create policy service_all on public.thumbnails for all to service_role using (true) with check (true);
create policy service_all on public.cards for all to service_role using (true) with check (true);
create policy service_all on public.cron_tasks for all to service_role using (true) with check (true);

revoke all on
  public.jobs, public.job_parents, public.job_runs, public.job_types, public.job_policies, public.job_queue_settings,
  public.org_limits, public.org_usage, public.pipelines, public.content_results, public.prune_progress, public.alerts,
  public.operator_actions,
  public.ingested_files, public.ingest_routes, public.ingest_failures, public.file_sweeps, public.past_steps,
  public.file_analyses, public.thumbnails, public.cards, public.file_status,
  public.job_stats, public.active_jobs, public.pending_jobs_queue,
  public.cron_tasks
from public, anon, authenticated, service_role;

grant select on
  public.jobs, public.job_parents, public.job_runs, public.job_policies, public.job_queue_settings,
  public.org_usage, public.content_results, public.ingested_files, public.ingest_failures,
  public.prune_progress, public.alerts, public.operator_actions, public.file_sweeps, public.past_steps,
  public.file_analyses, public.thumbnails, public.cards,
  public.file_status, public.job_stats, public.active_jobs, public.pending_jobs_queue
to service_role;
-- Policy, limits, pipelines, routes and recurring jobs are an operator's data: they may be edited over the API with the
-- secret key.
grant select, insert, update, delete on
  public.job_types, public.org_limits, public.pipelines, public.ingest_routes, public.cron_tasks
to service_role;

grant select on public.ingested_files, public.file_analyses, public.thumbnails, public.cards, public.file_status
to authenticated;
-- Not the payload, the output, the lease or the operators' error: only what a progress display needs.
grant select (
  id, org_id, org_key, type, status, turn, place, attempts, crashes, progress, file_id, public_error,
  created_at, started_at, completed_at)
on public.jobs to authenticated;
