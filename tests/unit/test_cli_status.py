"""`crontick status`: what needs a person, and what only needs patience."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import respx

from functions.cli.status import tick_text
from functions.health_rows import CronRun
from tests.unit.cli_calls import URL, crontick
from tests.unit.cli_rows import START, file_status, job

HEALTH = {"processing_enabled": True, "counts": {"done": 3, "failed": 1}, "due": 0, "expired_leases": 1}
FILE = {"bucket_id": "ingest", "path": "demo/a.pdf"}


@pytest.fixture
def project(configured: None) -> Iterator[respx.MockRouter]:
    files = [
        file_status(jobs=[job(status="queued", attempts=1, error="a first try failed")]).model_dump(
            mode="json"
        )
    ]
    with respx.mock(assert_all_called=False) as router:
        router.post(f"{URL}/rest/v1/rpc/queue_health").respond(json=HEALTH)
        router.get(f"{URL}/rest/v1/file_status").respond(json=files)
        errors = [{"id": 1, "last_error": "no network"}]
        router.get(f"{URL}/rest/v1/jobs", params={"select": "id,last_error"}).respond(json=errors)
        yield router


def having(project: respx.MockRouter, **jobs: list[dict[str, Any]]) -> None:
    for status in ("queued", "failed"):
        rows = jobs.get(status, [])
        project.get(f"{URL}/rest/v1/jobs", params={"status": f"eq.{status}"}).respond(json=rows)


def dead_letter(**changes: object) -> dict[str, Any]:
    row = {"id": 17, "org_id": "demo", "type": "create_cards", "attempts": 5, "last_error": "encrypted"}
    return row | {"completed_at": "2026-11-22T12:00:00Z", "file": FILE} | changes


def put_back(**changes: object) -> dict[str, Any]:
    row = {"id": 18, "org_id": "acme", "type": "send_digest", "attempts": 1, "last_error": "no handler here"}
    return row | {"run_at": "2026-11-22T12:00:00Z", "file": None} | changes


def said(*options: str) -> str:
    done = crontick("status", *options)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_dead_letters_are_shown_with_their_error_and_next_step(project: respx.MockRouter) -> None:
    having(project, failed=[dead_letter(last_error="the PDF is \x1b[2Jencrypted")])
    text = said()
    assert "encrypted" in text
    assert "\x1b[2J" not in text
    assert "crontick retry 17" in text
    assert "will retry" in text
    assert "Put back" not in text
    assert json.loads(said("--json"))["dead_letters"][0]["file"]["path"] == "demo/a.pdf"


def test_queued_jobs_that_carry_an_error_are_shown_with_it(project: respx.MockRouter) -> None:
    having(project, queued=[put_back()])
    text = said()
    assert "Put back" in text
    assert "no handler here" in text
    assert "after 1 attempt, again with the next tick" in text
    assert "acme" in text
    assert "Dead letters" not in text
    assert json.loads(said("--json"))["put_back"][0]["last_error"] == "no handler here"
    asked = [call.request.url.params for call in project.calls if call.request.url.path.endswith("/jobs")]
    assert {params["last_error"] for params in asked if params.get("status") == "eq.queued"} == {
        "not.is.null"
    }


def test_one_of_a_thing_is_not_called_several(project: respx.MockRouter) -> None:
    having(project)
    assert "1 lease ran out" in said()


def test_the_last_tick_says_how_long_ago_it_was() -> None:
    tick = CronRun(status="succeeded", return_message="1 row", start_time=START, end_time=START)
    assert tick_text(tick, START + timedelta(minutes=5)) == "succeeded, 5 min 0 s ago, 1 row"


def test_files_carry_the_error_that_operators_read(project: respx.MockRouter) -> None:
    having(project)

    (found,) = json.loads(said("--json"))["files"]

    assert found["jobs"][0]["error"] == "no network"


def test_what_holds_jobs_up_is_said_and_nothing_else(project: respx.MockRouter) -> None:
    having(project)
    assert "alone" not in said()
    hindered = HEALTH | {
        "suspects": 1,
        "waiting_for_limits": 3,
        "oldest_snapshot": {"pid": 7, "seconds": 90, "application": "psql", "query": "select 1"},
        "dead_rows": 12,
        "cron_schedules": [
            {"jobname": "crontick-prune", "active": False},
            {"jobname": "crontick-alerts", "active": True},
        ],
    }
    project.post(f"{URL}/rest/v1/rpc/queue_health").respond(json=hindered)

    text = " ".join(said().split())

    assert "1 job will run alone" in text
    assert "limits keep ready jobs waiting" in text
    assert "(pid 7, psql)" in text
    assert "12 dead rows" in text
    assert "schedule crontick-prune is paused" in text
    assert "crontick-alerts" not in text
