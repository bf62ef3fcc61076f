"""Workers of other systems that name themselves: those of claim_next_job by a uuid, those of claim_job by a text."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest

from tests.database.compat import ask, seconds_until_due
from tests.database.queue import Queue, Row

OCR = {"guide_id": 7, "page": 3}
NAME = "worker-12345-1234567890"
OTHER_NAME = "worker-12346-1234567890"


def claim_next(queue: Queue, worker_id: str, job_type: str | None = "ocr") -> Row | None:
    rows = ask(queue, "claim_next_job", worker_id=worker_id, job_type=job_type)
    return rows[0] if rows else None


def resolve(queue: Queue, job_id: int, worker_id: str, success: bool, error: str | None = None) -> Row:
    answer: Row = queue.call("resolve_job", job_id=job_id, worker_id=worker_id, success=success, error=error)
    return answer


@pytest.fixture
def worker_id() -> str:
    return str(uuid.uuid4())


def test_claim_next_job_returns_the_payload_and_resolve_job_ends_the_job(
    queue: Queue, worker_id: str
) -> None:
    job_id = queue.enqueue("ocr", payload=OCR)["job_id"]

    job = claim_next(queue, worker_id)
    answer = resolve(queue, job_id, worker_id, success=True)

    assert job is not None
    assert (job["id"], job["payload"], job["attempts"], job["max_attempts"]) == (job_id, OCR, 1, 5)
    assert (job["org_id"], job["type"], job["status"]) == ("acme", "ocr", "processing")
    assert (answer["verdict"], answer["status"]) == ("ok", "done")
    assert queue.runs(job_id) == ["done"]


def test_claim_next_job_hands_out_nothing_but_due_jobs_of_the_type(queue: Queue, worker_id: str) -> None:
    queue.enqueue("ocr", run_at="2999-01-01T00:00:00Z")
    moderation = queue.enqueue("moderation")["job_id"]

    assert claim_next(queue, worker_id, "ocr") is None
    any_type = ask(queue, "claim_next_job", worker_id=worker_id)
    assert [job["id"] for job in any_type] == [moderation]


@pytest.mark.parametrize("function", ["claim_next_job", "claim_job", "job_queue_claim"])
def test_a_worker_without_heartbeats_gets_ten_minutes(queue: Queue, worker_id: str, function: str) -> None:
    job_id = queue.enqueue("ocr")["job_id"]
    names: Row = {"claim_next_job": {"worker_id": worker_id}, "claim_job": {"job_id": job_id}}

    ask(queue, function, **names.get(function, {}))

    job = queue.job(job_id)
    assert job["lease_expires_at"] - job["started_at"] == timedelta(minutes=10)


def test_nothing_is_handed_out_while_processing_is_paused(queue: Queue, worker_id: str) -> None:
    job_id = queue.enqueue("ocr")["job_id"]
    queue.call("pause_processing")

    assert claim_next(queue, worker_id) is None
    assert queue.call("claim_job", job_id=job_id) is None
    assert queue.call("claim_job") is None
    assert ask(queue, "job_queue_claim") == []


def test_a_failure_comes_back_after_five_minutes_until_the_attempts_are_used_up(
    queue: Queue, worker_id: str
) -> None:
    job_id = queue.enqueue("ocr", max_attempts=2)["job_id"]

    claim_next(queue, worker_id)
    first = resolve(queue, job_id, worker_id, success=False, error="no text found")
    assert (first["verdict"], first["status"], first["attempts"]) == ("ok", "queued", 1)
    assert seconds_until_due(queue, job_id) == 300
    assert claim_next(queue, worker_id) is None

    queue.make_due(job_id)
    claim_next(queue, worker_id)
    last = resolve(queue, job_id, worker_id, success=False, error="still none")
    assert (last["status"], last["attempts"]) == ("failed", 2)
    assert queue.job(job_id)["last_error"] == "still none"


def test_the_backoff_of_the_type_wins_over_the_five_minutes(queue: Queue, worker_id: str) -> None:
    queue.rows("insert into public.job_types (type, backoff_seconds) values ('ocr', 7)")
    job_id = queue.enqueue("ocr")["job_id"]

    claim_next(queue, worker_id)
    resolve(queue, job_id, worker_id, success=False)

    assert seconds_until_due(queue, job_id) == 7


def test_resolve_job_without_success_is_refused(queue: Queue, worker_id: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="success is missing"):
        queue.call("resolve_job", job_id=1, worker_id=worker_id, success=None)


def test_another_worker_cannot_resolve_the_job(queue: Queue, worker_id: str) -> None:
    job_id = queue.enqueue("ocr")["job_id"]
    claim_next(queue, worker_id)
    before = queue.job(job_id)

    answer = resolve(queue, job_id, str(uuid.uuid4()), success=True)

    assert answer["verdict"] == "lost"
    assert queue.job(job_id) == before


def test_a_late_worker_cannot_resolve_what_another_one_has_now(queue: Queue, worker_id: str) -> None:
    job_id = queue.enqueue("ocr")["job_id"]
    next_worker = str(uuid.uuid4())
    claim_next(queue, worker_id)
    queue.expire_lease(job_id)
    claim_next(queue, next_worker)

    assert resolve(queue, job_id, worker_id, success=True)["verdict"] == "lost"
    assert resolve(queue, job_id, worker_id, success=False)["verdict"] == "lost"
    assert resolve(queue, job_id, next_worker, success=True)["verdict"] == "ok"
    assert resolve(queue, job_id, worker_id, success=True)["verdict"] == "lost"
    assert queue.runs(job_id) == ["crash", "done"]


def test_a_call_whose_answer_was_lost_may_be_repeated(queue: Queue, worker_id: str) -> None:
    job_id = queue.enqueue("ocr")["job_id"]
    claim_next(queue, worker_id)

    answers = [resolve(queue, job_id, worker_id, success=True) for _ in range(2)]

    assert [(answer["verdict"], answer["status"]) for answer in answers] == [("ok", "done")] * 2
    assert resolve(queue, job_id, worker_id, success=False)["verdict"] == "lost"
    assert queue.runs(job_id) == ["done"]


def test_a_job_that_does_not_exist_is_lost(queue: Queue, worker_id: str) -> None:
    assert resolve(queue, 4711, worker_id, success=True)["verdict"] == "lost"
    assert queue.call("complete_job", job_id=4711) is False
    assert queue.call("claim_job", job_id=4711) is None


def test_claim_job_claims_the_job_with_that_number_once(queue: Queue) -> None:
    queue.enqueue("analysis", payload={"brief_id": "first"})
    wanted = queue.enqueue("analysis", payload={"brief_id": "wanted"})["job_id"]

    job = queue.call("claim_job", job_id=wanted, worker_id=NAME)

    assert (job["id"], job["type"], job["payload"]) == (wanted, "analysis", {"brief_id": "wanted"})
    assert (job["status"], job["attempts"], job["max_attempts"]) == ("processing", 1, 5)
    assert queue.call("claim_job", job_id=wanted, worker_id=OTHER_NAME) is None
    assert queue.rows("select count(*) from public.jobs") == [{"count": 2}]


def test_claim_job_without_a_number_takes_the_next_due_job(queue: Queue) -> None:
    job_id = queue.enqueue("analysis")["job_id"]

    assert queue.call("claim_job", worker_id=NAME)["id"] == job_id
    assert queue.call("claim_job", worker_id=NAME) is None


@pytest.mark.parametrize("state", ["later", "waiting", "done"])
def test_claim_job_leaves_what_cannot_run_now(queue: Queue, state: str) -> None:
    if state == "waiting":
        job_id = queue.enqueue_many({"ref": "a"}, {"type": "render", "after": ["a"]})[1]["job_id"]
    else:
        job_id = queue.enqueue(run_at="2999-01-01T00:00:00Z" if state == "later" else None)["job_id"]
    if state == "done":
        queue.resolve_one(queue.claim_one())
    before = queue.rows("select * from public.jobs order by id")

    assert queue.call("claim_job", job_id=job_id, worker_id=NAME) is None
    assert queue.rows("select * from public.jobs order by id") == before


def test_two_workers_that_want_the_same_job_do_not_both_get_it(queue: Queue, other_worker: Queue) -> None:
    for n in range(10):
        job_id = queue.enqueue("analysis", payload={"n": n})["job_id"]
        barrier = Barrier(2)

        def claim(worker: Queue, job_id: int = job_id, barrier: Barrier = barrier) -> Any:
            barrier.wait(timeout=30)
            return worker.call("claim_job", job_id=job_id, worker_id=worker.worker_id)

        with ThreadPoolExecutor(2) as pool:
            claims = list(pool.map(claim, [queue, other_worker]))

        assert [claim is None for claim in claims].count(True) == 1


def test_complete_job_stores_the_result_and_says_whether_it_did(queue: Queue) -> None:
    job_id = queue.enqueue("render")["job_id"]
    assert queue.call("complete_job", job_id=job_id, job_result={"url": "a"}) is False

    queue.call("claim_job", job_id=job_id, worker_id=NAME)
    assert queue.call("complete_job", job_id=job_id, job_result={"url": "b"}) is True

    assert (queue.job(job_id)["status"], queue.job(job_id)["output"]) == ("done", {"url": "b"})


def test_fail_job_retries_with_growing_delays_up_to_the_three_attempts_of_a_pipeline(queue: Queue) -> None:
    (step,) = queue.call("start_pipeline", pipeline="simple", org_id="acme")
    queue.rows("insert into public.job_types (type, backoff_seconds) values ('analysis', 0)")

    for _ in range(3):
        assert queue.call("claim_job", job_id=step["job_id"], worker_id=NAME) is not None
        assert queue.call("fail_job", job_id=step["job_id"], error_message="no brief") is True

    job = queue.job(step["job_id"])
    assert (job["status"], job["attempts"], job["last_error"]) == ("failed", 3, "no brief")
    assert queue.call("claim_job", job_id=step["job_id"], worker_id=NAME) is None


def test_a_worker_that_gives_its_name_is_told_from_the_others(queue: Queue) -> None:
    job_id = queue.enqueue("render")["job_id"]
    queue.call("claim_job", job_id=job_id, worker_id=NAME)

    assert queue.call("complete_job", job_id=job_id, worker_id=OTHER_NAME) is False
    assert queue.call("fail_job", job_id=job_id, worker_id=OTHER_NAME) is False
    assert queue.call("complete_job", job_id=job_id, worker_id=NAME) is True
