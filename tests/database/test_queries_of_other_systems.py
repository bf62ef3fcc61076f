"""The queries that five teams had written for their own queues, word for word, as their SQL editor runs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.database.queries_of_other_systems import BY_TYPE_AND_STATUS, PENDING, RATE, STATISTICS, STUCK
from tests.database.queue import Queue, Row


@pytest.fixture
def jobs(editor: Queue) -> dict[str, int]:
    """Two done, one failed, three queued (one of another type), one running; the ids by what they are."""
    for n in range(6):
        editor.enqueue(payload={"n": n})
    done, also_done, failed, running = editor.claim(4)
    editor.resolve_one(done)
    editor.resolve_one(also_done)
    editor.resolve_one(failed, "failed", error="broken file")
    last = editor.enqueue("render")["job_id"]
    return {
        "done": also_done["job_id"],
        "failed": failed["job_id"],
        "running": running["job_id"],
        "last": last,
    }


def test_statistics_count_the_last_hour(editor: Queue, jobs: dict[str, int]) -> None:
    assert editor.rows(STATISTICS) == [{"completed": 2, "failed": 1, "still_queued": 3}]

    editor.rows("update public.jobs set updated_at = now() - interval '2 hours' where id = %s", jobs["done"])
    assert editor.rows(STATISTICS) == [{"completed": 1, "failed": 1, "still_queued": 3}]


def test_the_rate_counts_jobs_per_minute_the_latest_first(editor: Queue, jobs: dict[str, int]) -> None:
    now = datetime.now(UTC).replace(second=30)
    editor.rows("update public.jobs set updated_at = %s where status in ('done', 'failed')", now)
    earlier = now - timedelta(minutes=7)
    editor.rows("update public.jobs set updated_at = %s where id = %s", earlier, jobs["failed"])

    rows = editor.rows(RATE)

    assert [row["processed"] for row in rows] == [2, 1]
    assert rows[0]["minute"] - rows[1]["minute"] == timedelta(minutes=7)


def test_the_latest_job_comes_first_by_creation_and_by_change(editor: Queue, jobs: dict[str, int]) -> None:
    assert editor.rows("SELECT * FROM jobs ORDER BY created_at DESC LIMIT 1;")[0]["id"] == jobs["last"]

    editor.rows("update public.jobs set updated_at = now() + interval '1 minute' where id = %s", jobs["done"])
    assert editor.rows("SELECT * FROM jobs ORDER BY updated_at DESC LIMIT 1;")[0]["status"] == "done"


def test_jobs_are_counted_by_type_and_status(editor: Queue, jobs: dict[str, int]) -> None:
    rows = editor.rows(BY_TYPE_AND_STATUS)

    assert {(row["type"], row["status"]): row["count"] for row in rows} == {
        ("count_words", "done"): 2,
        ("count_words", "failed"): 1,
        ("count_words", "processing"): 1,
        ("count_words", "queued"): 2,
        ("render", "queued"): 1,
    }


def test_a_job_that_runs_for_ten_minutes_is_stuck(editor: Queue, jobs: dict[str, int]) -> None:
    assert editor.rows(STUCK) == []

    editor.rows("update public.jobs set started_at = now() - interval '11 minutes' where true")
    assert [row["id"] for row in editor.rows(STUCK)] == [jobs["running"]]


def test_job_queue_lists_what_is_pending_and_why_a_job_failed(editor: Queue, jobs: dict[str, int]) -> None:
    pending = editor.rows(PENDING)
    failed = editor.rows("SELECT last_error FROM job_queue WHERE status = 'failed';")

    assert sorted(row["task_type"] for row in pending) == ["count_words", "count_words", "render"]
    assert failed == [{"last_error": "broken file"}]


def test_starting_fresh_leaves_no_job_behind(editor: Queue, jobs: dict[str, int]) -> None:
    editor.rows("DELETE FROM job_queue;")

    assert editor.rows("SELECT * FROM jobs") == editor.rows("SELECT * FROM job_runs") == []


def test_the_functions_answer_to_their_arguments_in_the_order_in_which_they_are_documented(
    editor: Queue,
) -> None:
    worker_id = "6a2f41a3-c54c-4ce8-8c1b-0d8f4f4e7c11"

    def one(query: str) -> Row:
        (row,) = editor.rows(query)
        return row

    assert one("select id from job_queue_enqueue('sync', '{\"orgId\": \"acme\"}', now(), 3)") == {"id": 1}
    assert one("select id, payload from job_queue_claim(5)") == {"id": 1, "payload": {"orgId": "acme"}}
    assert one("select status from job_queue_mark_failed(1, 'no luck', '0 seconds')") == {"status": "pending"}
    assert one("select id from job_queue_claim(1)") == {"id": 1}
    assert one("select output from job_queue_mark_succeeded(1, '[1]')") == {"output": [1]}
    editor.enqueue("ocr", payload={"page": 1})
    assert one(f"select payload from claim_next_job('{worker_id}', 'ocr')") == {"payload": {"page": 1}}
    assert one(f"select resolve_job(2, '{worker_id}', true, null) ->> 'status' as s") == {"s": "done"}
    editor.enqueue("render")
    assert one("select claim_job(3, 'worker-12345-1234567890') -> 'id' as id") == {"id": 3}
    assert one("select fail_job(3, 'no luck') as failed") == {"failed": True}
