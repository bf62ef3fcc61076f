"""What operators look at and switch: pause, cancel, the tick of cron."""

from __future__ import annotations

import psycopg
import pytest

from tests.database.queue import Queue
from tests.database.storage import upload


def test_cancelling_ends_a_queued_job_and_what_waits_for_it(queue: Queue) -> None:
    parent, child = queue.enqueue_many({"type": "analyze", "ref": "a"}, {"type": "cards", "after": ["a"]})

    answer = queue.call("cancel_job", job_id=parent["job_id"])

    assert answer == {"job_id": parent["job_id"], "cancelled": True, "status": "cancelled"}
    assert queue.job(child["job_id"])["status"] == "cancelled"
    assert queue.claim() == []


def test_cancelling_a_job_that_has_ended_changes_nothing(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    queue.resolve_one(queue.claim_one())

    assert queue.call("cancel_job", job_id=job_id) == {
        "job_id": job_id,
        "cancelled": False,
        "status": "done",
    }


def test_file_status_follows_a_file_through_its_flow(queue: Queue) -> None:
    def status() -> str:
        (row,) = queue.rows("select status from public.file_status")
        answer: str = row["status"]
        return answer

    upload(queue.connection, "acme/a.txt")
    assert status() == "waiting"
    jobs = queue.claim()
    assert status() == "processing"
    for job in jobs:
        queue.resolve_one(
            job,
            "failed" if job["type"] == "analyze_file" else "done",
            output={"thumbnails": []},
        )
    assert status() == "failed"


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({}, "not called: nothing is due for slot 1"),
        ({"slot": 2, "batch_size": 2}, "not called: nothing is due for slot 2"),
    ],
)
def test_the_cron_tick_calls_nobody_when_nothing_is_due(
    queue: Queue, arguments: dict[str, int], answer: str
) -> None:
    queue.enqueue(run_at="2999-01-01T00:00:00Z")

    assert queue.call("invoke_cron_tick", **arguments) == answer


def test_the_second_slot_calls_only_when_more_than_one_batch_is_due(queue: Queue) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(2)))
    assert queue.call("invoke_cron_tick", slot=2, batch_size=2).startswith("not called")

    queue.enqueue(payload={"n": 3})
    with pytest.raises(psycopg.Error, match="Vault has no secret named job_queue_worker_endpoint"):
        queue.call("invoke_cron_tick", slot=2, batch_size=2)


def test_the_cron_tick_calls_nobody_while_paused(queue: Queue) -> None:
    queue.enqueue()
    queue.call("pause_processing", reason="deploying")

    assert queue.call("invoke_cron_tick") == "not called: processing is paused (deploying)"


def test_an_expired_lease_is_due(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    queue.claim_one()
    assert queue.call("invoke_cron_tick").startswith("not called")

    queue.expire_lease(job_id)
    with pytest.raises(psycopg.Error, match="Vault has no secret"):
        queue.call("invoke_cron_tick")


@pytest.mark.parametrize("secret", ["sk_live_topsecret", "http://user:topsecret@127.0.0.1:9/x?key=topsecret"])
def test_an_error_of_the_tick_never_quotes_a_secret_that_the_caller_named(queue: Queue, secret: str) -> None:
    queue.enqueue()
    queue.rows("select vault.create_secret(%s, 'some_key')", secret)
    queue.rows("select vault.create_secret('x', 'job_queue_runner_secret')")

    with pytest.raises(psycopg.Error, match=r"no http\(s\) URL|http://127.0.0.1:9 did not answer") as refused:
        queue.call("invoke_cron_tick", endpoint_secret="some_key")

    assert "topsecret" not in str(refused.value)


def test_a_schedule_of_somebody_else_is_not_replaced(queue: Queue) -> None:
    queue.rows("select cron.schedule('nightly-report', '0 3 * * *', 'select 1')")

    with pytest.raises(psycopg.Error, match="exists and is no tick"):
        queue.call("schedule_cron_tick", job_name="nightly-report")


def test_a_six_field_schedule_is_refused_because_pg_cron_would_misread_it(queue: Queue) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="six fields"):
        queue.call("schedule_cron_tick", schedule="*/30 * * * * *")
