"""Recurring jobs: what enqueue_cron_tasks makes of the rows of cron_tasks, and when."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb

from tests.database.cron_tasks import (
    THIS_MONTH,
    counts,
    enqueue_due,
    finish_all,
    jobs,
    make_due,
    recur,
    row_of,
)
from tests.database.queue import Queue


def test_a_new_row_is_due_at_the_next_time_of_its_schedule(queue: Queue) -> None:
    recur(queue, schedule="30 7 * * mon-fri", time_zone="Asia/Tokyo")

    assert queue.rows(
        "select next_run_at = public.next_cron_time('30 7 * * mon-fri', created_at, 'Asia/Tokyo') as is_next "
        "from public.cron_tasks"
    ) == [{"is_next": True}]
    assert counts(enqueue_due(queue)) == (0, 0, 0)


def test_a_due_row_becomes_a_job_and_is_due_next_time(queue: Queue) -> None:
    recur(queue, payload=Jsonb({"of": "sales"}), priority=7, max_attempts=2)
    make_due(queue)
    due = row_of(queue)["next_run_at"]

    answer = enqueue_due(queue)

    (job,) = jobs(queue)
    assert (job["org_id"], job["type"], job["payload"]) == ("acme", "send_report", {"of": "sales"})
    assert (job["priority"], job["max_attempts"], job["run_at"]) == (7, 2, due)
    (told,) = answer["jobs"]
    assert (told["name"], told["job_id"]) == ("report", job["id"])
    row = row_of(queue)
    assert (row["last_job_id"], row["last_error"], row["is_ahead"]) == (job["id"], None, True)
    assert row["last_enqueued_at"] is not None
    assert counts(answer) == (1, 0, 0)
    assert counts(enqueue_due(queue)) == (0, 0, 0)


def test_an_enqueued_job_can_be_claimed_at_once(queue: Queue) -> None:
    recur(queue)
    make_due(queue)
    enqueue_due(queue)

    assert queue.claim_one()["type"] == "send_report"


def test_a_row_that_is_switched_off_is_left_alone(queue: Queue) -> None:
    recur(queue, active=False)
    make_due(queue)

    assert counts(enqueue_due(queue)) == (0, 0, 0)


def test_a_row_that_is_switched_on_again_counts_from_now(queue: Queue) -> None:
    recur(queue, active=False, missed_runs="all")
    make_due(queue, "now() - interval '1 year'")

    queue.rows("update public.cron_tasks set active = true where true")

    assert row_of(queue)["is_ahead"]
    assert counts(enqueue_due(queue)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "schedule", "time_zone"),
    [
        ("schedule = '0 5 * * *'", "0 5 * * *", "UTC"),
        ("time_zone = 'Asia/Tokyo'", "@monthly", "Asia/Tokyo"),
        ("next_run_at = null", "@monthly", "UTC"),
    ],
)
def test_another_schedule_or_time_zone_counts_from_now(
    queue: Queue, change: str, schedule: str, time_zone: str
) -> None:
    recur(queue)
    make_due(queue, "now() - interval '1 year'")

    (row,) = queue.rows(
        f"update public.cron_tasks set {change} where true "
        "returning next_run_at, public.next_cron_time(%s, now(), %s) as expected",
        schedule,
        time_zone,
    )

    assert row["next_run_at"] == row["expected"]


def test_any_other_change_leaves_the_due_time(queue: Queue) -> None:
    recur(queue)
    make_due(queue)
    due = row_of(queue)["next_run_at"]

    queue.rows("update public.cron_tasks set payload = '{\"n\": 1}', priority = 3, active = true where true")

    assert row_of(queue)["next_run_at"] == due


def test_a_due_time_of_now_runs_it_once_more(queue: Queue) -> None:
    before = recur(queue)
    make_due(queue, "now()")

    assert counts(enqueue_due(queue)) == (1, 0, 0)
    assert row_of(queue)["next_run_at"] == before["next_run_at"]


def test_missed_times_make_one_job_for_the_last_of_them(queue: Queue) -> None:
    recur(queue)
    make_due(queue, f"{THIS_MONTH} - interval '11 months'")

    assert counts(enqueue_due(queue)) == (1, 0, 0)
    (job,) = queue.rows(f"select run_at = {THIS_MONTH} as is_the_last from public.jobs")
    assert job["is_the_last"]
    assert row_of(queue)["is_ahead"]


def test_a_year_of_missed_minutes_is_caught_up_with_in_no_time(queue: Queue) -> None:
    recur(queue, schedule="* * * * *", time_zone="Europe/Berlin")
    make_due(queue, "date_trunc('minute', now()) - interval '1 year'")
    queue.rows("set statement_timeout = '1s'")

    assert counts(enqueue_due(queue)) == (1, 0, 0)
    (job,) = queue.rows("select now() - run_at < interval '61 seconds' as is_the_last from public.jobs")
    assert job["is_the_last"]


def test_missed_times_can_be_skipped(queue: Queue) -> None:
    recur(queue, missed_runs="skip")
    make_due(queue, "now() - interval '61 seconds'")

    assert counts(enqueue_due(queue)) == (0, 1, 0)
    row = row_of(queue)
    assert (row["is_ahead"], row["last_enqueued_at"]) == (True, None)


def test_skipping_missed_times_keeps_the_one_of_the_last_minute(queue: Queue) -> None:
    recur(queue, schedule="20 seconds", missed_runs="skip")
    make_due(queue, "now() - interval '10 minutes'")

    assert counts(enqueue_due(queue)) == (1, 0, 0)
    (job,) = queue.rows("select now() - run_at < interval '60 seconds' as is_recent from public.jobs")
    assert job["is_recent"]


def test_missed_times_can_each_have_their_job(queue: Queue) -> None:
    recur(queue, missed_runs="all")
    make_due(queue, f"{THIS_MONTH} - interval '2 months'")

    assert counts(enqueue_due(queue)) == (3, 0, 0)
    assert queue.rows(
        f"select array_agg(run_at order by run_at) = array[{THIS_MONTH} - interval '2 months', "
        f"{THIS_MONTH} - interval '1 month', {THIS_MONTH}] as one_each from public.jobs"
    ) == [{"one_each": True}]


def test_more_than_a_hundred_missed_times_are_made_up_for_in_several_calls(queue: Queue) -> None:
    recur(queue, missed_runs="all")
    make_due(queue, f"{THIS_MONTH} - interval '149 months'")

    assert [counts(enqueue_due(queue)) for _ in range(3)] == [(100, 0, 0), (50, 0, 0), (0, 0, 0)]


def test_an_unfinished_job_is_not_doubled(queue: Queue) -> None:
    recur(queue)
    make_due(queue)
    enqueue_due(queue)
    first = row_of(queue)
    make_due(queue)

    assert counts(enqueue_due(queue)) == (0, 1, 0)
    row = row_of(queue)
    assert (row["is_ahead"], row["last_enqueued_at"]) == (True, first["last_enqueued_at"])

    finish_all(queue)
    make_due(queue)
    assert counts(enqueue_due(queue)) == (1, 0, 0)


def test_two_rows_with_the_same_work_do_not_stand_in_for_each_other(queue: Queue) -> None:
    recur(queue, "morning")
    recur(queue, "evening")
    make_due(queue)

    assert counts(enqueue_due(queue)) == (2, 0, 0)


def test_with_overlap_a_job_follows_an_unfinished_one(queue: Queue) -> None:
    recur(queue, overlap=True)
    make_due(queue)
    enqueue_due(queue)
    make_due(queue, f"{THIS_MONTH} + interval '1 second'")

    assert counts(enqueue_due(queue)) == (1, 0, 0)
    assert len(jobs(queue)) == 2


def test_a_row_that_fails_keeps_no_other_and_says_why(queue: Queue) -> None:
    queue.rows(
        """
        create function public.refuse() returns trigger language plpgsql as
          $$ begin raise exception 'no reports on Sundays'; end $$;
        create trigger refuse before insert on public.jobs for each row when (new.type = 'refused')
          execute function public.refuse();
        """
    )
    for name, job_type in (("a", "count_words"), ("b", "refused"), ("c", "count_words")):
        recur(queue, name, type=job_type)
    make_due(queue)

    answer = enqueue_due(queue)

    assert counts(answer) == (2, 0, 1)
    assert [job["name"] for job in answer["jobs"]] == ["a", "c"]
    failed = row_of(queue, "b")
    assert (failed["last_error"], failed["is_ahead"]) == ("no reports on Sundays", True)

    queue.rows("drop trigger refuse on public.jobs")
    make_due(queue)
    enqueue_due(queue)
    assert row_of(queue, "b")["last_error"] is None


def test_a_time_zone_that_the_server_no_longer_knows_keeps_no_other_row(queue: Queue) -> None:
    recur(queue, "a")
    recur(queue, "b")
    queue.rows("alter table public.cron_tasks disable trigger check_cron_task")
    queue.rows("update public.cron_tasks set time_zone = 'Mars/Olympus' where name = 'a'")
    make_due(queue)

    assert counts(enqueue_due(queue)) == (1, 0, 1)
    row = row_of(queue, "a")
    assert row["is_ahead"]
    assert "Mars/Olympus" in row["last_error"]
