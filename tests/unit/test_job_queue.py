"""The calls to the database's functions: what is sent, what is retried, and what errors become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from functions.errors import AnswerUnknown, ConfigurationError, QueueUnavailable, RequestRefused
from functions.job_queue import JobQueue
from functions.queue_rows import JobResult, Lease
from tests.unit.fakes import KEY

WORKER = UUID("00000000-0000-0000-0000-000000000001")
JOB = {
    "job_id": 7,
    "org_id": "acme",
    "type": "analyze_file",
    "payload": {"file_id": 1},
    "attempts": 1,
    "max_attempts": 5,
    "lease_token": "11111111-0000-0000-0000-000000000000",
    "lease_expires_at": "2026-11-22T10:00:00+00:00",
    "timeout_seconds": None,
    "parents": {},
}


def answer(code: str | None, *, status: int = 400, hint: str | None = None) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": "the reason", "details": None, "hint": hint})


def claim(queue: JobQueue) -> Any:
    return queue.claim(WORKER, batch_size=5, lease_seconds=120).jobs


def sent(call: Any) -> Any:
    return json.loads(call.request.content)


def test_a_claim_sends_its_parameters_and_returns_typed_jobs(rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/claim_jobs").respond(json=[JOB | {"a_newer_key": 1}])
    jobs = queue.claim(WORKER, batch_size=5, lease_seconds=120, types=["analyze_file"], force=True).jobs
    assert (jobs[0].job_id, jobs[0].lease_expires_at.year) == (7, 2026)
    assert sent(route.calls.last) == {
        "worker_id": str(WORKER),
        "batch_size": 5,
        "types": ["analyze_file"],
        "lease_seconds": 120,
        "force": True,
        "tell_dead_letter": True,
    }


def test_a_claim_that_found_a_job_dead_tells_of_it(rest: respx.MockRouter, queue: JobQueue) -> None:
    dead = {"job_id": 9, "org_id": "acme", "type": "ocr", "attempts": 0, "max_attempts": 5, "crashes": 3}
    answer = {"jobs": [JOB], "dead_letter": dead | {"file_id": None, "error": "the lease ran out"}}
    rest.post("/rest/v1/rpc/claim_jobs").respond(json=answer)
    found = queue.claim(WORKER, batch_size=5, lease_seconds=120)
    assert [job.job_id for job in found.jobs] == [7]
    assert found.dead_letter is not None
    assert (found.dead_letter.job_id, found.dead_letter.crashes) == (9, 3)


def test_both_headers_carry_the_key(rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/claim_jobs").respond(json=[])
    claim(queue)
    headers = route.calls.last.request.headers
    assert (headers["apikey"], headers["authorization"]) == (KEY, f"Bearer {KEY}")


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(httpx.ConnectError("refused"), id="refused connection"),
        pytest.param(httpx.ReadTimeout("slow"), id="timeout"),
        pytest.param(httpx.RemoteProtocolError("closed"), id="closed connection"),
        pytest.param(httpx.Response(502, text="<html>Bad gateway</html>"), id="proxy"),
        pytest.param(httpx.Response(503, text=""), id="nothing said"),
        *[
            pytest.param(answer(code, status=500), id=code)
            for code in ("PGRST002", "PGRST003", "PGRST202", "40P01", "55P03", "57014", "53300", "08006")
        ],
    ],
)
def test_trouble_that_may_pass_is_retried(trouble: Any, rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/claim_jobs")
    route.side_effect = [trouble, trouble, httpx.Response(200, json=[JOB])]
    assert len(claim(queue)) == 1
    assert route.call_count == 3


def test_trouble_that_stays_is_given_up_after_a_few_tries(rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/resolve_jobs").mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(QueueUnavailable, match=r"resolve_jobs.*SUPABASE_URL") as caught:
        queue.resolve(WORKER, [])
    assert route.call_count == 5
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("code", ["22023", "42501", "23514", "PGRST203"])
def test_a_refusal_is_not_retried_and_says_why(code: str, rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/enqueue_job").mock(return_value=answer(code, hint="do this"))
    with pytest.raises(RequestRefused, match="the reason") as caught:
        queue.enqueue("acme", "work")
    assert (caught.value.sqlstate, caught.value.hint, route.call_count) == (code, "do this", 1)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800"], ids=["nan", "set", "lone surrogate"])
def test_a_payload_that_is_not_json_is_refused_before_it_is_sent(value: object, queue: JobQueue) -> None:
    with pytest.raises(RequestRefused, match="not JSON"):
        queue.enqueue("acme", "work", {"value": value})


def test_a_missing_function_points_to_the_migrations(rest: respx.MockRouter, queue: JobQueue) -> None:
    rest.post("/rest/v1/rpc/claim_jobs").mock(return_value=answer("PGRST202", status=404))
    with pytest.raises(RequestRefused, match="apply the migrations"):
        claim(queue)


@pytest.mark.parametrize("code", [None, "PGRST301"])
def test_a_refused_key_is_a_matter_of_configuration(
    code: str | None, rest: respx.MockRouter, queue: JobQueue
) -> None:
    rest.post("/rest/v1/rpc/claim_jobs").mock(return_value=answer(code, status=401))
    with pytest.raises(ConfigurationError, match="SUPABASE_SECRET_KEY") as caught:
        claim(queue)
    assert KEY not in str(caught.value)


def test_an_answer_in_an_unknown_shape_is_no_refusal_and_names_the_field_without_its_value(
    rest: respx.MockRouter, queue: JobQueue
) -> None:
    rest.post("/rest/v1/rpc/claim_jobs").respond(json=[{"job_id": "seven"}])
    with pytest.raises(AnswerUnknown, match="job_id") as caught:
        claim(queue)
    assert "seven" not in str(caught.value)


def test_results_travel_without_empty_keys_but_with_null_inside_outputs(
    rest: respx.MockRouter, queue: JobQueue
) -> None:
    route = rest.post("/rest/v1/rpc/resolve_jobs").respond(
        json=[{"job_id": 7, "verdict": "ok", "status": "done", "attempts": 1, "run_at": None}]
    )
    results = [JobResult(7, "token", "done", output={"language": None}, duration_ms=12)]
    verdicts = queue.resolve(WORKER, results)
    assert (verdicts[0].verdict, verdicts[0].status) == ("ok", "done")
    assert sent(route.calls.last)["results"] == [
        {
            "job_id": 7,
            "lease_token": "token",
            "outcome": "done",
            "output": {"language": None},
            "duration_ms": 12,
        }
    ]


def test_a_malformed_element_has_a_verdict_without_a_job(rest: respx.MockRouter, queue: JobQueue) -> None:
    rest.post("/rest/v1/rpc/resolve_jobs").respond(json=[{"verdict": "error", "error": "expected an object"}])
    assert queue.resolve(WORKER, [JobResult(7, "token", "done")])[0].error == "expected an object"


def test_a_heartbeat_carries_progress_only_where_there_is_some(
    rest: respx.MockRouter, queue: JobQueue
) -> None:
    route = rest.post("/rest/v1/rpc/extend_leases").respond(
        json=[{"job_id": 7, "verdict": "ok"}, {"job_id": 8, "verdict": "cancelled"}]
    )
    leases = [Lease(7, "a", {"done": 0.5}), Lease(8, "b")]
    assert [one.verdict for one in queue.extend(WORKER, leases, lease_seconds=60)] == ["ok", "cancelled"]
    assert sent(route.calls.last) == {
        "worker_id": str(WORKER),
        "leases": [
            {"job_id": 7, "lease_token": "a", "progress": {"done": 0.5}},
            {"job_id": 8, "lease_token": "b"},
        ],
        "lease_seconds": 60,
    }


def test_enqueuing_says_whether_the_job_is_new(rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/enqueue_job").respond(
        json={"job_id": 3, "created": False, "status": "queued"}
    )
    later = datetime(2026, 11, 22, tzinfo=UTC)
    assert queue.enqueue("acme", "work", {"page": 1}, run_at=later, priority=5).created is False
    assert sent(route.calls.last)["run_at"] == "2026-11-22T00:00:00+00:00"


def test_a_flow_is_enqueued_in_one_call(rest: respx.MockRouter, queue: JobQueue) -> None:
    route = rest.post("/rest/v1/rpc/enqueue_jobs").respond(
        json=[
            {"job_id": 1, "created": True, "status": "queued"},
            {"job_id": 2, "created": True, "status": "waiting"},
        ]
    )
    jobs = queue.enqueue_many(
        [{"org_id": "acme", "type": "a", "ref": "a"}, {"org_id": "acme", "type": "b", "after": ["a"]}]
    )
    assert [job.status for job in jobs] == ["queued", "waiting"]
    assert sent(route.calls.last)["jobs"][1]["after"] == ["a"]
