"""The function's HTTP edge as its callers meet it, under the real functions-framework."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

from scripts.local_supabase.ports import free_port
from tests.end_to_end.upload_to_cards.project import Function, Project

TRIGGER = Path(__file__).parents[3] / "scripts" / "trigger-worker.sh"


def post(function: Function, **arguments: object) -> httpx.Response:
    return httpx.post(function.url, timeout=30, trust_env=False, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("header", ["x-job-runner-secret", "Authorization"])
def test_either_header_opens_the_function(project: Project, function: Function, header: str) -> None:
    secret = function.runner_secret
    value = f"Bearer {secret}" if header == "Authorization" else secret

    assert post(function, headers={header: value}).json()["status"] == "ok"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"x-job-runner-secret": "wrong"}])
def test_a_wrong_secret_gets_401_and_not_a_word(function: Function, headers: dict[str, str]) -> None:
    answer = post(function, headers=headers)

    assert (answer.status_code, answer.content) == (401, b"")


def test_a_get_is_refused_because_a_redirected_post_becomes_one(function: Function) -> None:
    assert httpx.get(function.url, trust_env=False).status_code == 405


def test_a_bad_body_is_refused_with_the_field(function: Function) -> None:
    answer = function.tick(limit="many")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("limit")


def test_iterations_is_another_name_of_limit(project: Project, function: Function) -> None:
    for n in range(3):
        project.rpc("enqueue_job", org_id="acme", type="not_deployed_yet", payload={"n": n})

    assert len(function.tick(iterations=2, drain=False).json()["results"]) == 2


def test_paused_is_said_and_force_runs_all_the_same(project: Project, function: Function) -> None:
    project.upload("acme/a.md", b"Delta: the land at a river's mouth.", "text/markdown")
    project.rpc("pause_processing", reason="deploying")

    assert function.tick().json()["status"] == "paused"
    assert function.tick(force=True).json()["processed"] > 0


def test_a_database_that_is_gone_is_503(project: Project) -> None:
    with project.function(SUPABASE_URL=f"http://127.0.0.1:{free_port()}") as cut_off:
        answer = cut_off.tick()

    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["error"]


def run_trigger(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", TRIGGER, *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_trigger_worker_prints_the_answer(project: Project, function: Function) -> None:
    project.upload("acme/a.md", b"Delta: the land at a river's mouth.", "text/markdown")
    environment = {
        "JOB_QUEUE_WORKER_ENDPOINT": function.url,
        "JOB_QUEUE_RUNNER_SECRET": function.runner_secret,
    }

    finished = run_trigger(environment, "5", "0")

    assert finished.returncode == 0, finished.stderr
    assert '"succeeded": 3' in finished.stdout


def test_trigger_worker_fails_with_the_reason(function: Function) -> None:
    environment = {"JOB_QUEUE_WORKER_ENDPOINT": function.url, "JOB_QUEUE_RUNNER_SECRET": "wrong"}

    finished = run_trigger(environment)

    assert finished.returncode != 0
    assert "401" in finished.stderr
