"""Enqueueing what was enqueued before: for ever, replaced, put off, or beside one that runs already."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.database.queue import Queue, Row, at_once

SOON, LATER = "2999-01-01T00:00:00+00:00", "2999-06-01T00:00:00+00:00"


def enqueue(queue: Queue, number: int = 1, **arguments: Any) -> Row:
    """Work of one key; the number is what its payload says."""
    return queue.enqueue(payload={"n": number}, idempotency_key="k", **arguments)


def number_of(queue: Queue, job_id: int) -> int:
    number: int = queue.job(job_id)["payload"]["n"]
    return number


@pytest.mark.parametrize("ending", ["done", "failed", "cancelled"])
def test_work_that_is_unique_for_ever_is_never_enqueued_again(queue: Queue, ending: str) -> None:
    first = enqueue(queue, unique_for="ever")
    if ending == "cancelled":
        queue.call("cancel_job", job_id=first["job_id"])
    else:
        queue.resolve_one(queue.claim_one(), ending)

    again = enqueue(queue, 2, unique_for="ever")

    assert (again["job_id"], again["created"], again["status"]) == (first["job_id"], False, ending)
    assert len(queue.rows("select 1 from public.jobs")) == 1


def test_unique_for_ever_is_per_organisation_type_and_key(queue: Queue) -> None:
    first = enqueue(queue, unique_for="ever")
    queue.resolve_one(queue.claim_one())

    others = [
        enqueue(queue, unique_for="ever", org_id="globex"),
        enqueue(queue, unique_for="ever", job_type="render"),
        queue.enqueue(payload={"n": 1}, idempotency_key="another", unique_for="ever"),
    ]

    assert all(other["created"] for other in others)
    assert first["job_id"] not in {other["job_id"] for other in others}


def test_unfinished_work_becomes_unique_for_ever_when_somebody_asks_for_that(queue: Queue) -> None:
    first = enqueue(queue)
    assert enqueue(queue, unique_for="ever")["job_id"] == first["job_id"]
    queue.resolve_one(queue.claim_one())

    assert enqueue(queue, unique_for="ever")["job_id"] == first["job_id"]


@pytest.mark.parametrize("on_conflict", ["return", "replace", "debounce"])
def test_nobody_takes_for_ever_away(queue: Queue, on_conflict: str) -> None:
    first = enqueue(queue, unique_for="ever")
    enqueue(queue, 2, on_conflict=on_conflict)

    assert queue.job(first["job_id"])["unique_for"] == "ever"


def test_by_default_unfinished_work_stays_as_it_is(queue: Queue) -> None:
    first = enqueue(queue, 1, run_at=SOON)

    again = enqueue(queue, 2, run_at=LATER, priority=5)

    assert (again["job_id"], again["created"]) == (first["job_id"], False)
    job = queue.job(first["job_id"])
    assert (job["payload"], job["priority"], job["run_at"].isoformat()) == ({"n": 1}, 0, SOON)


def test_replaced_work_has_the_new_payload_priority_attempts_and_time(queue: Queue) -> None:
    first = enqueue(queue, 1, run_at=LATER)

    again = enqueue(queue, 2, priority=5, max_attempts=9, on_conflict="replace")

    assert again == {"job_id": first["job_id"], "created": False, "status": "queued", "changed": True}
    job = queue.job(first["job_id"])
    assert (job["payload"], job["priority"], job["max_attempts"]) == ({"n": 2}, 5, 9)
    assert [one["job_id"] for one in queue.claim()] == [first["job_id"]], "it is due now"


def test_replaced_work_may_be_put_off_as_well(queue: Queue) -> None:
    first = enqueue(queue)
    enqueue(queue, 2, run_at=SOON, on_conflict="replace")
    assert queue.claim() == []

    queue.make_due(first["job_id"])
    assert queue.claim_one()["payload"] == {"n": 2}


def test_attempts_that_were_made_still_count_when_work_is_replaced(queue: Queue) -> None:
    job_id = enqueue(queue, max_attempts=5)["job_id"]
    for _ in range(3):
        queue.resolve_one(queue.claim_one(), "retry", retry_in=0)
        queue.make_due(job_id)
    enqueue(queue, 2, max_attempts=1, on_conflict="replace")

    job = queue.claim_one()

    assert (job["job_id"], job["payload"], job["attempts"]) == (job_id, {"n": 2}, 4)
    assert queue.resolve_one(job, "retry", retry_in=0)["status"] == "failed"


def test_debounced_work_only_moves_away_and_keeps_its_payload(queue: Queue) -> None:
    first = enqueue(queue, 1, run_at=SOON)

    pushed = enqueue(queue, 2, run_at=LATER, on_conflict="debounce")
    back = enqueue(queue, 3, run_at=SOON, on_conflict="debounce")

    assert (pushed["job_id"], pushed["created"], pushed["changed"]) == (first["job_id"], False, True)
    assert back["job_id"] == first["job_id"]
    job = queue.job(first["job_id"])
    assert (job["payload"], job["run_at"].isoformat()) == ({"n": 1}, LATER)


def test_debounced_work_that_was_ready_waits_again(queue: Queue) -> None:
    job_id = enqueue(queue)["job_id"]
    enqueue(queue, run_at=SOON, on_conflict="debounce")
    assert queue.claim() == []

    queue.make_due(job_id)
    assert queue.claim_one()["job_id"] == job_id


def test_new_work_is_created_whatever_would_have_been_done_on_a_conflict(queue: Queue) -> None:
    answers = [
        queue.enqueue(payload={"n": n}, on_conflict=on_conflict)
        for n, on_conflict in enumerate(("return", "replace", "debounce"))
    ]

    assert [answer["created"] for answer in answers] == [True, True, True]
    assert [answer.get("changed", False) for answer in answers] == [False, False, False]


@pytest.mark.parametrize("on_conflict", ["replace", "debounce"])
def test_work_that_runs_already_is_let_be_and_the_new_work_enqueued_beside_it(
    queue: Queue, on_conflict: str
) -> None:
    old = enqueue(queue)
    running = queue.claim_one()

    new = enqueue(queue, 2, on_conflict=on_conflict)

    assert (new["created"], new["status"]) == (True, "queued")
    assert new["job_id"] != old["job_id"]
    assert number_of(queue, old["job_id"]) == 1
    assert queue.resolve_one(running)["status"] == "done"
    assert queue.claim_one()["payload"] == {"n": 2}


@pytest.mark.parametrize("ending", ["retry", "crash", "dead letter"])
def test_work_that_gave_its_key_up_never_collides_with_the_newer_work(queue: Queue, ending: str) -> None:
    old = enqueue(queue)
    running = queue.claim_one()
    new = enqueue(queue, 2, on_conflict="replace")

    if ending == "retry":
        assert queue.resolve_one(running, "retry", retry_in=0)["status"] == "queued"
        queue.make_due(old["job_id"])
    elif ending == "crash":
        queue.expire_lease(old["job_id"])
    else:
        queue.resolve_one(running, "failed")
        assert queue.call("retry_job", job_id=old["job_id"])["status"] == "queued"

    claimed = {job["job_id"] for _ in range(4) for job in queue.claim()}
    assert claimed == {old["job_id"], new["job_id"]}
    assert enqueue(queue, 3)["job_id"] == new["job_id"], "the key is the newer one's"


def test_a_key_that_is_given_up_again_and_again_stays_within_its_length(queue: Queue) -> None:
    key = "k" * 512
    for n in range(3):
        assert queue.enqueue(payload={"n": n}, idempotency_key=key, on_conflict="replace")["created"]
        queue.claim_one()

    assert len(queue.rows("select 1 from public.jobs where status = 'processing'")) == 3


def test_running_work_that_is_unique_for_ever_is_not_doubled(queue: Queue) -> None:
    first = enqueue(queue, unique_for="ever")
    queue.claim_one()

    again = enqueue(queue, 2, on_conflict="replace", unique_for="ever")

    assert (again["job_id"], again["created"], again["changed"]) == (first["job_id"], False, False)


def test_a_waiting_job_that_is_replaced_still_waits(queue: Queue) -> None:
    parent, child = queue.enqueue_many(
        {"ref": "a", "payload": {"n": 1}},
        {"type": "cards", "after": ["a"], "idempotency_key": "k", "payload": {"n": 1}},
    )
    replaced = queue.enqueue("cards", payload={"n": 2}, idempotency_key="k", on_conflict="replace")
    assert (replaced["job_id"], replaced["status"]) == (child["job_id"], "waiting")

    running = queue.claim_one()
    assert running["job_id"] == parent["job_id"]
    queue.resolve_one(running)
    assert queue.claim_one()["payload"] == {"n": 2}


def test_enqueueing_at_the_same_moment_with_every_policy_leaves_one_unfinished_job(
    queue: Queue, workers: list[Queue]
) -> None:
    policies = [("return", "replace", "debounce")[n % 3] for n in range(len(workers))]
    for n in range(5):
        asked = {worker.worker_id: policy for worker, policy in zip(workers, policies, strict=True)}

        def ask(worker: Queue, asked: dict[str, str], key: str) -> Row:
            return worker.enqueue(
                payload={"by": worker.worker_id}, idempotency_key=key, on_conflict=asked[worker.worker_id]
            )

        answers = at_once(workers, partial(ask, asked=asked, key=f"k{n}"))

        assert len({answer["job_id"] for answer in answers}) == 1
        assert sum(answer["created"] for answer in answers) == 1


def test_replacing_while_the_job_is_claimed_loses_neither(queue: Queue, workers: list[Queue]) -> None:
    claimer, enqueuer = workers[:2]
    for n in range(15):
        key = f"k{n}"
        queue.enqueue(payload={"n": 1}, idempotency_key=key)

        def claim_or_replace(worker: Queue, key: str = key) -> list[Row]:
            if worker is claimer:
                return worker.claim(1)
            return [worker.enqueue(payload={"n": 2}, idempotency_key=key, on_conflict="replace")]

        claimed, (answer,) = at_once([claimer, enqueuer], claim_or_replace)
        ran = [job["payload"]["n"] for job in claimed + claimer.claim(5)]

        assert ran in ([2], [1, 2]), "the newest payload runs, and never twice"
        assert answer["created"] is (ran == [1, 2])
