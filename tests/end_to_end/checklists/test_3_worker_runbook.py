"""The runbook of workers that call the database's functions, with schedules of their own kind."""

from __future__ import annotations

import uuid

import httpx
import pytest
from postgrest.exceptions import APIError
from supabase import ClientOptions, create_client

from tests.end_to_end.upload_to_cards.project import Project

FAILED_FOR_TEN_MINUTES = (
    "select id from jobs where status = 'failed' and completed_at < now() - interval '10 minutes'"
)


@pytest.mark.leg_debian
def test_the_worker_runbook_holds_step_by_step(project: Project) -> None:
    check_that_the_migrations_are_applied(project)
    claim_and_resolve_as_two_workers(project)
    let_the_database_back_off(project)
    use_up_the_attempts(project)
    schedule_recurring_jobs(project)
    hear_of_failed_jobs(project)
    audit_every_attempt(project)
    keep_the_service_key_in_the_backend(project)


def check_that_the_migrations_are_applied(project: Project) -> None:
    found = project.rows(
        "select to_regclass('public.jobs_queue') is not null and to_regclass('public.job_runs') is not null "
        "and to_regclass('public.cron_tasks') is not null as all_there"
    )
    assert found == [{"all_there": True}]


def claim_and_resolve_as_two_workers(project: Project) -> None:
    """Each instance has a UUID of its own; a job is handed to one of them."""
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    project.rpc("enqueue_job", org_id="acme", type="ocr", payload={"page": 1})

    (job,) = project.rpc("claim_next_job", worker_id=first, job_type="ocr")
    assert project.rpc("claim_next_job", worker_id=second, job_type="ocr") == []
    assert job["payload"] == {"page": 1}

    stranger = project.rpc("resolve_job", job_id=job["id"], worker_id=second, success=True)
    own = project.rpc("resolve_job", job_id=job["id"], worker_id=first, success=True)
    assert (stranger["verdict"], own["verdict"], own["status"]) == ("lost", "ok", "done")


def let_the_database_back_off(project: Project) -> None:
    """A random part of five minutes after the first failure."""
    job_id = fail_once(project, "license_renewal", "the registry is closed")
    (row,) = project.rows(
        "select status, run_at - now() as waits, last_error from jobs where id = %s", job_id
    )

    assert (row["status"], row["last_error"]) == ("queued", "the registry is closed")
    assert 0 <= row["waits"].total_seconds() <= 300


def fail_once(project: Project, job_type: str, error: str, **limits: int) -> int:
    worker_id = str(uuid.uuid4())
    project.rpc("enqueue_job", org_id="acme", type=job_type, **limits)
    (job,) = project.rpc("claim_next_job", worker_id=worker_id, job_type=job_type)
    project.rpc("resolve_job", job_id=job["id"], worker_id=worker_id, success=False, error=error)
    return int(job["id"])


def use_up_the_attempts(project: Project) -> None:
    job_id = fail_once(project, "moderation", "not readable", max_attempts=1)

    assert project.rows("select status, attempts, max_attempts from jobs_queue where id = %s", job_id) == [
        {"status": "failed", "attempts": 1, "max_attempts": 1}
    ]


def schedule_recurring_jobs(project: Project) -> None:
    """Whoever calls how often: one minute, one job."""
    project.rows(
        "insert into cron_tasks (name, org_id, type, schedule, next_run_at) "
        "values ('renew-licences', 'acme', 'license_check', '*/5 * * * *', now())"
    )
    for _ in range(3):
        project.rows("select enqueue_cron_tasks();")

    assert project.rows("select count(*) as jobs from jobs where type = 'license_check'") == [{"jobs": 1}]
    (task,) = project.rows("select last_enqueued_at from cron_tasks")
    assert task["last_enqueued_at"] is not None

    project.rows("select schedule_cron_tasks()")
    assert project.rows(
        "select schedule, active from cron.job where command like '%enqueue_cron_tasks%'"
    ) == [{"schedule": "* * * * *", "active": True}]


def hear_of_failed_jobs(project: Project) -> None:
    assert project.rows(FAILED_FOR_TEN_MINUTES) == []
    project.rows("update jobs set completed_at = now() - interval '11 minutes' where status = 'failed'")

    assert len(project.rows(FAILED_FOR_TEN_MINUTES)) == 1
    assert "failed" in str(project.rows("select * from find_problems()"))
    assert project.rpc("queue_health")["failed_over_10_min"] == 1


def audit_every_attempt(project: Project) -> None:
    runs = project.rows(
        "select j.type, r.attempt, r.outcome, r.error from job_runs r join jobs j on j.id = r.job_id order by r.id"
    )
    assert [(row["type"], row["outcome"], row["error"]) for row in runs] == [
        ("ocr", "done", None),
        ("license_renewal", "retry", "the registry is closed"),
        ("moderation", "retry", "not readable"),
    ]


def keep_the_service_key_in_the_backend(project: Project) -> None:
    """With the key that a browser has, none of this can be called."""
    supabase = project.supabase
    with httpx.Client(timeout=30, trust_env=False) as http:
        browser = create_client(supabase.url, supabase.publishable_key, ClientOptions(httpx_client=http))
        with pytest.raises(APIError, match="permission denied"):
            browser.rpc("claim_next_job", {"worker_id": str(uuid.uuid4())}).execute()
        with pytest.raises(APIError, match="permission denied"):
            browser.table("jobs").select("id").execute()
