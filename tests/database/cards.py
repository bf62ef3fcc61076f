"""What tests of cards share: one file that is processed again and again, and members who change its cards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.database.file_flow import run_flow
from tests.database.queue import Queue, Row
from tests.database.storage import upload
from tests.database.test_privileges import signed_in

PATH = "acme/notes.txt"
NOW = datetime.now(UTC)
REVIEW: Row = {
    "state": 2,
    "step": None,
    "stability": 4.2,
    "difficulty": 5.5,
    "due": NOW + timedelta(days=4),
    "last_review": NOW,
}
SEEN = "removed_at is null and gone_at is null"


def process(queue: Queue, *cards: Row) -> None:
    """Uploads the file, again if it is there, and resolves its jobs."""
    upload(queue.connection, PATH)
    run_flow(queue, list(cards))


def as_member(queue: Queue, function: str, /, *, org: str = "acme", **arguments: Any) -> Any:
    """Calls a function as a signed-in user of that organisation, as over REST."""
    call = ", ".join(f"{name} => %({name})s" for name in arguments)
    with signed_in(queue.connection, "authenticated", org):
        row = queue.connection.execute(f"select public.{function}({call})".encode(), arguments).fetchone()
    return row[0] if row else None


def seen_by(queue: Queue, org: str, table: str) -> int:
    """How many rows a signed-in user of that organisation reads."""
    with signed_in(queue.connection, "authenticated", org):
        row = queue.connection.execute(f"select count(*) from public.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def row_of(queue: Queue, key: str) -> Row:
    (row,) = queue.rows("select * from public.cards where card_key = %s", key)
    return row


def keys(queue: Queue, where: str = SEEN) -> list[str]:
    rows = queue.rows(f"select card_key from public.cards where {where} order by position, id")
    return [row["card_key"] for row in rows]
