"""Dead letters that operators bring back, one or all of them."""

from __future__ import annotations

import psycopg
import pytest

from tests.database.queue import Queue, result_of
from tests.database.storage import upload


def test_a_retried_dead_letter_starts_with_all_its_attempts(queue: Queue) -> None:
    job_id = queue.enqueue(max_attempts=1)["job_id"]
    queue.resolve_one(queue.claim_one(), "retry", error="down")
    assert queue.job(job_id)["status"] == "failed"

    queue.call("retry_job", job_id=job_id)

    assert queue.claim_one()["attempts"] == 1


def test_a_retry_never_collides_with_the_same_work_enqueued_meanwhile(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    queue.resolve_one(queue.claim_one(), "failed", error="broken")
    queue.enqueue()

    with pytest.raises(psycopg.Error, match="was enqueued again meanwhile") as refused:
        queue.call("retry_job", job_id=job_id)
    assert refused.value.sqlstate == "PT409"


def test_a_running_or_unknown_job_cannot_be_retried(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    queue.claim_one()

    with pytest.raises(psycopg.Error, match="only a failed or cancelled job can be retried"):
        queue.call("retry_job", job_id=job_id)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no job 4711"):
        queue.call("retry_job", job_id=4711)


def test_a_job_of_an_overwritten_file_cannot_be_retried(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    old = queue.claim(types=["analyze_file"])[0]["job_id"]
    upload(queue.connection, "acme/a.txt")

    with pytest.raises(psycopg.Error, match="there is nothing left to work on"):
        queue.call("retry_job", job_id=old)


def failed_jobs(queue: Queue, count: int, job_type: str = "count_words", org_id: str = "acme") -> list[int]:
    jobs = [queue.enqueue(job_type, org_id, payload={"n": n}) for n in range(count)]
    queue.resolve(*(result_of(job, "failed", error="down") for job in queue.claim(1000)))
    return [job["job_id"] for job in jobs]


def test_all_dead_letters_are_retried_at_once_with_all_their_attempts(queue: Queue) -> None:
    job_ids = failed_jobs(queue, 3)

    assert queue.call("retry_failed_jobs") == {"retried": 3, "skipped": [], "left": 0}
    assert [(job["job_id"], job["attempts"]) for job in queue.claim()] == [(one, 1) for one in job_ids]


def test_the_dead_letters_of_one_type_and_organisation_can_be_retried_alone(queue: Queue) -> None:
    failed_jobs(queue, 1, "analyze")
    failed_jobs(queue, 1, "analyze", "globex")
    failed_jobs(queue, 1, "cards")

    assert queue.call("retry_failed_jobs", type="analyze", org_id="globex")["retried"] == 1
    assert [(job["type"], job["org_id"]) for job in queue.claim()] == [("analyze", "globex")]
    assert queue.call("retry_failed_jobs", type="analyze")["retried"] == 1


def test_a_dead_letter_whose_work_was_enqueued_again_keeps_no_other_from_its_retry(queue: Queue) -> None:
    again, other = failed_jobs(queue, 2)
    queue.enqueue(payload={"n": 0})

    answer = queue.call("retry_failed_jobs")

    assert (answer["retried"], answer["left"]) == (1, 1)
    assert answer["skipped"] == [
        {"job_id": again, "reason": f"the work of job {again} was enqueued again meanwhile"}
    ]
    assert queue.job(other)["status"] == "queued"


def test_of_two_dead_letters_with_one_key_only_one_is_retried(queue: Queue) -> None:
    (older,) = failed_jobs(queue, 1)
    failed_jobs(queue, 1)

    answer = queue.call("retry_failed_jobs")

    assert (answer["retried"], len(answer["skipped"]), answer["left"]) == (1, 1, 1)
    assert queue.job(older)["status"] == "queued"


def test_a_thousand_dead_letters_come_back_in_one_call(queue: Queue) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(1000)))
    queue.resolve(*(result_of(job, "failed") for job in queue.claim(1000)))

    assert queue.call("retry_failed_jobs") == {"retried": 1000, "skipped": [], "left": 0}


def test_of_many_flows_a_call_brings_some_back_and_the_next_ones_the_others(queue: Queue) -> None:
    for n in range(251):
        queue.enqueue_many(
            {"type": "root", "ref": "a", "payload": {"n": n}},
            {"type": "leaf", "after": ["a"], "payload": {"n": n}},
        )
    queue.resolve(*(result_of(job, "failed") for job in queue.claim(1000)))

    first, second = (queue.call("retry_failed_jobs") for _ in range(2))

    assert (first["retried"], first["left"]) == (250, 1)
    assert (second["retried"], second["left"]) == (1, 0)
    assert queue.rows("select id from public.jobs where status = 'cancelled'") == []


def test_a_dead_letter_whose_parents_are_done_comes_back_as_queued(queue: Queue) -> None:
    jobs = queue.enqueue_many({"type": "root", "ref": "a"}, {"type": "leaf", "after": ["a"]})
    queue.resolve_one(queue.claim_one())
    queue.resolve_one(queue.claim_one(), "failed")

    assert queue.call("retry_failed_jobs")["retried"] == 1
    assert queue.job(jobs[1]["job_id"])["status"] == "queued"


def test_a_retry_of_many_brings_their_flows_back(queue: Queue) -> None:
    jobs = queue.enqueue_many({"type": "root", "ref": "a"}, {"type": "leaf", "after": ["a"]})
    queue.resolve_one(queue.claim_one(), "failed")
    assert queue.job(jobs[1]["job_id"])["status"] == "cancelled"

    queue.call("retry_failed_jobs")

    assert queue.job(jobs[1]["job_id"])["status"] == "waiting"


def test_dead_letters_that_cannot_be_retried_do_not_stand_in_the_way_of_later_ones(queue: Queue) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(1001)))
    queue.resolve(*(result_of(job, "failed") for job in queue.claim(1000)))
    queue.resolve(*(result_of(job, "failed") for job in queue.claim(1000)))
    queue.rows("update public.jobs set completed_at = completed_at - interval '1 hour' where id < 1001")
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(1000)))

    answer = queue.call("retry_failed_jobs")

    assert (answer["retried"], len(answer["skipped"]), answer["left"]) == (1, 20, 1000)
