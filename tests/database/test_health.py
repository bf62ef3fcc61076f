"""What queue_health says about the queue and about what drives it."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.database.queue import Queue


def test_health_counts_jobs_and_names_the_oldest_due(queue: Queue) -> None:
    queue.enqueue(payload={"n": 1})
    late = queue.enqueue(payload={"n": 2})["job_id"]
    queue.rows("update public.jobs set run_at = now() - interval '90 seconds' where id = %s", late)

    health = queue.call("queue_health")

    assert health["counts"] == {
        "waiting": 0,
        "queued": 2,
        "processing": 0,
        "done": 0,
        "failed": 0,
        "cancelled": 0,
    }
    assert health["due"] == 2
    assert health["oldest_due_seconds"] == 90
    assert health["processing_enabled"] is True


def test_health_shows_why_processing_is_paused(queue: Queue) -> None:
    queue.call("pause_processing", reason="deploying")

    health = queue.call("queue_health")

    assert (health["processing_enabled"], health["paused_reason"]) == (False, "deploying")


def test_health_counts_expired_leases_and_old_dead_letters(queue: Queue) -> None:
    expired, dead = (queue.enqueue(payload={"n": n})["job_id"] for n in range(2))
    jobs = queue.claim()
    queue.resolve_one(jobs[1], "failed", error="broken")
    queue.expire_lease(expired)
    queue.rows("update public.jobs set completed_at = now() - interval '11 minutes' where id = %s", dead)

    health = queue.call("queue_health")

    assert (health["expired_leases"], health["failed_over_10_min"]) == (1, 1)


def test_health_tells_suspects_and_later_jobs_from_due_ones(queue: Queue) -> None:
    suspect = queue.enqueue(payload={"n": 1})["job_id"]
    queue.claim_one()
    queue.expire_lease(suspect)
    queue.enqueue(payload={"n": 2}, run_at="2999-01-01T00:00:00Z")
    queue.claim(types=["none"])

    health = queue.call("queue_health")

    assert (health["suspects"], health["later"], health["due"]) == (1, 1, 1)


def test_health_counts_the_lanes_that_a_limit_keeps_waiting(queue: Queue) -> None:
    for org_id in ("acme", "globex"):
        queue.enqueue_many(*({"org_id": org_id, "payload": {"n": n}} for n in range(2)))
    assert queue.call("queue_health")["waiting_for_limits"] == 0

    queue.rows("insert into public.org_limits (org_id, max_concurrency) values ('acme', 0)")

    assert queue.call("queue_health")["waiting_for_limits"] == 1


def test_health_names_a_transaction_that_is_open_for_long(
    queue: Queue, second: psycopg.Connection[Any]
) -> None:
    with second.transaction():
        second.execute("set local application_name = 'forgotten'")
        second.execute("update public.job_queue_settings set lease_seconds = 60 where only_row")
        (after_a_minute,) = queue.rows("select public.oldest_snapshot(60)")
        (at_once,) = queue.rows("select public.oldest_snapshot(0)")

    assert after_a_minute["oldest_snapshot"] is None
    assert at_once["oldest_snapshot"]["application"] == "forgotten"


def test_health_shows_our_schedules_and_which_of_them_are_paused(queue: Queue) -> None:
    queue.rows("select cron.schedule('crontick-prune', '17 * * * *', 'select public.prune_jobs()')")
    queue.rows("select cron.schedule('theirs', '0 3 * * *', 'select 1')")
    queue.rows("select cron.alter_job(jobid, active := false) from cron.job where jobname = 'crontick-prune'")

    (schedule,) = queue.call("queue_health")["cron_schedules"]

    assert (schedule["jobname"], schedule["active"], schedule["last_status"]) == (
        "crontick-prune",
        False,
        None,
    )


def test_a_schedule_without_a_name_goes_by_its_number(queue: Queue) -> None:
    (made,) = queue.rows("select cron.schedule('* * * * *', 'select public.invoke_cron_tick()') as jobid")

    (schedule,) = queue.call("queue_health")["cron_schedules"]

    assert schedule["jobname"] == f"job {made['jobid']}"
