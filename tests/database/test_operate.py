"""What operators look at and switch: pause, cancel, retry, health, file status."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, result_of
from tests.database.storage import upload


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
        second.execute("select 1 from public.jobs for update")
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


def test_a_six_field_schedule_is_refused_because_pg_cron_would_misread_it(queue: Queue) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="six fields"):
        queue.call("schedule_cron_tick", schedule="*/30 * * * * *")
