"""When the stand-in for pg_cron runs a job. Time is passed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scripts.local_supabase.cron_schedule import Task

NOON = datetime(2026, 11, 22, 12, 0, 10, tzinfo=UTC)


def runs(schedule: str, seconds: list[int]) -> list[bool]:
    """Which of the looks, so many seconds after NOON, start a run; each run is over by the next look."""
    task = Task(schedule, NOON)
    started = []
    for second in seconds:
        task.running = False
        task.advance(NOON + timedelta(seconds=second))
        started.append(task.start(NOON + timedelta(seconds=second)))
    return started


@pytest.mark.parametrize(
    ("schedule", "seconds", "expected"),
    [
        ("30 seconds", [1, 29, 30, 31, 59, 60], [False, False, True, False, False, True]),
        ("* * * * *", [1, 49, 50, 51, 109, 110], [False, False, True, False, False, True]),
        ("5 12 * * *", [240, 289, 290, 350], [False, False, True, False]),
        ("0 12 * * *", [1, 60], [False, False]),
    ],
)
def test_a_job_runs_when_its_schedule_says(schedule: str, seconds: list[int], expected: list[bool]) -> None:
    assert runs(schedule, seconds) == expected


def test_a_six_field_expression_is_read_as_five() -> None:
    assert runs("*/30 * * * * *", [30, 60, 1_789, 1_790]) == [False, False, False, True]


def test_the_dollar_sign_is_the_last_day_of_the_month() -> None:
    assert Task("0 0 $ * *", NOON).next_minute == datetime(2026, 11, 30, tzinfo=UTC)


def test_minutes_missed_during_a_long_run_pile_up_and_a_job_never_overlaps_itself() -> None:
    task = Task("* * * * *", NOON)
    for seconds in range(50, 231, 30):
        task.advance(NOON + timedelta(seconds=seconds))
        task.start(NOON + timedelta(seconds=seconds))

    assert task.running
    assert task.pending == 3


def test_an_interval_missed_during_a_long_run_is_made_up_for_once() -> None:
    task = Task("10 seconds", NOON)
    for seconds in range(10, 61, 10):
        task.advance(NOON + timedelta(seconds=seconds))
        task.start(NOON + timedelta(seconds=seconds))

    assert task.pending == 1


def test_after_a_jump_of_the_clock_a_wildcard_job_runs_once() -> None:
    task = Task("* * * * *", NOON)

    task.advance(NOON + timedelta(hours=8))

    assert task.pending == 1


def test_what_falls_due_while_a_job_is_paused_is_not_made_up_for() -> None:
    task = Task("* * * * *", NOON)

    task.skip(NOON + timedelta(minutes=3))

    assert task.pending == 0
