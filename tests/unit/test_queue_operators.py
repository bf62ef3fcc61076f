"""What operators ask of the queue and tell it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import respx

from functions.job_queue import JobQueue


@pytest.mark.parametrize("enabled", [True, False])
def test_a_pause_is_read_from_the_settings_row(
    enabled: bool, rest: respx.MockRouter, queue: JobQueue
) -> None:
    rest.get("/rest/v1/job_queue_settings").respond(json=[{"processing_enabled": enabled}])
    assert queue.is_paused() is not enabled


@pytest.mark.parametrize("rows", [[], [{}], [{"processing_enabled": None}]], ids=str)
def test_what_does_not_say_paused_is_not_paused(
    rows: list[object], rest: respx.MockRouter, queue: JobQueue
) -> None:
    rest.get("/rest/v1/job_queue_settings").respond(json=rows)
    assert queue.is_paused() is False


def test_dead_letters_are_retried_by_type_and_organisation(rest: respx.MockRouter, queue: JobQueue) -> None:
    answer = {"retried": 3, "skipped": [{"job_id": 7, "reason": "its file is gone"}], "left": 1}
    route = rest.post("/rest/v1/rpc/retry_failed_jobs").respond(json=answer)
    done = queue.retry_failed("analyze_file", "acme")
    assert (done.retried, done.skipped[0].reason, done.left) == (3, "its file is gone", 1)
    assert json.loads(route.calls.last.request.content) == {"type": "analyze_file", "org_id": "acme"}


@pytest.mark.parametrize(
    ("function", "call", "parameters"),
    [
        ("pause_processing", lambda queue: queue.pause("deploy"), {"reason": "deploy"}),
        ("resume_processing", lambda queue: queue.resume(), {}),
        ("cancel_job", lambda queue: queue.cancel(7), {"job_id": 7}),
        ("retry_job", lambda queue: queue.retry(7), {"job_id": 7}),
    ],
)
def test_what_operators_do_is_one_call_each(
    function: str,
    call: Callable[[JobQueue], object],
    parameters: dict[str, Any],
    rest: respx.MockRouter,
    queue: JobQueue,
) -> None:
    route = rest.post(f"/rest/v1/rpc/{function}").respond(status_code=204)
    call(queue)
    assert json.loads(route.calls.last.request.content) == parameters


def test_health_is_typed_and_tolerates_what_a_newer_database_adds(
    rest: respx.MockRouter, queue: JobQueue
) -> None:
    rest.post("/rest/v1/rpc/queue_health").respond(
        json={
            "processing_enabled": True,
            "paused_reason": None,
            "counts": {"queued": 3},
            "due": 2,
            "oldest_due_seconds": 12.5,
            "expired_leases": 0,
            "failed_over_10_min": 1,
            "ingest_failures": [{"bucket_id": "ingest", "path": "a/b", "error": "x", "created_at": None}],
            "recent_ticks": [],
            "something_new": 1,
        }
    )
    health = queue.health()
    assert (health.counts, health.ingest_failures[0].path) == ({"queued": 3}, "a/b")
