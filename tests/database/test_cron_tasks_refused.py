"""Recurring jobs that nobody may write, and who may: what is refused, and what is said of it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database.cron_tasks import (
    recur,
)
from tests.database.queue import Queue
from tests.database.test_privileges import signed_in


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("schedule", "61 * * * *", 'schedule "61 .*: minute "61" is not allowed'),
        ("schedule", "0 0 30 2 *", 'schedule "0 0 30 2 .*" never comes due'),
        ("schedule", "0 0 31 4,6,9,11 *", "never comes due"),
        ("time_zone", "Europe/Berln", 'time_zone "Europe/Berln" is unknown: expected an IANA name'),
        ("time_zone", "Berlin+1", "is unknown"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(
    queue: Queue, column: str, value: str, complaint: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=complaint):
        recur(queue, **{column: value})
    recur(queue)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=complaint):
        queue.rows(f"update public.cron_tasks set {column} = %s where true", value)


@pytest.mark.parametrize(
    "columns",
    [
        {"name": "Report!"},
        {"type": "Send Report"},
        {"org_id": " "},
        {"payload": Jsonb([1])},
        {"missed_runs": "some"},
        {"priority": 1001},
        {"max_attempts": 0},
    ],
)
def test_what_could_never_be_enqueued_is_refused_when_it_is_written(
    queue: Queue, columns: dict[str, Any]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        recur(queue, **columns)


def test_operators_edit_rows_with_the_secret_key(queue: Queue) -> None:
    with signed_in(queue.connection, "service_role"):
        recur(queue)
        queue.rows("update public.cron_tasks set schedule = '@daily' where name = 'report'")
        queue.rows("delete from public.cron_tasks where name = 'report'")


def test_members_do_not_see_recurring_jobs(queue: Queue) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        signed_in(queue.connection, "authenticated", "acme"),
    ):
        queue.rows("select 1 from public.cron_tasks")


def test_without_pg_cron_scheduling_says_what_to_install(
    queue: Queue, admin: psycopg.Connection[Any]
) -> None:
    admin.execute(
        "drop schema cron cascade" if not has_extension(admin) else "drop extension pg_cron cascade"
    )

    for function in ("schedule_cron_tasks", "unschedule_cron_tasks"):
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match="pg_cron is not installed"
        ) as info:
            queue.call(function)
        assert info.value.diag.message_hint == "create extension if not exists pg_cron;"


def has_extension(admin: psycopg.Connection[Any]) -> bool:
    return admin.execute("select from pg_extension where extname = 'pg_cron'").fetchone() is not None
