"""What operators are shown: pages of jobs and files, the overview, the audit trail."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import respx

from functions.errors import AnswerUnknown
from functions.operator_rows import FileDetails, JobDetails
from functions.operators_queue import OperatorsQueue

TIME = "2030-01-31T12:00:00+00:00"
JOB = {
    "id": 7,
    "org_id": "acme",
    "type": "create_cards",
    "status": "queued",
    "priority": 0,
    "run_at": TIME,
    "attempts": 1,
    "max_attempts": 5,
    "crashes": 0,
    "created_at": TIME,
    "updated_at": TIME,
}
FILE = {
    "id": 3,
    "org_id": "acme",
    "bucket_id": "ingest",
    "path": "acme/a.pdf",
    "status": "done",
    "created_at": TIME,
}


def sent(route: respx.Route) -> Any:
    return json.loads(route.calls.last.request.content)


def test_a_page_of_jobs_is_asked_for_by_action_filter_size_and_cursor(
    rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post("/rest/v1/rpc/list_jobs").respond(json={"jobs": [JOB | {"new": 1}], "next": "all_7"})

    page = queue.list_jobs("all", {"type": "create_cards"}, page_size=1, cursor="all_9")

    assert (page.jobs[0].id, page.jobs[0].position, page.next) == (7, None, "all_7")
    assert sent(route) == {
        "action": "all",
        "filter": {"type": "create_cards"},
        "page_size": 1,
        "cursor": "all_9",
    }


def test_a_job_comes_with_its_flow_its_attempts_and_its_file(
    rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    run = {"attempt": 1, "outcome": "retry", "finished_at": TIME, "worker_id": "0" * 32, "cost": 0.25}
    parent = {"id": 6, "type": "analyze_file", "status": "done", "ref": "analysis"}
    route = rest.post("/rest/v1/rpc/describe_job").respond(
        json=JOB | {"payload": {"a": 1}, "runs": [run], "parents": [parent], "children": [], "file": None}
    )

    job = queue.describe_job(7)

    assert isinstance(job, JobDetails)
    assert (job.payload, job.runs[0].cost, job.parents[0].ref) == ({"a": 1}, 0.25, "analysis")
    assert sent(route) == {"job_id": 7}


@pytest.mark.parametrize("nothing", ["null", "[]"])
@pytest.mark.parametrize(
    ("function", "call"),
    [
        ("describe_job", lambda queue: queue.describe_job(7)),
        ("describe_file", lambda queue: queue.describe_file(7)),
    ],
)
def test_what_is_not_there_is_none(
    function: str,
    call: Callable[[OperatorsQueue], object],
    nothing: str,
    rest: respx.MockRouter,
    queue: OperatorsQueue,
) -> None:
    rest.post(f"/rest/v1/rpc/{function}").respond(content=nothing)

    assert call(queue) is None


def test_a_page_of_files_counts_cards_and_one_file_brings_them(
    rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post("/rest/v1/rpc/list_files").respond(json={"files": [FILE | {"cards": 2}], "next": None})
    card = {"id": "0" * 32, "type": "basic", "question": "2 + 2?", "answer": "4"}
    rest.post("/rest/v1/rpc/describe_file").respond(json=FILE | {"cards": [card], "thumbnails": []})

    page = queue.list_files({"path": "a.p"})
    file = queue.describe_file(3)

    assert (page.files[0].cards, page.next) == (2, None)
    assert isinstance(file, FileDetails)
    assert file.cards[0].question == "2 + 2?"
    assert sent(route) == {"filter": {"path": "a.p"}, "page_size": 50, "cursor": None}


def test_the_audit_trail_comes_in_pages(rest: respx.MockRouter, queue: OperatorsQueue) -> None:
    row = {"id": 2, "at": TIME, "actor": "me", "action": "pause", "job_id": None, "details": {}}
    route = rest.post("/rest/v1/rpc/list_operations").respond(
        json={"operations": [row], "next": "operations_2"}
    )

    page = queue.list_operations(page_size=1)

    assert (page.operations[0].actor, page.next) == ("me", "operations_2")
    assert sent(route) == {"page_size": 1, "cursor": None}


def test_the_overview_is_typed(rest: respx.MockRouter, queue: OperatorsQueue) -> None:
    bucket = {"at": TIME, "done": 3, "failed": 0, "retried": 1, "crashed": 0, "p50_ms": None, "p95_ms": None}
    route = rest.post("/rest/v1/rpc/queue_overview").respond(
        json={
            "health": {"processing_enabled": True},
            "history": {"bucket_seconds": 60, "buckets": [bucket]},
            "by_type": [],
            "by_org": [{"org_id": "acme", "queued": 1, "due": 1, "processing": 0, "failed": 0}],
            "active": [JOB],
            "problems": [{"condition": "stuck", "text": "1 job(s)"}],
            "at": TIME,
        }
    )

    overview = queue.overview(1)

    assert (overview.history.buckets[0].done, overview.by_org[0].due) == (3, 1)
    assert (overview.active[0].id, overview.problems[0].condition) == (7, "stuck")
    assert sent(route) == {"hours": 1}


def test_a_page_in_another_shape_is_not_believed(rest: respx.MockRouter, queue: OperatorsQueue) -> None:
    rest.post("/rest/v1/rpc/list_jobs").respond(json=[JOB])

    with pytest.raises(AnswerUnknown):
        queue.list_jobs("all")
