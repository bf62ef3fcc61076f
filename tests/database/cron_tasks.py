"""Recurring jobs as the tests write them, make them due and enqueue them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from tests.database.queue import Queue, Row, result_of

THIS_MONTH = "date_trunc('month', now(), 'UTC')"


def recur(queue: Queue, name: str = "report", schedule: str = "@monthly", **columns: Any) -> Row:
    """A row of cron_tasks as an operator writes it; answers the row that came of it."""
    values = {"name": name, "org_id": "acme", "type": "send_report", "schedule": schedule, **columns}
    insert = sql.SQL("insert into public.cron_tasks ({}) values ({}) returning *").format(
        sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(map(sql.Placeholder, values))
    )
    with queue.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute(insert, values).fetchone()
        assert row is not None
        return row


def make_due(queue: Queue, due: str = THIS_MONTH) -> None:
    """Moves time: every row has been due since that SQL expression."""
    queue.rows(f"update public.cron_tasks set next_run_at = {due} where true")


def enqueue_due(queue: Queue) -> Row:
    answer: Row = queue.call("enqueue_cron_tasks")
    return answer


def counts(answer: Row) -> tuple[int, int, int]:
    return answer["enqueued"], answer["skipped"], answer["failed"]


def row_of(queue: Queue, name: str = "report") -> Row:
    return queue.rows(
        "select *, next_run_at > now() as is_ahead from public.cron_tasks where name = %s", name
    )[0]


def jobs(queue: Queue) -> list[Row]:
    return queue.rows("select * from public.jobs order by run_at, id")


def finish_all(queue: Queue) -> None:
    queue.resolve(*(result_of(job) for job in queue.claim(100)))
