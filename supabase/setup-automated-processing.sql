-- Automated processing: paste this whole file into the SQL editor and run it. It is safe to run again.
--
-- Needs: the migrations of supabase/migrations (`supabase db push`). Runs as role postgres; needs no superuser.
-- Does:  installs pg_cron and http, schedules the tick and the maintenance (old jobs, pictures of deleted files, alerts,
--        recurring jobs), and ends in a table that says what is still missing.
--
-- To change how much is processed, edit the call of schedule_cron_tick below and run the file again:
--   schedule    '* * * * *' every minute; '*/5 * * * *' every five; '30 seconds' (pg_cron 1.5 or newer)
--   batch_size  jobs that the function claims at once; it claims again until its time budget is spent
--   delay_ms    pause between jobs; above 0 they run one by one
--   workers     more than 1 makes further schedules (…-2, …-3) that call only when the backlog needs them
-- A second environment is a second call with its own job_name, endpoint_secret and runner_secret.
-- From a shell, with the function's address: crontick connect --url https://… does all of it, and crontick doctor looks
-- at every link.
-- No secret stands here: a schedule's command can be read by everybody who may read cron.job.

create extension if not exists pg_cron;
create extension if not exists http with schema extensions;

do $$
begin
  if to_regprocedure('public.schedule_cron_tick(text, text, integer, integer, integer, text, text)') is null then
    raise exception 'crontick''s tables and functions are missing: apply supabase/migrations first'
      using hint = 'supabase link --project-ref <ref> && supabase db push';
  end if;
end $$;

select public.schedule_cron_tick(
  job_name => 'process-flashcard-jobs',
  schedule => '* * * * *',
  batch_size => 5,
  delay_ms => 0,
  workers => 1
);

select public.schedule_maintenance();

with wanted_secret (name, example, if_missing) as (
  values
    ('job_queue_worker_endpoint', 'https://<your function>', 'MISSING'),
    ('job_queue_runner_secret', '<the function''s JOB_QUEUE_RUNNER_SECRET>', 'MISSING'),
    ('job_queue_alert_webhook', 'https://<a Slack webhook or the like>', 'no alerts')
)

select 1 as step, 'extensions enabled' as what, 'ok' as state,
  string_agg(e.extname || ' ' || e.extversion, ', ' order by e.extname) as detail
from pg_catalog.pg_extension e where e.extname in ('pg_cron', 'http')
union all
select 2, 'cron job ' || j.jobname, case when j.active then 'ok' else 'PAUSED' end,
  case when j.active then format('scheduled at "%s": %s', j.schedule, j.command)
  else format('resume: select cron.alter_job(%s, active := true);', j.jobid) end
from cron.job j where j.command like '%invoke_cron_tick(%' or j.jobname like 'crontick-%'
union all
select 3, 'Vault secret ' || w.name, case when s.id is null then w.if_missing else 'ok' end,
  case when s.id is null then format('select vault.create_secret(%L, %L);', w.example, w.name) else 'stored' end
from wanted_secret w left join vault.secrets s on s.name = w.name
union all
select 4, 'storage trigger',
  case when count(*) = 2 then 'ok' else 'MISSING' end,
  coalesce(string_agg(t.tgname, ', ' order by t.tgname), 'apply the migrations again')
from pg_catalog.pg_trigger t
where t.tgrelid = 'storage.objects'::regclass and t.tgname like 'crontick%' and t.tgenabled <> 'D'
union all
select 5, 'bucket ingest',
  case when exists (select from storage.buckets b where b.id = 'ingest') then 'ok' else 'MISSING' end,
  'upload to <organisation>/<file>'
union all
select 6, 'processing', case when q.processing_enabled then 'ok' else 'PAUSED' end,
  case when q.processing_enabled then 'enabled'
  else format('%s; resume: select public.resume_processing();', coalesce(q.paused_reason, 'no reason given')) end
from public.job_queue_settings q
order by 1, 2;
