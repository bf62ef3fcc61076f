"""The rows of `storage.objects`, as statements in a caller's transaction and as JSON in an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from . import errors
from .database import Connection
from .files import timestamp

Row = dict[str, Any]

# Named one by one: the real table gets new columns now and then.
COLUMNS = sql.SQL(
    "id, bucket_id, name, owner, owner_id, version, created_at, updated_at, last_accessed_at, "
    "metadata, user_metadata"
)
VALID_KEY = re.compile(r"[\w/!\-.*'() &$@=;:+,?]+", re.ASCII)


@dataclass(frozen=True)
class ObjectWrite:
    bucket: str
    name: str
    version: str
    metadata: dict[str, Any]
    user_metadata: dict[str, Any] | None
    owner: str | None

    def parameters(self) -> dict[str, Any]:
        return {
            "bucket": self.bucket,
            "name": self.name,
            "version": self.version,
            "metadata": Jsonb(self.metadata),
            "user_metadata": None if self.user_metadata is None else Jsonb(self.user_metadata),
            "owner": self.owner if _is_uuid(self.owner) else None,
            "owner_id": self.owner,
        }


def check_key(key: str) -> None:
    if not VALID_KEY.fullmatch(key):
        raise errors.invalid_key(key)


async def find(connection: Connection, bucket: str, name: str, *, lock: bool = False) -> Row | None:
    query = sql.SQL("select {} from storage.objects where bucket_id = %s and name = %s").format(COLUMNS)
    if lock:
        query = query + sql.SQL(" for update")
    cursor = await connection.execute(query, [bucket, name])
    return await cursor.fetchone()


async def get(connection: Connection, bucket: str, name: str) -> Row:
    row = await find(connection, bucket, name)
    if row is None:
        raise errors.no_such_key()
    return row


INSERT = sql.SQL(
    """
    insert into storage.objects (bucket_id, name, version, metadata, user_metadata, owner, owner_id)
    values (%(bucket)s, %(name)s, %(version)s, %(metadata)s, %(user_metadata)s, %(owner)s, %(owner_id)s)
    """
)
# A null stands for "not given": the real API leaves such a column out of the update.
UPSERT = INSERT + sql.SQL(
    """
    on conflict (bucket_id, name) do update set
        version = excluded.version,
        metadata = excluded.metadata,
        user_metadata = coalesce(excluded.user_metadata, objects.user_metadata),
        owner = coalesce(excluded.owner, objects.owner),
        owner_id = coalesce(excluded.owner_id, objects.owner_id)
    returning {}
    """
).format(COLUMNS)


async def insert(connection: Connection, write: ObjectWrite) -> None:
    """Without `returning`: that would ask for a SELECT policy as well."""
    await connection.execute(INSERT, write.parameters())


async def upsert(connection: Connection, write: ObjectWrite) -> Row:
    cursor = await connection.execute(UPSERT, write.parameters())
    row = await cursor.fetchone()
    assert row is not None
    return row


async def move(connection: Connection, bucket: str, name: str, write: ObjectWrite) -> None:
    cursor = await connection.execute(
        """
        update storage.objects as o set
            bucket_id = %(bucket)s,
            name = %(name)s,
            version = %(version)s,
            metadata = %(metadata)s,
            user_metadata = coalesce(%(user_metadata)s, o.user_metadata),
            owner = coalesce(%(owner)s, o.owner),
            owner_id = coalesce(%(owner_id)s, o.owner_id)
        where o.bucket_id = %(old_bucket)s and o.name = %(old_name)s
        """,
        {**write.parameters(), "old_bucket": bucket, "old_name": name},
    )
    if cursor.rowcount == 0:
        raise errors.no_such_key()


async def delete(connection: Connection, bucket: str, names: list[str] | None) -> list[Row]:
    """Deletes what the caller may see and delete of these names, or of all names for None."""
    await connection.execute("set local storage.allow_delete_query = 'true'")
    query = sql.SQL(
        """
        delete from storage.objects
        where bucket_id = %(bucket)s and (%(names)s::text[] is null or name = any(%(names)s))
        returning {}
        """
    ).format(COLUMNS)
    cursor = await connection.execute(query, {"bucket": bucket, "names": names})
    return await cursor.fetchall()


def as_json(row: Row) -> dict[str, Any]:
    return {
        "name": row["name"],
        "bucket_id": row["bucket_id"],
        "owner": str(row["owner"] or ""),
        "owner_id": row["owner_id"] or "",
        "version": row["version"],
        "id": str(row["id"]),
        **times(row),
        "metadata": row["metadata"],
        "user_metadata": row["user_metadata"],
    }


def times(row: Row) -> dict[str, str | None]:
    names = ("updated_at", "created_at", "last_accessed_at")
    return {name: row[name] and timestamp(row[name]) for name in names}


def _is_uuid(text: str | None) -> bool:
    try:
        UUID(text)
    except (TypeError, ValueError):
        return False
    return True
