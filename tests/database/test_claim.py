"""Claiming: who gets which job, under which lease, and what happens when a lease runs out."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue


def test_a_claim_hands_out_the_job_under_a_fresh_lease(queue: Queue) -> None:
    answer = queue.enqueue(payload={"text": "hello"})

    job = queue.claim_one()

    assert job["job_id"] == answer["job_id"]
    assert job["payload"] == {"text": "hello"}
    assert (job["attempts"], job["max_attempts"], job["timeout_seconds"]) == (1, 5, None)
    assert job["parents"] == {}
    uuid.UUID(job["lease_token"])
    lease = queue.rows("select lease_expires_at - started_at as length from public.jobs")[0]["length"]
    assert lease.total_seconds() == 120


def test_a_claimed_job_is_not_claimed_again(queue: Queue) -> None:
    queue.enqueue()
    queue.claim_one()

    assert queue.claim() == []


def test_priority_goes_first_then_the_oldest(queue: Queue) -> None:
    low, first, urgent = queue.enqueue_many(
        {"payload": {"n": 1}, "priority": -5}, {"payload": {"n": 2}}, {"payload": {"n": 3}, "priority": 5}
    )

    order = [job["job_id"] for job in queue.claim()]

    assert order == [urgent["job_id"], first["job_id"], low["job_id"]]


@pytest.mark.parametrize(("asked", "given"), [(2, 2), (0, 1), (-1, 1), (5000, 4)])
def test_the_batch_size_is_kept_within_bounds(queue: Queue, asked: int, given: int) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(4)))

    assert len(queue.claim(asked)) == given


def test_a_worker_can_ask_for_some_types_only(queue: Queue) -> None:
    queue.enqueue("render")
    wanted = queue.enqueue("count_words")

    assert [job["job_id"] for job in queue.claim(types=["count_words"])] == [wanted["job_id"]]


def test_nothing_is_claimed_while_paused_unless_forced(queue: Queue) -> None:
    queue.enqueue()
    queue.call("pause_processing", reason="deploying")
    assert queue.claim() == []

    assert len(queue.claim(force=True)) == 1


def test_processing_goes_on_after_resume(queue: Queue) -> None:
    queue.enqueue()
    queue.call("pause_processing", reason="deploying")
    queue.call("resume_processing")

    assert len(queue.claim()) == 1


def test_an_operators_timeout_travels_with_the_job(queue: Queue) -> None:
    queue.rows("insert into public.job_types (type, timeout_seconds) values ('count_words', 7)")
    queue.enqueue()

    assert queue.claim_one()["timeout_seconds"] == 7


def test_an_expired_lease_gives_the_job_to_the_next_claim_and_counts_a_crash(
    queue: Queue, other_worker: Queue
) -> None:
    job_id = queue.enqueue()["job_id"]
    stale = queue.claim_one()
    queue.expire_lease(job_id)

    fresh = other_worker.claim_one()

    assert fresh["job_id"] == job_id
    assert fresh["lease_token"] != stale["lease_token"]
    assert fresh["attempts"] == 1, "a crash charges no attempt"
    assert queue.job(job_id)["crashes"] == 1
    assert queue.runs(job_id) == ["crash"]


def test_a_lease_that_ran_out_months_ago_is_taken_back(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    queue.claim_one()
    queue.rows(
        "update public.jobs set started_at = now() - interval '90 days', lease_expires_at = now() - interval '89 days'"
    )

    assert queue.claim_one()["job_id"] == job_id


def test_a_job_that_crashes_too_often_becomes_a_dead_letter_with_the_reason(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    for _ in range(3):
        queue.claim_one()
        queue.expire_lease(job_id)

    assert queue.claim() == []
    job = queue.job(job_id)
    assert job["status"] == "failed"
    assert job["last_error"] == (
        "the lease ran out: the worker was killed, ran out of memory or lost the database (crash 3 of 3)"
    )


def test_a_claim_that_asks_for_it_is_told_once_whom_it_found_dead(queue: Queue) -> None:
    died, waits = queue.enqueue(payload={"n": 1})["job_id"], queue.enqueue(payload={"n": 2})["job_id"]
    queue.rows(
        "update public.jobs set status = 'processing', crashes = 2, attempts = 1, worker_id = gen_random_uuid(), "
        "lease_token = gen_random_uuid(), lease_expires_at = now() - interval '1 second', started_at = now() "
        "where id = %s",
        died,
    )

    told: Any = queue.claim(tell_dead_letter=True)
    assert [job["job_id"] for job in told["jobs"]] == [waits]
    dead = told["dead_letter"]
    assert (dead["job_id"], dead["type"], dead["org_id"], dead["crashes"]) == (died, "count_words", "acme", 3)
    assert dead["error"] == queue.job(died)["last_error"]
    assert queue.claim(tell_dead_letter=True) == [], "the end of a job is told once"


def test_a_claim_whose_answer_got_lost_is_answered_again_when_asked_with_what_is_held(
    queue: Queue, other_worker: Queue
) -> None:
    ids = [queue.enqueue(payload={"n": n})["job_id"] for n in range(3)]
    known = queue.claim(1)
    lost = queue.claim(1)

    assert queue.claim(10, held=[job["job_id"] for job in known]) == lost
    assert [job["job_id"] for job in queue.claim(10, held=ids[:2])] == ids[2:]
    assert other_worker.claim(10, held=[]) == [], "nobody else is handed them"


def test_a_heartbeat_keeps_the_lease_and_stores_the_progress(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    job = queue.claim_one()
    queue.expire_lease(job_id)

    assert queue.extend(job | {"progress": {"done": 0.5}}, lease_seconds=60) == ["ok"]

    row = queue.job(job_id)
    assert row["progress"] == {"done": 0.5}
    assert queue.claim() == []


def test_a_heartbeat_says_which_jobs_are_lost_or_cancelled(queue: Queue, other_worker: Queue) -> None:
    lost, cancelled, kept = (queue.enqueue(payload={"n": n})["job_id"] for n in range(3))
    jobs: list[dict[str, Any]] = queue.claim()
    queue.expire_lease(lost)
    other_worker.claim()
    queue.call("cancel_job", job_id=cancelled)

    assert [job["job_id"] for job in jobs] == [lost, cancelled, kept]
    assert queue.extend(*jobs) == ["lost", "cancelled", "ok"]


def test_an_unknown_or_malformed_lease_in_a_heartbeat_is_lost_and_spoils_no_other(queue: Queue) -> None:
    queue.enqueue()
    good = queue.claim_one()
    unknown = {"job_id": 4711, "lease_token": str(uuid.uuid4())}
    malformed: list[dict[str, Any]] = [
        {},
        {"job_id": "x", "lease_token": "y"},
        {"job_id": 10**30, "lease_token": good["lease_token"]},
    ]

    assert queue.extend(unknown, *malformed, good) == ["lost", "lost", "lost", "lost", "ok"]


def test_the_default_policy_cannot_be_removed(queue: Queue) -> None:
    for change in (
        "delete from public.job_types where true",
        "update public.job_types set type = 'x' where type = '*'",
    ):
        with pytest.raises(psycopg.Error, match="holds the defaults"):
            queue.rows(change)
