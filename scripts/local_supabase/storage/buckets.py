"""The bucket routes of the Storage stand-in."""

from __future__ import annotations

import re
from typing import Any

from psycopg import errors as postgres
from psycopg import sql
from starlette.requests import Request
from starlette.responses import Response

from . import errors, rows
from .context import body_of, caller_of, storage_of, text_of
from .errors import StorageJSON
from .files import timestamp

VALID_NAME = re.compile(r"(?! )[\w!\-.*'() &$@=;:+,?]{1,100}(?<! )", re.ASCII)
UNITS = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


async def create_bucket(request: Request) -> Response:
    caller, body = caller_of(request), await body_of(request)
    name = text_of(body, "name")
    bucket = body.get("id") or name
    if not isinstance(bucket, str) or not VALID_NAME.fullmatch(bucket):
        raise errors.invalid_bucket_name()
    async with storage_of(request).database.transaction(caller) as connection:
        try:
            await connection.execute(
                """
                insert into storage.buckets (id, name, owner_id, public, file_size_limit, allowed_mime_types)
                values (%s, %s, %s, %s, %s, %s)
                """,
                [
                    bucket,
                    name,
                    caller.owner,
                    bool(body.get("public", False)),
                    _size_limit(body.get("file_size_limit")),
                    _mime_types(body.get("allowed_mime_types")),
                ],
            )
        except postgres.UniqueViolation as error:
            raise errors.bucket_already_exists() from error
    return StorageJSON({"name": bucket})


async def update_bucket(request: Request) -> Response:
    caller, body = caller_of(request), await body_of(request)
    changes: dict[str, Any] = {}
    if "public" in body:
        changes["public"] = bool(body["public"])
    if "file_size_limit" in body:
        changes["file_size_limit"] = _size_limit(body["file_size_limit"])
    if "allowed_mime_types" in body:
        changes["allowed_mime_types"] = _mime_types(body["allowed_mime_types"])
    bucket = request.path_params["bucket"]
    await storage_of(request).bucket(bucket, caller)
    if changes:
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in changes)
        query = sql.SQL("update storage.buckets set {} where id = %s").format(assignments)
        async with storage_of(request).database.transaction(caller) as connection:
            cursor = await connection.execute(query, [*changes.values(), bucket])
            if cursor.rowcount == 0:
                raise errors.no_such_bucket()
    return StorageJSON({"message": "Successfully updated"})


async def get_bucket(request: Request) -> Response:
    row = await storage_of(request).bucket(request.path_params["bucket"], caller_of(request))
    return StorageJSON(_as_json(row))


async def list_buckets(request: Request) -> Response:
    async with storage_of(request).database.transaction(caller_of(request)) as connection:
        cursor = await connection.execute("select * from storage.buckets order by name")
        found = await cursor.fetchall()
    return StorageJSON([{**_as_json(row), "type": row["type"]} for row in found])


async def empty_bucket(request: Request) -> Response:
    """The real API queues the work; here it is done before the answer that says so."""
    caller, storage = caller_of(request), storage_of(request)
    bucket = request.path_params["bucket"]
    await storage.bucket(bucket, caller)
    async with storage.database.transaction(caller) as connection:
        for row in await rows.delete(connection, bucket, None):
            storage.files.remove(row["version"])
    return StorageJSON({"message": "Empty bucket has been queued. Completion may take up to an hour."})


async def delete_bucket(request: Request) -> Response:
    caller, storage = caller_of(request), storage_of(request)
    bucket = request.path_params["bucket"]
    await storage.bucket(bucket, caller)
    async with storage.database.transaction(caller) as connection:
        await connection.execute("set local storage.allow_delete_query = 'true'")
        try:
            cursor = await connection.execute("delete from storage.buckets where id = %s", [bucket])
        except postgres.ForeignKeyViolation as error:
            raise errors.bucket_not_empty() from error
        if cursor.rowcount == 0:
            raise errors.no_such_bucket()
    return StorageJSON({"message": "Successfully deleted"})


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "owner": str(row["owner"] or ""),
        "public": row["public"],
        "file_size_limit": row["file_size_limit"],
        "allowed_mime_types": row["allowed_mime_types"],
        "created_at": timestamp(row["created_at"]),
        "updated_at": timestamp(row["updated_at"]),
    }


def _size_limit(value: object) -> int | None:
    """Bytes, or a text such as 20MB."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+)\s*(B|KB|MB|GB)?", str(value), re.IGNORECASE)
    if match is None:
        raise errors.invalid_request("Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B")
    return int(match[1]) * UNITS[(match[2] or "B").upper()]


def _mime_types(value: object) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise errors.invalid_request("body/allowed_mime_types must be array")
    return value
