"""A function that is handed its jobs in the body of a call (JOB_QUEUE_BACKEND=cron)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.upload_to_cards.project import Function, Project, deployment_with

HANDLERS = Path(__file__).parent / "video_handlers"
JOB = {"type": "analysis", "orgId": "acme", "data": {"brief": "A video about rivers"}}


@pytest.fixture(scope="module")
def on_call(running_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    folder = deployment_with(HANDLERS, tmp_path_factory.mktemp("on call"))
    with running_project.function(folder, JOB_QUEUE_BACKEND="cron", JOB_MAX_ATTEMPTS="2") as function:
        yield function


def test_the_job_is_run_in_the_call_that_brings_it(project: Project, on_call: Function) -> None:
    project.rpc("enqueue_job", org_id="acme", type="analysis", payload={"brief": "another"})

    answer = on_call.tick(**JOB).json()

    job_id = answer["job"]["id"]
    assert (answer["status"], answer["processed"], answer["succeeded"]) == ("ok", 1, 1)
    assert answer["results"] == [{"id": job_id, "status": "done", "attempts": 1, "lastError": None}]
    (job,) = project.rows("select output, max_attempts from public.jobs where id = %s", job_id)
    assert job == {"output": {"topic": "rivers"}, "max_attempts": 2}
    assert [row["status"] for row in project.rows("select status from public.jobs order by status")] == [
        "done",
        "queued",
    ]


def test_a_plain_tick_works_on_what_is_due(project: Project, on_call: Function) -> None:
    project.rpc("enqueue_job", org_id="acme", type="analysis", payload={"brief": "another"})

    assert on_call.tick().json()["succeeded"] == 1


def test_a_job_that_is_not_to_be_had_is_answered_with_the_reason(project: Project, on_call: Function) -> None:
    project.rpc("pause_processing", reason="deploying")
    paused = on_call.tick(**JOB).json()
    assert (paused["status"], paused["processed"]) == ("paused", 0)
    assert paused["job"]["waitsFor"] == "processing is paused"
    assert on_call.tick(**JOB, force=True).json()["succeeded"] == 1

    project.rpc("resume_processing")
    body = {"org_id": "acme", "type": "analysis", "payload": {"brief": "x"}}
    parents = project.rpc("enqueue_jobs", jobs=[body | {"type": "render"}])
    project.rpc("enqueue_jobs", jobs=[body | {"after": [parents[0]["job_id"]]}])
    waiting = on_call.tick(**body).json()
    assert (waiting["status"], waiting["processed"], waiting["job"]["status"]) == ("ok", 0, "waiting")


def test_what_the_caller_has_to_change_is_a_bad_request(project: Project, on_call: Function) -> None:
    no_org = on_call.tick(type="analysis", payload={})
    assert (no_org.status_code, no_org.json()["error"].split(":")[0]) == (400, "org_id")


def test_a_function_of_the_table_refuses_it(project: Project, function: Function) -> None:
    answer = function.tick(**JOB)
    assert answer.status_code == 400
    assert "JOB_QUEUE_BACKEND=cron" in answer.json()["error"]
