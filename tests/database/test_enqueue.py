"""Enqueueing: what becomes a job, what is the same job, and what is refused."""

from __future__ import annotations

import psycopg
import pytest

from tests.database.queue import Queue


def test_only_the_organisation_and_the_type_are_required(queue: Queue) -> None:
    answer = queue.enqueue("count_words", "acme")

    assert answer["created"] is True
    assert answer["status"] == "queued"
    job = queue.job(answer["job_id"])
    assert (job["payload"], job["priority"], job["max_attempts"]) == ({}, 0, 5)


@pytest.mark.parametrize("org_id", ["", "  ", None])
def test_a_job_without_an_organisation_is_refused_with_the_reason(queue: Queue, org_id: str | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="every job belongs to an organisation"):
        queue.call("enqueue_job", org_id=org_id, type="count_words")


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"type": "Count Words"}, "is not a job type"),
        ({"payload": [1]}, "payload: expected an object"),
        ({"after": "analysis"}, "after: expected an array"),
        ({"priority": "high"}, "priority: expected a whole number"),
        ({"max_attempts": 0}, "max_attempts: expected a whole number"),
        ({"run_at": "soon"}, "run_at: expected a time such as"),
        ({"run_at": "-infinity"}, "run_at: expected a time between the years 1970 and 9999"),
        ({"run_at": "0044-03-15 12:00 BC"}, "run_at: expected a time between"),
        ({"file_id": 4711}, "file_id: organisation acme has no file 4711"),
        ({"file_id": "x"}, "file_id: expected the number of a file"),
        ({"idempotency_key": "k" * 513}, "idempotency_key 512"),
    ],
)
def test_a_malformed_job_refuses_the_batch_and_names_the_element(
    queue: Queue, job: dict[str, object], message: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=rf"jobs\[1\]: .*{message}"):
        queue.enqueue_many({"payload": {"n": 0}}, job)

    assert queue.rows("select 1 from public.jobs") == []


def test_the_same_work_is_one_job_while_it_is_unfinished(queue: Queue) -> None:
    first = queue.enqueue(payload={"text": "a", "n": 1})
    again = queue.enqueue(payload={"n": 1, "text": "a"})

    assert again == {"job_id": first["job_id"], "created": False, "status": "queued"}


def test_the_same_work_can_be_enqueued_again_once_it_is_done(queue: Queue) -> None:
    first = queue.enqueue()
    queue.resolve_one(queue.claim_one())

    again = queue.enqueue()

    assert again["created"] is True
    assert again["job_id"] != first["job_id"]


def test_an_explicit_key_decides_within_its_organisation_only(queue: Queue) -> None:
    first = queue.enqueue(payload={"day": 1}, idempotency_key="daily")
    same = queue.enqueue(payload={"day": 2}, idempotency_key="daily")
    other = queue.enqueue(org_id="globex", idempotency_key="daily")

    assert same["job_id"] == first["job_id"]
    assert other["created"] is True


def test_one_key_does_not_swallow_work_of_another_type(queue: Queue) -> None:
    first = queue.enqueue("count_words", idempotency_key="daily")
    other = queue.enqueue("render", idempotency_key="daily")

    assert other["created"] is True
    assert other["job_id"] != first["job_id"]


def test_a_batch_answers_in_the_order_it_was_asked_and_finds_its_own_doubles(queue: Queue) -> None:
    answers = queue.enqueue_many({"payload": {"n": 1}}, {"payload": {"n": 2}}, {"payload": {"n": 1}})

    assert [answer["created"] for answer in answers] == [True, True, False]
    assert answers[0]["job_id"] == answers[2]["job_id"]
    assert queue.job(answers[1]["job_id"])["payload"] == {"n": 2}


def test_an_empty_batch_enqueues_nothing(queue: Queue) -> None:
    assert queue.enqueue_many() == []


def test_a_job_for_later_is_not_claimed_before_its_time(queue: Queue) -> None:
    answer = queue.enqueue(run_at="2999-01-01T00:00:00Z")
    assert queue.claim() == []

    queue.make_due(answer["job_id"])
    assert [job["job_id"] for job in queue.claim()] == [answer["job_id"]]


def test_policy_of_the_type_sets_the_attempts_unless_the_job_says_so(queue: Queue) -> None:
    queue.rows("insert into public.job_types (type, max_attempts) values ('count_words', 2)")

    policy = queue.enqueue(payload={"n": 1})
    own = queue.enqueue(payload={"n": 2}, max_attempts=9)

    assert queue.job(policy["job_id"])["max_attempts"] == 2
    assert queue.job(own["job_id"])["max_attempts"] == 9
