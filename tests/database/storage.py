"""What the Storage API does to its table, statement by statement: the rolled-back probe first, then the real write."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

UPSERT = """
insert into storage.objects (bucket_id, name, owner_id, version, metadata) values (%s, %s, %s, %s, %s)
on conflict (name, bucket_id) do update set
  version = excluded.version, metadata = excluded.metadata, owner_id = excluded.owner_id
returning id
"""


class _UndoProbe(Exception):  # noqa: N818 - how a rollback is asked for, not a failure
    pass


def upload(
    connection: psycopg.Connection[Any],
    path: str,
    *,
    bucket: str = "ingest",
    mime_type: str = "text/plain",
    size: int = 5,
) -> tuple[uuid.UUID, str]:
    """Uploads or overwrites; returns (object id, version)."""
    try:
        with connection.transaction():
            connection.execute("set local role service_role")
            probe = Jsonb({"mimetype": mime_type, "contentLength": size})
            connection.execute(UPSERT, (bucket, path, None, "1", probe))
            raise _UndoProbe
    except _UndoProbe:
        pass
    version = str(uuid.uuid4())
    metadata = {"mimetype": mime_type, "size": size, "eTag": '"e"', "contentLength": size}
    with connection.transaction():
        connection.execute("set local role service_role")
        row = connection.execute(UPSERT, (bucket, path, None, version, Jsonb(metadata))).fetchone()
    assert row is not None
    return row[0], version


def move(connection: psycopg.Connection[Any], path: str, new_path: str, *, new_bucket: str = "ingest") -> str:
    """Moves an object within or between buckets: same id, new version."""
    version = str(uuid.uuid4())
    with connection.transaction():
        connection.execute("set local role service_role")
        connection.execute(
            "update storage.objects set name = %s, bucket_id = %s, version = %s where name = %s",
            (new_path, new_bucket, version, path),
        )
    return version


def delete(connection: psycopg.Connection[Any], path: str) -> None:
    """Deletes an object."""
    delete_many(connection, [path])


def delete_many(connection: psycopg.Connection[Any], paths: list[str]) -> None:
    """Deletes objects in one statement as the Storage API does, which alone may set this switch."""
    with connection.transaction():
        connection.execute("set local role service_role")
        connection.execute("set local storage.allow_delete_query = 'true'")
        connection.execute("delete from storage.objects where name = any (%s)", (paths,))
