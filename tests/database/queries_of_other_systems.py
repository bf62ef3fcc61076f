"""The queries that five teams had written for their own queues, word for word."""

from __future__ import annotations

STATISTICS = """
SELECT
  COUNT(*) FILTER (WHERE status = 'done') as completed,
  COUNT(*) FILTER (WHERE status = 'failed') as failed,
  COUNT(*) FILTER (WHERE status = 'queued') as still_queued
FROM jobs
WHERE updated_at > NOW() - INTERVAL '1 hour';
"""
RATE = """
SELECT
  DATE_TRUNC('minute', updated_at) as minute,
  COUNT(*) as processed
FROM jobs
WHERE status IN ('done', 'failed')
  AND updated_at > NOW() - INTERVAL '1 hour'
GROUP BY minute
ORDER BY minute DESC;
"""
STUCK = "SELECT * FROM jobs WHERE status = 'processing' AND started_at < NOW() - INTERVAL '10 minutes';"
BY_TYPE_AND_STATUS = "SELECT type, status, COUNT(*) FROM jobs GROUP BY type, status;"
PENDING = "SELECT * FROM job_queue WHERE status = 'pending';"
VERIFY = """
SELECT jobid, jobname, schedule, active
FROM cron.job
WHERE jobname = 'process-flashcard-jobs';
"""
THE_JOB = "SELECT * FROM cron.job WHERE jobname = 'process-flashcard-jobs';"
LATEST_RUNS = "SELECT * FROM cron.job_run_details\nORDER BY start_time DESC LIMIT 5;"
RECENT_RUNS = """
SELECT
  runid,
  status,
  return_message,
  start_time,
  end_time
FROM cron.job_run_details
WHERE jobid = (SELECT jobid FROM cron.job WHERE jobname = 'process-flashcard-jobs')
ORDER BY start_time DESC
LIMIT 10;
"""
FAILED_RUNS = """
SELECT return_message, start_time
FROM cron.job_run_details
WHERE jobid = (SELECT jobid FROM cron.job WHERE jobname = 'process-flashcard-jobs')
  AND status = 'failed'
ORDER BY start_time DESC LIMIT 5;
"""
LAST_MESSAGE = """
SELECT return_message
FROM cron.job_run_details
WHERE jobid = (SELECT jobid FROM cron.job WHERE jobname = 'process-flashcard-jobs')
ORDER BY start_time DESC LIMIT 1;
"""
PAUSE = "UPDATE cron.job\nSET active = false\nWHERE jobname = 'process-flashcard-jobs';"
RESUME = "UPDATE cron.job\nSET active = true\nWHERE jobname = 'process-flashcard-jobs';"
IS_ACTIVE = "SELECT active FROM cron.job WHERE jobname = 'process-flashcard-jobs';"
ALERT = """
SELECT cron.schedule(
  'alert-stuck-jobs',
  '0 * * * *',  -- Every hour
  $$
  SELECT CASE
    WHEN COUNT(*) > 100 THEN
      extensions.http_post(
        'https://your-webhook-url.com/alert',
        '{"message": "More than 100 jobs stuck in queue!"}'
      )
  END
  FROM jobs
  WHERE status = 'queued'
    AND created_at < NOW() - INTERVAL '1 hour';
  $$
);
"""
