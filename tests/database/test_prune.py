"""What prune_jobs removes, and what it must keep because somebody may still ask for it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row, result_of


def ended(queue: Queue, outcome: str, days_ago: int, **job: Any) -> int:
    """A job that ended so, that many days ago."""
    job_id: int = queue.enqueue(**({"payload": {"n": days_ago}} | job))["job_id"]
    queue.resolve_one(queue.claim_one(), outcome, output={"words": 1})
    age(queue, days_ago, job_id)
    return job_id


def age(queue: Queue, days: int, *job_ids: int) -> None:
    """Moves the end of these jobs into the past."""
    queue.rows(
        "update public.jobs set completed_at = now() - make_interval(days => %s) where id = any (%s)",
        days,
        list(job_ids),
    )


def kept(queue: Queue) -> list[int]:
    return [row["id"] for row in queue.rows("select id from public.jobs order by id")]


def test_jobs_go_when_their_retention_is_over_and_their_attempts_with_them(queue: Queue) -> None:
    old, young = ended(queue, "done", 8), ended(queue, "done", 6)
    old_failed, young_failed = ended(queue, "failed", 91), ended(queue, "failed", 89)

    answer = queue.call("prune_jobs")

    assert (answer["jobs"], answer["finished"]) == (2, True)
    assert kept(queue) == [young, young_failed]
    assert (queue.runs(old), queue.runs(old_failed)) == ([], [])
    assert queue.runs(young) == ["done"]


def test_a_type_may_keep_its_jobs_for_longer(queue: Queue) -> None:
    queue.rows("insert into public.job_types (type, keep_done_days) values ('invoice', 3650)")
    invoice = ended(queue, "done", 3000, job_type="invoice")
    ended(queue, "done", 3000)

    queue.call("prune_jobs")

    assert kept(queue) == [invoice]


def test_unfinished_jobs_stay_however_old_they_are(queue: Queue) -> None:
    for n in range(2):
        queue.enqueue(payload={"n": n})
    queue.claim_one()
    queue.rows("update public.jobs set created_at = now() - interval '2 years' where true")

    assert queue.call("prune_jobs")["jobs"] == 0


@pytest.mark.parametrize("child_is", ["waiting", "queued", "failed"])
def test_a_parent_stays_while_its_child_may_still_need_its_output(queue: Queue, child_is: str) -> None:
    parents = queue.enqueue_many(
        {"type": "a", "ref": "a"}, {"type": "b", "ref": "b"}, {"type": "c", "after": ["a", "b"]}
    )
    (job,) = queue.claim(types=["a"])
    queue.resolve_one(job, output={"n": 1})
    if child_is != "waiting":
        queue.resolve_one(queue.claim(types=["b"])[0])
    if child_is == "failed":
        queue.resolve_one(queue.claim(types=["c"])[0], "failed")
    age(queue, 80, job["job_id"])

    queue.call("prune_jobs")

    assert queue.job(parents[2]["job_id"])["status"] == child_is
    assert kept(queue) == [parent["job_id"] for parent in parents]


def test_a_flow_stays_as_long_as_the_dead_letter_it_would_come_back_with(queue: Queue) -> None:
    first, broken, last = (
        job["job_id"]
        for job in queue.enqueue_many(
            {"type": "a", "ref": "a"},
            {"type": "b", "ref": "b", "after": ["a"]},
            {"type": "c", "after": ["a", "b"]},
        )
    )
    queue.resolve_one(queue.claim_one(), output={"n": 1})
    queue.resolve_one(queue.claim_one(), "failed")
    age(queue, 80, first, broken, last)
    queue.call("prune_jobs")
    assert kept(queue) == [first, broken, last]

    age(queue, 91, first, broken, last)
    for _ in range(3):
        queue.call("prune_jobs")

    assert kept(queue) == []


def test_a_key_that_is_taken_for_ever_stays_taken_but_carries_nothing(queue: Queue) -> None:
    job_id = ended(queue, "done", 8, unique_for="ever", payload={"mail": "a@example.org"})

    answers = [queue.call("prune_jobs") for _ in range(2)]

    assert [(answer["jobs"], answer["emptied"]) for answer in answers] == [(0, 1), (0, 0)]
    job = queue.job(job_id)
    assert (job["payload"], job["output"], queue.runs(job_id)) == ({}, None, [])
    again = queue.enqueue(unique_for="ever", idempotency_key=job["idempotency_key"])
    assert (again["job_id"], again["created"]) == (job_id, False)


def test_a_bounded_call_goes_on_where_the_last_one_stopped_and_starts_over_at_the_end(queue: Queue) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(5)))
    jobs = sorted(queue.claim(), key=lambda job: int(job["job_id"]))
    queue.resolve(*map(result_of, jobs))
    age(queue, 8, *(job["job_id"] for job in jobs))

    answers = [queue.call("prune_jobs", up_to=2) for _ in range(3)]

    assert [(answer["jobs"], answer["finished"]) for answer in answers] == [(2, False), (2, False), (1, True)]
    late = ended(queue, "done", 8)
    assert queue.call("prune_jobs", up_to=2)["jobs"] == 1
    assert late not in kept(queue)


def test_jobs_that_stay_do_not_keep_later_ones_from_being_looked_at(queue: Queue) -> None:
    queue.enqueue_many(*({"type": "stays", "payload": {"n": n}} for n in range(25)))
    ended(queue, "done", 8, job_type="goes", priority=9)

    removed = [queue.call("prune_jobs", up_to=1)["jobs"] for _ in range(3)]

    assert removed == [0, 0, 1]


def test_two_calls_at_once_do_not_wait_for_each_other(queue: Queue, other_worker: Queue) -> None:
    job_id = ended(queue, "done", 8)
    with queue.connection.transaction():
        assert queue.call("prune_jobs")["jobs"] == 1
        assert other_worker.call("prune_jobs") == {"finished": False, "busy": True}
    assert job_id not in kept(queue)


def test_a_job_that_somebody_holds_is_left_for_the_next_call(
    queue: Queue, second: psycopg.Connection[Any]
) -> None:
    ended(queue, "done", 8)
    with second.transaction():
        second.execute("select 1 from public.jobs for update")
        assert queue.call("prune_jobs")["jobs"] == 0
    assert queue.call("prune_jobs")["jobs"] == 1


def test_what_grows_beside_the_jobs_is_pruned_too(queue: Queue) -> None:
    queue.rows(
        "insert into public.ingest_failures (operation, error, created_at) "
        "select 'insert', 'x', now() - make_interval(days => d) from unnest(array[29, 31]) d"
    )
    queue.rows(
        "insert into public.org_usage (org_key, day, org_id) "
        "select 1, current_date - d, 'acme' from unnest(array[300, 500]) d"
    )
    queue.rows(
        "insert into public.content_results (org_id, type, content_sha256, handler_version, job_id, used_at) "
        "select 'acme', 'a', repeat(d::text, 32), '1', 1, now() - make_interval(days => d) "
        "from unnest(array[80, 95]) d"
    )

    answer = queue.call("prune_jobs")

    assert (answer["ingest_failures"], answer["org_usage"], answer["content_results"]) == (1, 1, 1)


def test_the_history_of_cron_runs_is_kept_for_a_week(queue: Queue, admin: psycopg.Connection[Any]) -> None:
    def runs() -> list[Row]:
        return queue.rows("select command from cron.job_run_details")

    for days in (6, 8):
        admin.execute(
            "insert into cron.job_run_details (jobid, runid, database, username, command, status, "
            "start_time, end_time) values (1, %s, 'postgres', 'postgres', %s, 'succeeded', "
            "now() - make_interval(days => %s), now() - make_interval(days => %s))",
            (days, f"ran {days} days ago", days, days),
        )

    assert queue.call("prune_jobs")["cron_runs"] == 1
    assert runs() == [{"command": "ran 6 days ago"}]


def test_a_dead_letter_whose_key_is_for_ever_goes_whole_so_that_none_is_retried_empty(queue: Queue) -> None:
    job_id = ended(queue, "failed", 91, unique_for="ever", payload={"important": 1})

    queue.call("prune_jobs")

    assert job_id not in kept(queue)


@pytest.mark.parametrize(
    ("table", "most"),
    [
        ("jobs", 0.02),
        ("job_runs", 0.05),
        ("job_parents", 0.05),
        ("org_usage", 0.02),
        ("content_results", 0.05),
    ],
)
def test_tables_that_every_job_changes_are_vacuumed_long_before_a_fifth_of_them_is_dead(
    queue: Queue, table: str, most: float
) -> None:
    (row,) = queue.rows("select reloptions from pg_class where oid = %s::regclass", f"public.{table}")
    options = dict(option.split("=") for option in row["reloptions"])

    assert float(options["autovacuum_vacuum_scale_factor"]) <= most
    assert int(options["autovacuum_vacuum_threshold"]) <= 1000
    assert options.get("autovacuum_enabled", "true") == "true"
