-- Operators' queries for the SQL editor. Mark one and run it; nothing here changes anything when the whole file is run.
-- What changes something stands behind "-- run:"; copy it without that.
--
-- On hosted Supabase cron.job is read-only, so `update cron.job set active = false` is refused (42501): pausing and
-- resuming a schedule goes through cron.alter_job. To stop all processing whatever is scheduled, use pause_processing.

-- Does anything need a person? No row: no. The same is sent to the webhook that Vault has as job_queue_alert_webhook.
select * from public.find_problems();

-- Is the schedule there, and is it active?
select jobid, jobname, schedule, active, command from cron.job where command like '%invoke_cron_tick(%' order by jobname;

-- The last ten runs. "succeeded": nothing was due, or the function answered 2xx; anything else stands in return_message.
select d.runid, j.jobname, d.status, d.return_message, d.start_time, d.end_time
from cron.job_run_details d join cron.job j on j.jobid = d.jobid
where j.jobname = 'process-flashcard-jobs'
order by d.start_time desc limit 10;

-- Only the failed runs, with the reason.
select d.start_time, d.return_message
from cron.job_run_details d join cron.job j on j.jobid = d.jobid
where j.jobname = 'process-flashcard-jobs' and d.status = 'failed'
order by d.start_time desc limit 10;

-- Everything about the queue in one object: counts, oldest due job, pause, recent ticks, uploads that were not enqueued.
select jsonb_pretty(public.queue_health());

-- Jobs by type and status, and how long they take.
select * from public.job_stats order by count desc;

-- What comes next, and what each job waits for.
select * from public.pending_jobs_queue order by position limit 50;

-- What happened in the last hour.
select
  count(*) filter (where status = 'done') as completed,
  count(*) filter (where status = 'failed') as failed,
  count(*) filter (where status = 'queued') as still_queued
from public.jobs where updated_at > now() - interval '1 hour';

-- Jobs per minute.
select date_trunc('minute', updated_at) as minute, count(*) as processed
from public.jobs
where status in ('done', 'failed') and updated_at > now() - interval '1 hour'
group by minute order by minute desc;

-- What runs now, the longest first; a negative lease_left_seconds: its worker is gone, the next claim takes the job back.
select * from public.active_jobs order by running_seconds desc;

-- Dead letters, newest first.
select id, type, org_id, attempts, crashes, last_error, completed_at
from public.jobs where status = 'failed' order by completed_at desc limit 20;

-- Each file and how far it is.
select file_id, org_id, path, status, finished_at - created_at as took
from public.file_status order by file_id desc limit 20;

-- Pause this schedule; running calls end by themselves.
-- run: select cron.alter_job(jobid, active := false) from cron.job where jobname = 'process-flashcard-jobs';

-- Resume it.
-- run: select cron.alter_job(jobid, active := true) from cron.job where jobname = 'process-flashcard-jobs';

-- Stop all claims, whoever calls the function, and say why. Resume.
-- run: select public.pause_processing('maintenance');
-- run: select public.resume_processing();

-- Bring a dead letter back with all its attempts; cancel a job.
-- run: select public.retry_job(id) from public.jobs where status = 'failed' order by completed_at desc limit 1;
-- run: select public.cancel_job(id) from public.jobs where status = 'queued' order by id desc limit 1;

-- Bring back all dead letters, up to 1,000 a call; of one type or organisation: (type => 'create_cards', org_id => 'acme').
-- run: select public.retry_failed_jobs();

-- Run every five minutes, twenty jobs a batch, two slots. Run once a minute again.
-- run: select public.schedule_cron_tick(schedule => '*/5 * * * *', batch_size => 20, workers => 2);
-- run: select public.schedule_cron_tick();

-- Remove what is older than its retention: jobs, their attempts, and the history of cron runs, which pg_cron keeps for ever.
-- The schedule crontick-prune does this every hour. Schedule or remove all maintenance.
-- run: select public.prune_jobs();
-- run: select public.schedule_maintenance();
-- run: select public.unschedule_maintenance();

-- Remove the schedule for good; setup-automated-processing.sql makes it again.
-- run: select public.unschedule_cron_tick('process-flashcard-jobs');
