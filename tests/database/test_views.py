"""What operators and owners of files look at: statistics, running jobs, the queue in its order, the state of a file."""

from __future__ import annotations

from typing import Any

import pytest

from tests.database.queue import Queue, Row
from tests.database.storage import upload
from tests.database.test_privileges import signed_in


def pending(queue: Queue) -> list[Row]:
    with signed_in(queue.connection, "service_role"):
        return queue.rows("select * from public.pending_jobs_queue order by position")


def file_status(queue: Queue, path: str = "acme/a.txt") -> Row:
    """As a member of the file's organisation sees it."""
    with signed_in(queue.connection, "authenticated", path.partition("/")[0]):
        return queue.rows("select * from public.file_status where path = %s", path)[0]


def error_of(queue: Queue, job: Row) -> Any:
    (found,) = [one for one in file_status(queue)["jobs"] if one["job_id"] == job["job_id"]]
    return found["error"]


def test_job_stats_count_by_type_and_status_and_time_what_ended(queue: Queue) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(3)))
    job = queue.claim_one()
    queue.resolve_one(job)
    queue.rows(
        "update public.jobs set started_at = completed_at - interval '2 s' where id = %s", job["job_id"]
    )

    with signed_in(queue.connection, "service_role"):
        rows = queue.rows("select * from public.job_stats order by count desc")

    assert [(row["type"], row["status"], row["count"], row["avg_seconds"]) for row in rows] == [
        ("count_words", "queued", 2, None),
        ("count_words", "done", 1, 2),
    ]


def test_active_jobs_tell_who_runs_what_and_how_long_the_lease_lasts(queue: Queue) -> None:
    queue.enqueue()
    job = queue.claim_one()
    queue.extend(job | {"progress": {"done": 0.5}})
    queue.rows("update public.jobs set started_at = now() - interval '90 s' where id = %s", job["job_id"])

    with signed_in(queue.connection, "service_role"):
        (row,) = queue.rows("select * from public.active_jobs")

    assert str(row["worker_id"]) == queue.worker_id
    assert row["running_seconds"] >= 90
    assert 100 < row["lease_left_seconds"] <= 120
    assert row["progress"] == {"done": 0.5}


def test_the_pending_queue_is_in_claim_order_and_says_what_each_job_waits_for(queue: Queue) -> None:
    first = queue.enqueue(payload={"n": 1})["job_id"]
    urgent = queue.enqueue(payload={"n": 2}, priority=10)["job_id"]
    later = queue.enqueue(payload={"n": 3}, run_at="2999-01-01T00:00:00Z")["job_id"]
    child = queue.enqueue_many({"type": "root", "ref": "a"}, {"type": "leaf", "after": ["a"]})[1]["job_id"]

    rows = [row for row in pending(queue) if row["type"] != "root"]

    assert [(row["id"], row["waits_for"]) for row in rows] == [
        (urgent, None),
        (first, None),
        (later, "its time: 2999-01-01 00:00:00 UTC"),
        (child, "1 unfinished job(s)"),
    ]


def test_the_pending_queue_names_the_limit_that_was_reached(queue: Queue) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(2)))
    queue.rows("update public.org_limits set max_concurrency = 1 where org_id = '*'")
    queue.claim_one()

    assert [row["waits_for"] for row in pending(queue)] == [
        "as many jobs of this organisation run as may run at once"
    ]


def test_the_pending_queue_says_that_processing_is_paused(queue: Queue) -> None:
    queue.enqueue()
    queue.call("pause_processing", reason="deploying")

    assert [row["waits_for"] for row in pending(queue)] == ["processing is paused (deploying)"]


def test_a_file_has_a_place_among_the_jobs_of_its_organisation(queue: Queue) -> None:
    for path in ("globex/other.txt", "acme/first.txt", "acme/a.txt"):
        upload(queue.connection, path)

    # Two jobs of the first file are ready before the first one of the second; globex does not count.
    assert [file_status(queue, f"acme/{name}.txt")["queue_position"] for name in ("first", "a")] == [1, 3]


def test_a_file_with_nothing_queued_has_no_place(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    queue.claim()

    assert file_status(queue)["queue_position"] is None


def test_a_place_is_counted_no_further_than_a_thousand(queue: Queue) -> None:
    queue.enqueue_many(*({"type": "analyze_file", "payload": {"n": n}, "priority": 9} for n in range(1000)))
    queue.enqueue_many(*({"type": "analyze_file", "payload": {"m": n}, "priority": 9} for n in range(200)))
    upload(queue.connection, "acme/a.txt")

    assert file_status(queue)["queue_position"] == 1000


def test_the_owner_of_a_file_reads_the_error_that_is_meant_for_him(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    plain, friendly = queue.claim()
    queue.resolve_one(plain, "failed", error="KeyError at 0x7f, host db-3")
    queue.resolve_one(friendly, "failed", error="no pages", public_error="This PDF has no pages.")

    assert error_of(queue, plain) == "processing failed"
    assert error_of(queue, friendly) == "This PDF has no pages."
    assert "db-3" not in str(file_status(queue))


@pytest.mark.parametrize(
    ("outcome", "error"),
    [("retry", "a first try failed; it will be tried again"), ("snooze", None), ("done", None)],
)
def test_the_owner_of_a_file_is_told_that_a_job_is_tried_again(
    queue: Queue, outcome: str, error: str | None
) -> None:
    upload(queue.connection, "acme/a.txt")
    (job,) = queue.claim(types=["create_thumbnail"])
    queue.resolve_one(job, outcome, error="secret", output={"thumbnails": []})

    assert error_of(queue, job) == error


def test_the_owner_of_a_file_is_told_that_a_job_was_cancelled(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    (job,) = queue.claim(types=["create_thumbnail"])
    queue.call("cancel_job", job_id=job["job_id"])

    assert error_of(queue, job) == "cancelled"
