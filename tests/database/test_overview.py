"""Everything that a dashboard shows at a glance."""

from __future__ import annotations

import pytest

from tests.database.queue import Queue, Row, refusal

RUN = """
insert into public.job_runs
  (job_id, org_id, type, attempt, worker_id, lease_token, outcome, duration_ms, reused_from, started_at, finished_at)
values (%s, 'acme', 'count_words', %s, gen_random_uuid(), gen_random_uuid(), %s, %s, %s, now(),
  now() - %s * interval '1 s')
"""


def run(
    queue: Queue,
    outcome: str,
    *,
    job_id: int = 999,
    attempt: int = 1,
    ms: int | None = None,
    reused_from: int | None = None,
    seconds_ago: int = 0,
) -> None:
    queue.rows(RUN, job_id, attempt, outcome, ms, reused_from, seconds_ago)


def totals(overview: Row) -> dict[str, int]:
    buckets = overview["history"]["buckets"]
    return {
        outcome: sum(bucket[outcome] for bucket in buckets)
        for outcome in ("done", "failed", "retried", "crashed")
    }


def test_the_history_is_whole_without_any_attempt(queue: Queue) -> None:
    for hours, seconds, buckets in ((1, 60, 60), (6, 300, 72), (24, 900, 96), (168, 3600, 168)):
        history = queue.call("queue_overview", hours=hours)["history"]
        times = [bucket["at"] for bucket in history["buckets"]]
        nothing = {"done": 0, "failed": 0, "retried": 0, "crashed": 0, "p50_ms": None, "p95_ms": None}

        assert (history["bucket_seconds"], len(times)) == (seconds, buckets)
        assert times == sorted(set(times))
        assert history["buckets"][0] == {"at": times[0], **nothing}


def test_other_hours_are_refused(queue: Queue) -> None:
    for hours in (0, 2, -1, None):
        refused = refusal(queue, "queue_overview", hours=hours)
        assert refused.startswith("22023 hours: expected 1, 6, 24 or 168"), hours


def test_attempts_are_counted_by_what_became_of_them(queue: Queue) -> None:
    for outcome in ("done", "done", "failed", "retry", "error", "crash", "snooze", "release", "cancelled"):
        run(queue, outcome)

    assert totals(queue.call("queue_overview", hours=1)) == {
        "done": 2,
        "failed": 1,
        "retried": 2,
        "crashed": 1,
    }


def test_the_last_attempt_of_a_job_that_failed_by_it_is_no_retry(queue: Queue) -> None:
    queue.enqueue(max_attempts=2)
    for _ in range(2):
        job = queue.claim_one()
        queue.resolve_one(job, "retry", error="no", retry_in=0)

    assert queue.job(job["job_id"])["status"] == "failed"
    assert totals(queue.call("queue_overview", hours=1)) == {
        "done": 0,
        "failed": 1,
        "retried": 1,
        "crashed": 0,
    }


def test_durations_are_those_of_attempts_that_ended_well_and_really_ran(queue: Queue) -> None:
    for ms in range(100, 2100, 100):
        run(queue, "done", ms=ms)
    run(queue, "failed", ms=60000)
    run(queue, "done", ms=1, reused_from=7)

    newest = [b for b in queue.call("queue_overview", hours=1)["history"]["buckets"] if b["done"]]

    assert len(newest) == 1
    assert newest[0]["p50_ms"] == pytest.approx(1000, rel=0.05)
    assert newest[0]["p95_ms"] == pytest.approx(1900, rel=0.06)


def test_attempts_of_unknown_duration_do_not_count_among_the_fast_ones(queue: Queue) -> None:
    for ms in (100, 200, 3000):
        run(queue, "done", ms=ms)
    for _ in range(3):
        run(queue, "done")

    (newest,) = [b for b in queue.call("queue_overview", hours=1)["history"]["buckets"] if b["done"]]

    assert (newest["done"], newest["p50_ms"], newest["p95_ms"]) == (6, 200, 3000)


def test_an_attempt_stands_in_the_stretch_of_time_in_which_it_ended(queue: Queue) -> None:
    run(queue, "done", seconds_ago=3 * 3600)
    run(queue, "done", seconds_ago=7 * 3600)

    (bucket,) = [b for b in queue.call("queue_overview", hours=6)["history"]["buckets"] if b["done"]]
    (inside,) = queue.rows(
        "select %s::timestamptz <= r.finished_at and r.finished_at < %s::timestamptz + interval '300 s' as it_is "
        "from public.job_runs r order by r.finished_at desc limit 1",
        bucket["at"],
        bucket["at"],
    )

    assert inside["it_is"]


def test_the_backlog_is_counted_by_type_and_organisation(queue: Queue) -> None:
    dead = queue.enqueue("a")["job_id"]
    queue.resolve_one(queue.claim_one(), "failed", error="broken")
    queue.enqueue("a", payload={"n": 1})
    queue.claim_one()
    queue.enqueue_many({"type": "a", "ref": "a"}, {"type": "b", "after": ["a"]})
    queue.enqueue("a", "globex", run_at="2999-01-01T00:00:00Z")
    queue.rows(
        "update public.jobs set run_at = now() - interval '90 s' where status = 'queued' and org_id = 'acme'"
    )

    overview = queue.call("queue_overview")

    a, b = overview["by_type"]
    assert dead
    assert {key: a[key] for key in ("type", "queued", "due", "processing", "failed", "waiting")} == {
        "type": "a",
        "queued": 2,
        "due": 1,
        "processing": 1,
        "failed": 1,
        "waiting": 0,
    }
    assert a["oldest_due_seconds"] == 90
    assert (b["type"], b["waiting"], b["oldest_due_seconds"], b["avg_ms"]) == ("b", 1, None, None)
    assert overview["by_org"] == [
        {"org_id": "acme", "queued": 1, "due": 1, "processing": 1, "failed": 1},
        {"org_id": "globex", "queued": 1, "due": 0, "processing": 0, "failed": 0},
    ]


def test_a_type_that_has_no_backlog_is_named_while_it_is_remembered(queue: Queue) -> None:
    run(queue, "done", ms=100)
    run(queue, "done", ms=300)
    run(queue, "retry", ms=9000)

    (only,) = queue.call("queue_overview")["by_type"]

    assert (only["type"], only["queued"], only["avg_ms"]) == ("count_words", 0, 200)


def test_no_more_than_twenty_organisations_are_named_those_with_most(queue: Queue) -> None:
    queue.rows(
        "insert into public.jobs (org_id, type, max_attempts, idempotency_key) "
        "select 'org-' || o, 'a', 5, o || '-' || n from generate_series(1, 25) o, generate_series(1, o) n"
    )

    named = [row["org_id"] for row in queue.call("queue_overview")["by_org"]]

    assert named == [f"org-{n}" for n in range(25, 5, -1)]


def test_health_problems_and_running_jobs_come_with_it(queue: Queue) -> None:
    queue.enqueue(payload={"n": 1})
    running = queue.claim_one()
    queue.enqueue("stuck_type")
    queue.rows("update public.jobs set run_at = now() - interval '20 minutes' where type = 'stuck_type'")

    overview = queue.call("queue_overview", hours=1)

    assert overview["health"].keys() == queue.call("queue_health").keys()
    assert [row["id"] for row in overview["active"]] == [running["job_id"]]
    assert [problem["condition"] for problem in overview["problems"]] == ["stuck"]
