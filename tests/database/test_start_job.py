"""Jobs that are enqueued and claimed in one call, for workers that are handed a payload."""

from __future__ import annotations

from typing import Any

import pytest

from tests.database.queue import Queue, Row

JOB = {"org_id": "acme", "type": "count_words", "payload": {"page": 3}}


def start(queue: Queue, job: Row | None = None, **arguments: Any) -> Row:
    answer: Row = queue.call("start_job", worker_id=queue.worker_id, job=job or JOB, **arguments)
    return answer


def test_a_new_job_comes_back_claimed(queue: Queue) -> None:
    answer = start(queue, lease_seconds=30)
    assert (answer["created"], answer["status"], answer["job"]["payload"]) == (
        True,
        "processing",
        {"page": 3},
    )
    assert queue.resolve_one(answer["job"])["verdict"] == "ok"


def test_the_same_work_that_waits_for_its_retry_is_started_at_once(queue: Queue) -> None:
    queue.resolve_one(start(queue)["job"], "retry", retry_in=3600)
    answer = start(queue)
    assert (answer["created"], answer["job"]["attempts"]) == (False, 2)


def test_a_call_whose_answer_was_lost_gives_the_same_lease_again(queue: Queue) -> None:
    first, again = start(queue), start(queue)
    assert (again["created"], again["job"]["lease_token"]) == (False, first["job"]["lease_token"])


def test_a_job_of_another_worker_is_left_to_it(queue: Queue) -> None:
    start(queue)
    answer = start(Queue(queue.connection))
    assert (answer["status"], answer["job"]) == ("processing", None)


def test_work_that_was_done_for_ever_is_not_done_again(queue: Queue) -> None:
    for_ever = JOB | {"unique_for": "ever"}
    queue.resolve_one(start(queue, for_ever)["job"])
    answer = start(queue, for_ever)
    assert (answer["status"], answer["job"]) == ("done", None)


@pytest.mark.parametrize("force", [False, True])
def test_a_paused_queue_starts_nothing_unless_forced(force: bool, queue: Queue) -> None:
    queue.call("pause_processing", reason="deploying")
    answer = start(queue, force=force)
    assert (answer["job"] is not None, answer["waits_for"]) == (
        force,
        None if force else "processing is paused",
    )


def test_a_limit_keeps_the_job_queued_and_says_so(queue: Queue) -> None:
    queue.rows("insert into public.org_limits (org_id, max_concurrency) values ('acme', 1)")
    start(queue)
    answer = start(queue, JOB | {"payload": {"page": 4}})
    assert (answer["status"], answer["job"]) == ("queued", None)
    assert "of this organisation" in answer["waits_for"]
