"""What goes wrong between Storage, the queue and the worker."""

from __future__ import annotations

from tests.end_to_end.doctor.breaks import Break

ROUTE = "update public.ingest_routes set {} where name = 'uploads'"
FLOW = """flow = '[{"ref": "analysis", "type": "analyze_file"}, {"type": "create_thumbnail"},
  {"type": "create_cards", "after": ["analysis"]}]'"""
JOB = "insert into public.jobs (org_id, type, idempotency_key, max_attempts, {}) "
NO_JOBS = "delete from public.jobs where org_id = 'doctor'"

QUEUED = {
    "the endpoint is not in Vault": Break(
        "delete from vault.secrets where name = 'job_queue_worker_endpoint'",
        "worker",
        "Vault secrets",
        "broken",
        "no secret job_queue_worker_endpoint",
        mend="select vault.create_secret({endpoint}, 'job_queue_worker_endpoint')",
    ),
    "the secret is not in Vault": Break(
        "delete from vault.secrets where name = 'job_queue_runner_secret'",
        "worker",
        "Vault secrets",
        "broken",
        "no secret job_queue_runner_secret",
        mend="select vault.create_secret({secret}, 'job_queue_runner_secret')",
    ),
    "leases end before the database hangs up": Break(
        "update public.job_queue_settings set http_timeout_ms = 40000",
        "worker",
        "time limits",
        "broken",
        "hangs up after 40 s",
    ),
    "a route starts what nobody handles": Break(
        ROUTE.format("""flow = '[{"type": "count_words"}]'"""),
        "worker",
        "job types",
        "broken",
        "no worker has a handler for count_words, which the route uploads starts",
        mend=ROUTE.format(FLOW),
    ),
    "a due job has no handler": Break(
        f"{JOB.format('turn')} values ('doctor', 'count_words', 'k', 3, 'ready')",
        "worker",
        "job types",
        "warning",
        "1 job(s) of the type count_words are due",
        mend=NO_JOBS,
    ),
    "the trigger is gone": Break(
        "drop trigger crontick_ingest_stored on storage.objects",
        "storage",
        "triggers",
        "broken",
        "crontick_ingest_stored is missing: uploads start no jobs",
    ),
    "the other trigger is gone": Break(
        "drop trigger crontick_ingest_deleted on storage.objects",
        "storage",
        "triggers",
        "broken",
        "crontick_ingest_deleted is missing",
    ),
    "the trigger is disabled": Break(
        "alter table storage.objects disable trigger crontick_ingest_stored",
        "storage",
        "triggers",
        "broken",
        "is disabled",
        mend="alter table storage.objects enable trigger crontick_ingest_stored",
    ),
    "the trigger fires in the probe": Break(
        "create or replace trigger crontick_ingest_stored after insert on storage.objects "
        "for each row execute function public.ingest_stored_object()",
        "storage",
        "triggers",
        "broken",
        "not ours any more",
    ),
    "a bucket is missing": Break(
        "update public.ingest_routes set bucket_id = 'else''s' where name = 'uploads'",
        "storage",
        "buckets",
        "broken",
        "the bucket else's does not exist",
        mend=ROUTE.format("bucket_id = 'ingest'"),
    ),
    "a bucket is public": Break(
        "update storage.buckets set public = true where id = 'ingest'",
        "storage",
        "buckets",
        "warning",
        "the bucket ingest is public",
    ),
    "thumbnails are refused": Break(
        "update storage.buckets set allowed_mime_types = array['image/png'] where id = 'thumbnails'",
        "storage",
        "buckets",
        "broken",
        "takes no image/webp",
    ),
    "the bucket takes more than the worker": Break(
        "update storage.buckets set file_size_limit = 1073741824 where id = 'ingest'",
        "storage",
        "size limits",
        "note",
        "1024 MB",
        restore="update storage.buckets set file_size_limit = null where id = 'ingest'",
    ),
    "no route is active": Break(
        ROUTE.format("active = false"), "storage", "routes", "broken", "every route is switched off"
    ),
    "uploads were not enqueued": Break(
        "insert into public.ingest_failures (path, operation, error) values ('doctor', 'insert', 'no room')",
        "storage",
        "ingest",
        "warning",
        "1 upload(s) of the last 24 hours were stored but not enqueued: no room",
        mend="delete from public.ingest_failures where path = 'doctor'",
    ),
    "processing is paused": Break(
        "select public.pause_processing('deploying')",
        "queue",
        "switch",
        "warning",
        "paused for 0 min: deploying",
        mend="select public.resume_processing()",
    ),
    "jobs are late": Break(
        f"{JOB.format('turn, run_at')} values ('doctor', 'create_cards', 'k', 3, 'ready', now() - interval '1 hour')",
        "queue",
        "due jobs",
        "warning",
        "have been due for 60 min (create_cards)",
        mend=NO_JOBS,
    ),
    "a lease is stuck": Break(
        f"{JOB.format('status, worker_id, lease_token, lease_expires_at')} values ('doctor', 'create_cards', 'k', 3, "
        "'processing', gen_random_uuid(), gen_random_uuid(), now() - interval '10 minutes')",
        "queue",
        "leases",
        "warning",
        "1 lease(s) ran out, the oldest 10 min ago",
        mend=NO_JOBS,
    ),
    "some jobs fail": Break(
        f"{JOB.format('status, completed_at')} values ('doctor', 'create_cards', 'k', 3, 'failed', now())",
        "queue",
        "failures",
        "note",
        "1 job(s) failed in 24 hours (create_cards)",
        mend=NO_JOBS,
    ),
    "many jobs fail": Break(
        f"{JOB.format('status, completed_at')} select 'doctor', 'create_cards', n::text, 3, 'failed', now() "
        "from generate_series(1, 100) n",
        "queue",
        "failures",
        "warning",
        "jobs of 24 hours failed (create_cards)",
        mend=NO_JOBS,
    ),
    "nobody hears of alerts": Break(
        "delete from vault.secrets where name = 'job_queue_alert_webhook'",
        "queue",
        "alerts",
        "note",
        "nobody is told",
    ),
}
