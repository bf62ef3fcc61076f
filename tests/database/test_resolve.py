"""Resolving: every outcome, the fence, and what one bad element must not spoil."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, result_of


def seconds_until_due(queue: Queue, job_id: int) -> float:
    row = queue.rows("select run_at - updated_at as delay from public.jobs where id = %s", job_id)[0]
    delay: timedelta = row["delay"]
    return delay.total_seconds()


def test_a_done_job_keeps_its_output_and_gives_up_its_lease(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]

    answer = queue.resolve_one(queue.claim_one(), output={"words": 3}, duration_ms=12)

    assert (answer["verdict"], answer["status"], answer["attempts"]) == ("ok", "done", 1)
    job = queue.job(job_id)
    assert job["output"] == {"words": 3}
    assert job["completed_at"] is not None
    assert job["lease_token"] is None
    assert queue.rows("select outcome, duration_ms from public.job_runs") == [
        {"outcome": "done", "duration_ms": 12}
    ]


def test_a_retry_comes_back_after_the_handlers_delay_with_its_error(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]

    answer = queue.resolve_one(queue.claim_one(), "retry", error="rate limited", retry_in=90)

    assert (answer["verdict"], answer["status"], answer["attempts"]) == ("ok", "queued", 1)
    assert queue.job(job_id)["last_error"] == "rate limited"
    assert seconds_until_due(queue, job_id) == 90


def test_without_a_delay_a_retry_waits_a_random_part_of_the_backoff(queue: Queue) -> None:
    queue.rows(
        "insert into public.job_types (type, backoff_seconds, backoff_cap_seconds) values ('count_words', 10, 15)"
    )
    ids = [queue.enqueue(payload={"n": n})["job_id"] for n in range(40)]
    queue.resolve(*(result_of(job, "retry") for job in queue.claim(40)))
    first = [seconds_until_due(queue, job_id) for job_id in ids]

    assert all(0 <= delay <= 10 for delay in first)
    assert max(first) - min(first) > 2, "full jitter spreads the retries"

    for job_id in ids:
        queue.make_due(job_id)
    queue.resolve(*(result_of(job, "retry") for job in queue.claim(40)))
    second = [seconds_until_due(queue, job_id) for job_id in ids]
    assert max(second) > 10, "the second delay doubles"
    assert max(second) <= 15, "and is capped"


def test_the_last_attempt_that_fails_makes_a_dead_letter(queue: Queue) -> None:
    job_id = queue.enqueue(max_attempts=2)["job_id"]
    queue.resolve_one(queue.claim_one(), "retry", error="first", retry_in=0)

    answer = queue.resolve_one(queue.claim_one(), "retry", error="second", retry_in=0)

    assert (answer["status"], answer["attempts"]) == ("failed", 2)
    assert queue.job(job_id)["last_error"] == "second"
    assert queue.runs(job_id) == ["retry", "retry"]


def test_a_permanent_failure_ends_the_job_at_once(queue: Queue) -> None:
    queue.enqueue()

    assert queue.resolve_one(queue.claim_one(), "failed", error="not a picture")["status"] == "failed"


def test_a_snoozed_job_gets_its_attempt_back_and_comes_later(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]

    answer = queue.resolve_one(queue.claim_one(), "snooze", retry_in=30)

    assert (answer["verdict"], answer["status"], answer["attempts"]) == ("ok", "queued", 0)
    assert seconds_until_due(queue, job_id) == 30


def test_a_released_job_gets_its_attempt_and_its_place_in_line_back(queue: Queue) -> None:
    first = queue.enqueue(payload={"n": 1})["job_id"]
    queue.enqueue(payload={"n": 2})

    answer = queue.resolve_one(queue.claim_one(), "release")

    assert (answer["verdict"], answer["status"], answer["attempts"]) == ("ok", "queued", 0)
    assert queue.claim_one()["job_id"] == first


def test_a_worker_that_lost_its_job_cannot_complete_it(queue: Queue, other_worker: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    stale = queue.claim_one()
    queue.expire_lease(job_id)
    fresh = other_worker.claim_one()

    assert queue.resolve_one(stale, output={"by": "stale"})["verdict"] == "lost"
    assert queue.job(job_id)["status"] == "processing"

    assert other_worker.resolve_one(fresh, output={"by": "fresh"})["verdict"] == "ok"
    assert queue.job(job_id)["output"] == {"by": "fresh"}


def test_another_workers_lease_token_is_no_use(queue: Queue, other_worker: Queue) -> None:
    queue.enqueue()
    job = queue.claim_one()

    assert other_worker.resolve_one(job)["verdict"] == "lost"


def test_resolving_twice_answers_the_same_and_changes_nothing(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    job = queue.claim_one()
    first = queue.resolve_one(job, output={"words": 3})

    assert queue.resolve_one(job, output={"words": 4}) == first
    assert queue.job(job_id)["output"] == {"words": 3}
    assert queue.runs(job_id) == ["done"]


def test_a_stale_result_beside_a_valid_one_of_the_same_job_spoils_nothing(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    stale = queue.claim_one()
    queue.expire_lease(job_id)
    fresh = queue.claim_one()

    answers = queue.resolve(result_of(stale, "failed"), result_of(fresh))

    assert [answer["verdict"] for answer in answers] == ["lost", "ok"]
    assert queue.job(job_id)["status"] == "done"


def test_one_number_written_in_two_ways_is_not_two_jobs(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    result = result_of(queue.claim_one())

    first, second = queue.resolve(result, {**result, "job_id": f"0{job_id}", "outcome": "failed"})

    assert (first["verdict"], second["verdict"]) == ("ok", "error")
    assert queue.runs(job_id) == ["done"]


def test_a_cancelled_jobs_result_is_refused(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    job = queue.claim_one()
    queue.call("cancel_job", job_id=job_id)

    answer = queue.resolve_one(job)

    assert (answer["verdict"], answer["status"]) == ("lost", "cancelled")
    assert queue.runs(job_id) == ["cancelled"]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("nonsense", "expected an object"),
        ({"job_id": "x"}, "job_id"),
        ({"job_id": 1, "lease_token": "x", "outcome": "done"}, "lease_token"),
        ({"job_id": 1, "lease_token": str(uuid.uuid4()), "outcome": "finished"}, "outcome"),
        (
            {"job_id": 1, "lease_token": str(uuid.uuid4()), "outcome": "retry", "retry_in": "soon"},
            "retry_in",
        ),
    ],
)
def test_one_bad_element_never_spoils_the_batch(queue: Queue, broken: Any, problem: str) -> None:
    queue.enqueue()
    good = result_of(queue.claim_one())

    bad_answer, good_answer = queue.resolve(broken, good)

    assert bad_answer["verdict"] == "error"
    assert problem in bad_answer["error"]
    assert (good_answer["verdict"], good_answer["status"]) == ("ok", "done")


def test_a_job_named_twice_in_a_batch_counts_once(queue: Queue) -> None:
    queue.enqueue()
    result = result_of(queue.claim_one())

    first, second = queue.resolve(result, {**result, "outcome": "failed"})

    assert (first["verdict"], first["status"]) == ("ok", "done")
    assert second["verdict"] == "error"


def test_an_output_that_cannot_be_applied_fails_that_one_attempt(queue: Queue) -> None:
    queue.rows(
        """
        create table public.word_counts (job_id bigint primary key, words int not null);
        create function public.apply_count_words(job public.jobs, output jsonb) returns void
        language sql set search_path = '' as
        $$ insert into public.word_counts values (job.id, (output ->> 'words')::int) $$;
        insert into public.job_types (type, apply_function) values ('count_words', 'apply_count_words');
        """
    )
    bad, good = (queue.enqueue(payload={"n": n})["job_id"] for n in range(2))
    bad_job, good_job = queue.claim()

    bad_answer, good_answer = queue.resolve(
        result_of(bad_job, output={"words": None}), result_of(good_job, output={"words": 2})
    )

    assert (bad_answer["verdict"], bad_answer["status"]) == ("error", "queued")
    assert "the output could not be applied (23502)" in bad_answer["error"]
    assert queue.job(bad)["last_error"] == bad_answer["error"]
    assert good_answer["verdict"] == "ok"
    assert queue.rows("select * from public.word_counts") == [{"job_id": good, "words": 2}]
    assert queue.runs(bad) == ["error"]


def test_results_that_are_no_array_are_refused(queue: Queue) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="expected a JSON array"):
        queue.call("resolve_jobs", worker_id=queue.worker_id, results={"job_id": 1})


@pytest.mark.parametrize(
    ("outcome", "status"), [("done", "queued"), ("done", "failed"), ("failed", "done"), ("retry", "done")]
)
def test_a_status_that_the_state_machine_does_not_know_is_refused_to_everyone(
    queue: Queue, outcome: str, status: str
) -> None:
    job_id = queue.enqueue()["job_id"]
    queue.resolve_one(queue.claim_one(), outcome)

    with pytest.raises(psycopg.Error, match="cannot become") as refused:
        queue.rows(
            "update public.jobs set status = %s, completed_at = %s where id = %s",
            status,
            None if status == "queued" else datetime.now(UTC),
            job_id,
        )

    assert refused.value.sqlstate == "PT409"
