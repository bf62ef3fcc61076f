"""Each link is broken in a running project: doctor finds that one and no other, and its SQL mends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.end_to_end.doctor.patient import NEVER, Patient, Symptom, symptom


def test_nothing_is_wrong_with_the_patient_but_that_its_schedule_never_came(patient: Patient) -> None:
    assert patient.healthy == {("schedule", "runs", "note")}


@dataclass(frozen=True)
class Break:
    """SQL that breaks a link, what doctor then says, and SQL that mends it where the remedy is not itself SQL."""

    sql: str
    group: str
    check: str
    severity: str
    words: str  # in what it says
    mend: str | None = None  # None: the remedy is SQL, and is run
    as_admin: bool = True

    @property
    def symptom(self) -> Symptom:
        return self.group, self.check, self.severity


ENDPOINT = "select vault.update_secret(id, {}) from vault.secrets where name = 'job_queue_worker_endpoint'"
SECRET = "select vault.update_secret(id, {}) from vault.secrets where name = 'job_queue_runner_secret'"
TICK = "(select jobid from cron.job where jobname = 'process-flashcard-jobs')"
SCHEDULE = f"select public.schedule_cron_tick(schedule => '{NEVER}')"
MAINTENANCE = (
    "select public.schedule_maintenance(); "
    f"select cron.alter_job(jobid, schedule := '{NEVER}') from cron.job where jobname like 'crontick-%'"
)
RUN = (
    "insert into cron.job_run_details (jobid, runid, database, username, command, status, return_message, start_time, "
    f"end_time) select {TICK}, nextval('cron.runid_seq'), 'postgres', 'postgres', 'x', {{}}, now() - interval '{{}}', "
    "now() from generate_series(1, {})"
)
NO_RUNS = "delete from cron.job_run_details where command = 'x'"
ROUTE = "update public.ingest_routes set {} where name = 'uploads'"
FLOW = """flow = '[{"ref": "analysis", "type": "analyze_file"}, {"type": "create_thumbnail"},
  {"type": "create_cards", "after": ["analysis"]}]'"""
JOB = "insert into public.jobs (org_id, type, idempotency_key, max_attempts, {}) "
NO_JOBS = "delete from public.jobs where org_id = 'doctor'"

