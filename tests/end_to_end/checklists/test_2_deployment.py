"""The guide of the job queue behind an HTTP endpoint: its worker, its queue functions, deployment, troubleshooting."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL, MEMBER_EMAIL
from tests.database.queries_of_other_systems import PENDING
from tests.end_to_end.jobs_api import JobsApi
from tests.end_to_end.upload_to_cards.project import Function, Project, Row

VERCELS_SECRET = "vercels-own"  # CRON_SECRET of the function, as the fixture deploys it


@pytest.mark.leg_debian
def test_the_deployment_guide_holds_step_by_step(
    project: Project, function: Function, jobs_api: JobsApi
) -> None:
    check_who_may_call_the_worker(function)
    start_with_an_empty_queue(project)
    go_through_the_life_of_a_job(project)
    store_matching_secrets_and_schedule(project, function)
    process_on_demand(project, function)
    trigger_jobs_as_an_admin(project, jobs_api)
    pause_with_a_reason(project, function)
    see_why_jobs_fail(project, function)
    read_health(project, jobs_api)


def call(function: Function, headers: dict[str, str], body: Any = None) -> httpx.Response:
    return httpx.post(function.url, headers=headers, json=body, timeout=60, trust_env=False)


def check_who_may_call_the_worker(function: Function) -> None:
    for good in (
        {"Authorization": f"Bearer {VERCELS_SECRET}"},
        {"x-job-runner-secret": function.runner_secret},
    ):
        assert call(function, good).status_code == 200
    for bad in ({}, {"Authorization": "Bearer wrong"}, {"x-job-runner-secret": "wrong"}):
        refused = call(function, bad)
        assert (refused.status_code, refused.content) == (401, b"")


def start_with_an_empty_queue(project: Project) -> None:
    project.rows("select public.enqueue_job('acme', 'left_over')")
    project.rows("DELETE FROM job_queue;")
    assert project.rows("select 1 from public.jobs") == []


def go_through_the_life_of_a_job(project: Project) -> None:
    """pending → processing → pending again after a failure, with a delay → failed at the last attempt."""
    added = one(
        project.rows(
            "select * from job_queue_enqueue('game_platform_sync', '{\"orgId\": \"acme\"}', now(), 2)"
        )
    )
    assert added["status"] == "pending"
    claimed = one(project.rows("select * from job_queue_claim(5)"))
    assert (claimed["status"], claimed["attempts"]) == ("processing", 1)

    again = one(project.rows(f"select * from job_queue_mark_failed({added['id']}, 'rate limit', '0 s')"))
    assert (again["status"], again["last_error"]) == ("pending", "rate limit")
    project.rows("select * from job_queue_claim(5)")
    last = one(project.rows(f"select * from job_queue_mark_failed({added['id']}, 'rate limit', '0 s')"))
    assert last["status"] == "failed"
    assert last["completed_at"] is not None

    swept = one(
        project.rows("select * from job_queue_enqueue('game_platform_totals_sweep', '{\"orgId\": \"acme\"}')")
    )
    project.rows("select * from job_queue_claim(5)")
    done = one(project.rows(f"select * from job_queue_mark_succeeded({swept['id']}, '{{\"swept\": 7}}')"))
    assert (done["status"], done["output"]) == ("succeeded", {"swept": 7})


def one(rows: list[Row]) -> Row:
    (row,) = rows
    return row


def store_matching_secrets_and_schedule(project: Project, function: Function) -> None:
    """A secret that does not match shows in the run itself, and not first in the function's log."""
    project.rows("select public.enqueue_job('acme', 'not_deployed_yet')")
    project.set_secret("job_queue_worker_endpoint", function.url)
    project.set_secret("job_queue_runner_secret", "another")
    project.rows("select schedule_cron_tick(schedule => '*/5 * * * *')")
    (tick,) = project.rows("select command from cron.job")
    with pytest.raises(psycopg.Error, match="it refused the secret"):
        project.rows(tick["command"])

    project.set_secret("job_queue_runner_secret", function.runner_secret)
    assert list(one(project.rows(tick["command"])).values()) == ["called: the worker answered 200"]


