"""Setting limits and reading what was used, for the tests about them."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from tests.database.queue import Queue, Row, result_of


def upsert(queue: Queue, table: str, key: str, name: str, limits: dict[str, Any]) -> None:
    """Sets these limits in the row of that name, which need not be there yet."""
    places = {"table": sql.Identifier(table), "key": sql.Identifier(key)}
    missing = (
        "insert into public.{table} ({key}) select %s "
        "where not exists (select from public.{table} where {key} = %s)"
    )
    queue.connection.execute(sql.SQL(missing).format(**places), (name, name))
    for column, value in limits.items():
        change = sql.SQL("update public.{table} set {column} = %s where {key} = %s")
        queue.connection.execute(change.format(**places, column=sql.Identifier(column)), (value, name))


def limit_org(queue: Queue, name: str = "*", **limits: Any) -> None:
    upsert(queue, "org_limits", "org_id", name, limits)


def limit_type(queue: Queue, name: str = "count_words", **limits: Any) -> None:
    upsert(queue, "job_types", "type", name, limits)


def usage(queue: Queue) -> list[tuple[str, int, float]]:
    """What each organisation used today: its name, attempts and money."""
    rows = queue.rows(
        "select org_id, jobs, spend::float from public.org_usage "
        "where day = (now() at time zone 'UTC')::date order by org_id"
    )
    return [(row["org_id"], row["jobs"], row["spend"]) for row in rows]


def next_day(queue: Queue) -> None:
    """Moves time past midnight (UTC)."""
    queue.rows("update public.org_usage set day = day - 1 where true")


def reached(queue: Queue, org_id: str = "acme", job_type: str = "count_words") -> str | None:
    sentence: str | None = queue.call("limit_reached", type=job_type, org_id=org_id)
    return sentence


def finish(queue: Queue, jobs: list[Row], outcome: str = "done", **result: Any) -> None:
    answers = queue.resolve(*(result_of(job, outcome, **result) for job in jobs))
    assert {answer["verdict"] for answer in answers} <= {"ok"}
