"""What operators ask of the queue and tell it."""

from __future__ import annotations

import json
from contextlib import suppress

import httpx
import pytest
import respx

from functions.errors import AnswerUnknown, QueueUnavailable, RequestRefused
from functions.operator_rows import Operation
from functions.operators_queue import OperatorsQueue


@pytest.mark.parametrize("enabled", [True, False])
def test_a_pause_is_read_from_the_settings_row(
    enabled: bool, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    rest.get("/rest/v1/job_queue_settings").respond(json=[{"processing_enabled": enabled}])
    assert queue.is_paused() is not enabled


@pytest.mark.parametrize("rows", [[], [{}], [{"processing_enabled": None}]], ids=str)
def test_what_does_not_say_paused_is_not_paused(
    rows: list[object], rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    rest.get("/rest/v1/job_queue_settings").respond(json=rows)
    assert queue.is_paused() is False


def test_what_operators_do_is_one_call_that_names_them(rest: respx.MockRouter, queue: OperatorsQueue) -> None:
    answer = {"job_id": 7, "status": "queued", "revived": 0}
    route = rest.post("/rest/v1/rpc/operate").respond(json=answer)

    assert queue.operate("cli ann@desk", "retry", {"job_id": 7}) == answer
    assert json.loads(route.calls.last.request.content) == {
        "actor": "cli ann@desk",
        "action": "retry",
        "parameters": {"job_id": 7},
        "dry_run": False,
    }


@pytest.mark.parametrize(
    ("action", "dry_run", "calls"), [("pause", False, 2), ("retry", False, 1), ("retry", True, 2)]
)
def test_an_operation_is_repeated_where_twice_is_once(
    action: Operation, dry_run: bool, calls: int, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post("/rest/v1/rpc/operate")
    route.side_effect = [httpx.ReadError("reset"), httpx.Response(200, json={})]

    with suppress(QueueUnavailable):
        queue.operate("me", action, {}, dry_run=dry_run)

    assert route.call_count == calls


def test_a_refusal_says_what_the_database_said(rest: respx.MockRouter, queue: OperatorsQueue) -> None:
    refusal = {"code": "PT409", "message": "job 7 is done", "hint": None, "details": None}
    rest.post("/rest/v1/rpc/operate").respond(409, json=refusal)

    with pytest.raises(RequestRefused, match="job 7 is done") as raised:
        queue.operate("me", "retry", {"job_id": 7})

    assert raised.value.sqlstate == "PT409"


@pytest.mark.parametrize("answer", [None, [], "done"], ids=repr)
def test_an_operation_that_does_not_say_what_came_of_it_is_not_believed(
    answer: object, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    rest.post("/rest/v1/rpc/operate").respond(content=json.dumps(answer))

    with pytest.raises(AnswerUnknown):
        queue.operate("me", "resume")


def test_health_is_typed_and_tolerates_what_a_newer_database_adds(
    rest: respx.MockRouter, queue: OperatorsQueue
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