def process_on_demand(project: Project, function: Function) -> None:
    project.upload("acme/notes.md", b"# Rivers\n\nA delta is the land at a river's mouth.\n", "text/markdown")

    report = call(
        function, {"x-job-runner-secret": function.runner_secret}, {"limit": 5, "force": False}
    ).json()

    assert (report["status"], report["succeeded"], report["failed"]) == ("ok", 3, 0)
    assert {(job["status"], job["attempts"], job["lastError"]) for job in report["results"][:3]} == {
        ("done", 1, None)
    }


def trigger_jobs_as_an_admin(project: Project, jobs_api: JobsApi) -> None:
    """Both triggers of the guide are one route; a dry run writes nothing, a member or a stranger may not."""
    project.rows("insert into job_types (type) values ('game_platform_totals_sweep') on conflict do nothing")
    path, sweep = "/trigger/game_platform_totals_sweep", {"orgId": "acme", "coachId": "c1", "batchSize": 100}
    with jobs_api.admin() as admin:
        said = admin.post(path, json=sweep | {"dryRun": True}).json()
        assert (said["success"], said["dryRun"], said["jobId"]) == (True, True, None)
        assert project.rows("select 1 from jobs where payload ? 'coachId'") == []

        said = admin.post(path, json=sweep).json()
    assert (said["success"], said["created"]) == (True, True)
    assert project.rows("select payload from jobs where id = %s", said["jobId"]) == [
        {"payload": {"coachId": "c1", "batchSize": 100}}
    ]
    (noted,) = project.rows("select actor, action from operator_actions where job_id = %s", said["jobId"])
    assert noted["actor"].startswith(f"user {ADMIN_EMAIL}")
    for token, status in ((None, 401), (jobs_api.token_of(MEMBER_EMAIL), 403)):
        with jobs_api.client(token) as somebody:
            assert somebody.post(path, json=sweep).status_code == status


def pause_with_a_reason(project: Project, function: Function) -> None:
    project.rpc("pause_processing", reason="the game platform is down")
    assert project.rows("select processing_enabled, paused_reason from job_queue_settings") == [
        {"processing_enabled": False, "paused_reason": "the game platform is down"}
    ]
    headers = {"x-job-runner-secret": function.runner_secret}
    assert call(function, headers).json()["status"] == "paused"
    assert call(function, headers, {"force": True}).json()["status"] == "ok"
    project.rpc("resume_processing")


def see_why_jobs_fail(project: Project, function: Function) -> None:
    """A file that can never be read fails at once; the row says why, and a retry starts it anew."""
    project.upload("acme/broken.png", b"\x89PNG\r\n\x1a\n but then nothing", "image/png")
    function.tick()

    failed = project.rows("SELECT * FROM job_queue WHERE status = 'failed' AND task_type = 'analyze_file';")
    assert one(failed)["last_error"]
    assert project.rows(PENDING.replace(";", " and task_type = 'analyze_file';")) == []
    project.rpc("retry_job", job_id=one(failed)["id"])
    assert one(project.rows(PENDING.replace(";", " and task_type = 'analyze_file';")))["attempts"] == 0


def read_health(project: Project, jobs_api: JobsApi) -> None:
    """Statistics, the switch, recent runs and the age of the oldest job; the function and the route tell the same."""
    known = project.rpc("queue_health")
    assert known["processing_enabled"] is True
    assert known["counts"]["failed"] >= 1
    assert known["oldest_due_seconds"] >= 0
    assert "recent_ticks" in known

    with jobs_api.admin() as admin:
        answer = admin.get("/health").json()
    assert answer["status"] in ("ok", "degraded")
    assert answer["health"]["counts"]["failed"] == known["counts"]["failed"]
