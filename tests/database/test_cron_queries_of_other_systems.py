"""The queries of the same five teams about their schedules: pg_cron's jobs and runs, word for word."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.queries_of_other_systems import (
    ALERT,
    FAILED_RUNS,
    IS_ACTIVE,
    LAST_MESSAGE,
    LATEST_RUNS,
    PAUSE,
    RECENT_RUNS,
    RESUME,
    THE_JOB,
    VERIFY,
)
from tests.database.queue import Queue

JOB = "process-flashcard-jobs"


def record_run(editor: Queue, status: str, message: str, minutes_ago: int) -> None:
    """A run of the schedule as pg_cron records it."""
    editor.rows(
        "insert into cron.job_run_details "
        "(jobid, runid, job_pid, database, username, command, status, return_message, start_time, end_time) "
        "select jobid, nextval('cron.runid_seq'), 1, database, username, command, %s, %s, "
        "now() - make_interval(mins => %s), now() from cron.job where jobname = %s",
        status,
        message,
        minutes_ago,
        JOB,
    )


def test_the_schedule_shows_with_its_name_and_can_be_deleted(editor: Queue) -> None:
    editor.rows("select schedule_cron_tick()")

    shown = editor.rows(VERIFY)
    assert [(row["jobname"], row["schedule"], row["active"]) for row in shown] == [(JOB, "* * * * *", True)]

    assert editor.rows("SELECT cron.unschedule('process-flashcard-jobs');") == [{"unschedule": True}]
    assert editor.rows(THE_JOB) == []


def test_runs_of_the_schedule_are_listed_the_latest_first(editor: Queue) -> None:
    editor.rows("select schedule_cron_tick()")
    record_run(editor, "succeeded", "1 row", minutes_ago=3)
    record_run(editor, "failed", "the worker answered 401", minutes_ago=2)
    record_run(editor, "succeeded", "SELECT 1", minutes_ago=1)

    latest = editor.rows(LATEST_RUNS)
    assert [row["status"] for row in latest] == ["succeeded", "failed", "succeeded"]
    assert [row["return_message"] for row in editor.rows(RECENT_RUNS)] == [
        "SELECT 1",
        "the worker answered 401",
        "1 row",
    ]
    assert [row["return_message"] for row in editor.rows(FAILED_RUNS)] == ["the worker answered 401"]
    assert editor.rows(LAST_MESSAGE) == [{"return_message": "SELECT 1"}]


def test_on_a_hosted_project_the_schedule_is_paused_by_alter_job_instead(editor: Queue) -> None:
    editor.rows("select schedule_cron_tick()")

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"permission denied for table job"):
        editor.rows(PAUSE)
    editor.rows(f"select cron.alter_job(jobid, active := false) from cron.job where jobname = '{JOB}'")
    assert editor.rows(IS_ACTIVE) == [{"active": False}]


@pytest.mark.leg_debian
def test_where_cron_job_may_be_written_an_update_pauses_and_resumes(
    editor: Queue, admin: psycopg.Connection[Any]
) -> None:
    editor.rows("select schedule_cron_tick()")

    admin.execute(PAUSE.encode())
    assert editor.rows(IS_ACTIVE) == [{"active": False}]
    editor.rows("select schedule_cron_tick()")
    assert editor.rows(IS_ACTIVE) == [{"active": False}]

    admin.execute(RESUME.encode())
    assert editor.rows(IS_ACTIVE) == [{"active": True}]


def test_an_alert_about_stuck_jobs_can_be_scheduled_and_stays_silent_below_its_limit(
    editor: Queue,
) -> None:
    editor.enqueue()
    editor.rows("update public.jobs set created_at = now() - interval '2 hours' where true")
    editor.rows(ALERT)
    (scheduled,) = editor.rows("SELECT schedule, command FROM cron.job WHERE jobname = 'alert-stuck-jobs';")

    assert scheduled["schedule"] == "0 * * * *"
    assert [list(row.values()) for row in editor.rows(scheduled["command"])] == [[None]]