BREAKS = {
    "the http extension is gone": Break(
        "drop extension http", "database", "extensions", "broken", "the extension http is not installed"
    ),
    "http lies in another schema": Break(
        "drop extension http; create extension http with schema public",
        "database",
        "extensions",
        "broken",
        "in the schema public",
    ),
    "a function is missing": Break(
        "alter function public.post_alert(text, jsonb) rename to post_alert_of_yore",
        "database",
        "migrations",
        "broken",
        "(post_alert), of the migration(s) 20261122000085_alerts",
        mend="alter function public.post_alert_of_yore(text, jsonb) rename to post_alert",
    ),
    "statements end too soon": Break(
        "alter role service_role set statement_timeout = '2s'; "
        "alter role authenticator set statement_timeout = '2s'; notify pgrst, 'reload config'",
        "database",
        "statement timeout",
        "warning",
        "end after 2000 ms",
        mend="alter role service_role reset statement_timeout; "
        "alter role authenticator set statement_timeout = '8s'; notify pgrst, 'reload config'",
    ),
    "a grant was revoked": Break(
        "revoke execute on function public.prune_jobs(int) from service_role",
        "access",
        "what the key may",
        "broken",
        "service_role may not call prune_jobs",
    ),
    "a table cannot be read": Break(
        "revoke select on public.cards from service_role",
        "access",
        "what the key may",
        "broken",
        "not read cards",
    ),
    "browsers may enqueue": Break(
        "grant execute on function public.cancel_job(bigint) to anon, authenticated",
        "access",
        "what browsers may",
        "broken",
        "may call cancel_job",
    ),
    "row security is off": Break(
        "alter table public.job_runs disable row level security",
        "access",
        "row security",
        "broken",
        "is off on job_runs",
    ),
    "browsers read the jobs": Break(
        "grant select on public.job_runs to anon", "access", "row security", "broken", "granted job_runs"
    ),
    "no tick is scheduled": Break(
        f"select cron.unschedule({TICK})",
        "schedule",
        "ticks",
        "broken",
        "nobody calls the worker",
        mend=SCHEDULE,
        as_admin=False,
    ),
    "the tick is switched off": Break(
        f"select cron.alter_job({TICK}, active := false)",
        "schedule",
        "ticks",
        "broken",
        "is switched off",
        as_admin=False,
    ),
    "the tick has six fields": Break(
        f"select cron.alter_job({TICK}, schedule := '0 0 0 1 1 *')",
        "schedule",
        "ticks",
        "broken",
        "its first five fields only",
        mend=SCHEDULE,
        as_admin=False,
    ),
    "maintenance is not scheduled": Break(
        "select cron.unschedule('crontick-prune')",
        "schedule",
        "maintenance",
        "warning",
        "not scheduled: crontick-prune",
        mend=MAINTENANCE,
        as_admin=False,
    ),
    "maintenance is switched off": Break(
        "select cron.alter_job(jobid, active := false) from cron.job where jobname = 'crontick-alerts'",
        "schedule",
        "maintenance",
        "warning",
        "crontick-alerts is switched off",
        as_admin=False,
    ),
    "the tick belongs to somebody else": Break(
        f"update cron.job set username = 'supabase_admin' where jobid = {TICK}",
        "schedule",
        "owners",
        "warning",
        "belongs to supabase_admin",
        mend=f"update cron.job set username = 'postgres' where jobid = {TICK}",
    ),
    "the tick runs in another database": Break(
        f"update cron.job set database = 'template1' where jobid = {TICK}",
        "schedule",
        "owners",
        "broken",
        "in the database template1",
        mend=f"update cron.job set database = 'postgres' where jobid = {TICK}",
    ),
    "the last runs failed": Break(
        RUN.format("'failed', 'ERROR:  the worker at x answered 500'", "1 minute", 3),
        "schedule",
        "runs",
        "broken",
        "fails: the worker at x answered 500",
        mend=NO_RUNS,
    ),
    "the last run failed": Break(
        f"{RUN.format("'succeeded', '1 row'", '2 minutes', 1)}; {RUN.format("'failed', 'ERROR:  x'", '1 minute', 1)}",
        "schedule",
        "runs",
        "warning",
        "the last run of process-flashcard-jobs failed: x",
        mend=NO_RUNS,
    ),
    "the schedule has stopped": Break(
        f"{RUN.format("'succeeded', '1 row'", '3 hours', 1)}; "
        f"select cron.alter_job({TICK}, schedule := '* * * * *')",
        "schedule",
        "runs",
        "broken",
        "and should have since",
        mend=f"{NO_RUNS}; {SCHEDULE}",
    ),
    "a secret stands in a command": Break(
        f"select cron.schedule('theirs', '{NEVER}', 'select ''Authorization: Bearer abc123'' ')",
        "schedule",
        "secrets in commands",
        "warning",
        "in the command of the schedule theirs",
        mend="select cron.unschedule('theirs')",
        as_admin=False,
    ),
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


@contextmanager
def broken(patient: Patient, case: Break) -> Iterator[psycopg.Connection[Any]]:
    by = patient.admin if case.as_admin else patient.project.database
    by.execute(case.sql.encode())
    try:
        yield by
    finally:
        if case.mend is not None:
            mend = case.mend.replace("{endpoint}", f"'{patient.function.url}'")
            by.execute(mend.replace("{secret}", f"'{patient.function.runner_secret}'").encode())


@pytest.mark.parametrize("case", BREAKS.values(), ids=list(BREAKS))
def test_a_broken_link_is_found_alone_and_its_sql_mends_it(patient: Patient, case: Break) -> None:
    with broken(patient, case):
        (found,) = patient.symptoms()
        assert symptom(found) == case.symptom
        assert case.words in found.what
        assert found.remedy
        if case.mend is None:
            for statement in found.remedy.splitlines():
                if "\n" not in statement:
                    pass
            patient.project.database.execute(found.remedy.encode())

    assert patient.symptoms() == []
