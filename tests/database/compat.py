"""Calls of other systems' functions as their workers make them: by name, as `service_role`, answered by rows."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.database.queue import Queue, Row


def ask(queue: Queue, function: str, /, **arguments: Any) -> list[Row]:
    """The rows of `select * from public.<function>(name => value, …)`; dicts travel as jsonb."""
    values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in arguments.items()}
    query = sql.SQL("select * from public.{}({})").format(
        sql.Identifier(function),
        sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values
        ),
    )
    with (
        queue.connection.transaction(),
        queue.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor,
    ):
        cursor.execute("set local role service_role")
        return cursor.execute(query, values).fetchall()


def seconds_until_due(queue: Queue, job_id: int) -> float:
    """The delay that was set by the last change of a job."""
    row = queue.rows(
        "select extract(epoch from run_at - updated_at)::float8 as s from public.jobs where id = %s", job_id
    )[0]
    return float(row["s"])
