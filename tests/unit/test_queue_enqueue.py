"""How applications and workers put jobs into the queue, and what else they ask of it by content."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from functions.job_queue import JobQueue
from tests.unit.test_job_queue import JOB

WORKER = UUID("00000000-0000-0000-0000-000000000001")


def sent(route: respx.Route) -> Any:
    return json.loads(route.calls.last.request.content)


def test_what_happens_to_the_same_work_can_be_chosen(rest: respx.MockRouter, queue: JobQueue) -> None:
    answer = {"job_id": 7, "created": False, "status": "queued", "changed": True}
    route = rest.post("/rest/v1/rpc/enqueue_job").respond(json=answer)
    job = queue.enqueue("acme", "work", idempotency_key="k", on_conflict="debounce", unique_for="ever")
    assert job.changed is True
    assert (sent(route)["on_conflict"], sent(route)["unique_for"]) == ("debounce", "ever")


def test_a_flow_may_wait_for_jobs_that_exist(rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/enqueue_jobs").respond(
        json=[{"job_id": 8, "created": True, "status": "waiting"}]
    )
    queue.enqueue_many([{"org_id": "acme", "type": "render", "after": [7], "on_conflict": "replace"}])
    assert sent(route)["jobs"][0]["after"] == [7]


def test_a_pipeline_is_started_by_its_name(rest: respx.MockRouter, queue: JobQueue) -> None:
    steps = [{"job_id": number, "created": True, "status": "waiting"} for number in (1, 2)]
    route = rest.post("/rest/v1/rpc/start_pipeline").respond(json=steps)
    jobs = queue.start_pipeline("video", "acme", {"brief": 3}, idempotency_key="brief-3")
    assert [job.job_id for job in jobs] == [1, 2]
    assert sent(route) == {
        "pipeline": "video",
        "org_id": "acme",
        "payload": {"brief": 3},
        "idempotency_key": "brief-3",
    }


def test_a_job_that_is_started_at_once_comes_as_a_claimed_one(
    rest: respx.MockRouter, queue: JobQueue
) -> None:
    answer = {"job_id": 7, "created": True, "status": "processing", "waits_for": None, "job": JOB}
    route = rest.post("/rest/v1/rpc/start_job")
    route.side_effect = [httpx.ReadTimeout("slow"), httpx.Response(200, json=answer)]
    started = queue.start_job(WORKER, {"org_id": "acme", "type": "work"}, lease_seconds=60, force=True)
    assert started.job is not None
    assert started.job.lease_token == JOB["lease_token"]
    assert sent(route) == {
        "worker_id": str(WORKER),
        "job": {"org_id": "acme", "type": "work"},
        "lease_seconds": 60,
        "force": True,
    }


def test_a_job_that_cannot_be_had_says_what_it_waits_for(rest: respx.MockRouter, queue: JobQueue) -> None:
    answer = {"job_id": 7, "created": False, "status": "queued", "waits_for": "a limit", "job": None}
    rest.post("/rest/v1/rpc/start_job").respond(json=answer)
    started = queue.start_job(WORKER, {"org_id": "acme", "type": "work"}, lease_seconds=60)
    assert (started.job, started.status, started.waits_for) == (None, "queued", "a limit")


@pytest.mark.parametrize("stored", [None, {"job_id": 3, "output": {"title": "Rivers"}}], ids=["miss", "hit"])
def test_a_stored_result_is_asked_for_by_its_content(
    stored: dict[str, Any] | None, rest: respx.MockRouter, queue: JobQueue
) -> None:
    route = rest.post("/rest/v1/rpc/find_content_result").respond(content=json.dumps(stored))
    found = queue.find_content_result("acme", "analyze_file", "00ff", "1 offline")
    assert (found and found.model_dump()) == stored
    assert sent(route) == {
        "org_id": "acme",
        "type": "analyze_file",
        "content_sha256": "00ff",
        "handler_version": "1 offline",
    }


def test_a_value_is_kept_at_once_with_the_job_that_found_it(rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/keep_content_result").respond(204)
    queue.keep_content_result("acme", "analyze_file", "00ff", "kept", {"text": None}, 17)
    assert sent(route) == {
        "org_id": "acme",
        "type": "analyze_file",
        "content_sha256": "00ff",
        "handler_version": "kept",
        "output": {"text": None},
        "job_id": 17,
    }
