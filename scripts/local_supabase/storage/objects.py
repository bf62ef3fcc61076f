"""The routes that write objects: upload, move, copy, delete.

Each but delete asks first and acts later. The question is a probe, a write in the caller's name that is
always rolled back; the deed is a write in the service role's name, with the bytes already in place. A trigger
on `storage.objects` fires in both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from psycopg import errors as postgres
from starlette.requests import Request
from starlette.responses import Response

from . import errors, rows
from .context import Storage, body_of, caller_of, storage_of, text_of
from .database import SERVICE, Caller, wait_for_the_key
from .errors import StorageJSON
from .multipart import receive, user_metadata_header
from .rows import ObjectWrite, Row

PROBED_VERSION = "1"


async def upload(request: Request) -> Response:
    """POST creates, and overwrites with `x-upsert: true`; PUT always overwrites or creates."""
    caller = caller_of(request)
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    upsert = request.method == "PUT" or asks_for_upsert(request)
    row = await store_upload(request, bucket, key, caller, caller.owner, upsert=upsert)
    return StorageJSON({"Key": f"{bucket}/{key}", "Id": str(row["id"])})


def asks_for_upsert(request: Request) -> bool:
    return request.headers.get("x-upsert") == "true"


async def store_upload(
    request: Request, bucket: str, key: str, caller: Caller, owner: str | None, *, upsert: bool
) -> Row:
    storage = storage_of(request)
    limits = await storage.bucket(bucket)
    file = await receive(request)
    if not _is_allowed(file.mimetype, limits["allowed_mime_types"]):
        raise errors.invalid_mime_type(file.mimetype)
    rows.check_key(key)
    announced = {"mimetype": file.mimetype, **announced_length(request)}
    write = ObjectWrite(bucket, key, PROBED_VERSION, announced, file.user_metadata, owner)
    await probe_write(storage, caller, write, upsert=upsert)

    stored = await storage.files.receive(file.chunks, limits["file_size_limit"])
    metadata = {
        "eTag": stored.etag,
        "size": stored.size,
        "mimetype": file.mimetype,
        "cacheControl": file.cache_control,
        "lastModified": stored.last_modified,
        "contentLength": stored.size,
        "httpStatusCode": 200,
    }
    user_metadata = file.user_metadata or {}
    write = replace(write, version=stored.version, metadata=metadata, user_metadata=user_metadata)
    return await _write(storage, write)


def announced_length(request: Request) -> dict[str, int]:
    """The length of the whole request: before the body is read, nothing better is known."""
    length = request.headers.get("content-length", "")
    return {"contentLength": int(length)} if length.isdigit() else {}


async def probe_write(storage: Storage, caller: Caller, write: ObjectWrite, *, upsert: bool) -> None:
    async with storage.database.probe(caller) as connection:
        if upsert:
            await rows.upsert(connection, write)
            return
        try:
            await rows.insert(connection, write)
        except postgres.UniqueViolation as error:
            raise errors.key_already_exists() from error


async def _write(storage: Storage, write: ObjectWrite) -> Row:
    """Always an upsert, so two that race for one key both succeed. If it fails, the bytes go again."""
    try:
        async with storage.database.transaction(SERVICE) as connection:
            await wait_for_the_key(connection, write.bucket, write.name)
            replaced = await rows.find(connection, write.bucket, write.name, lock=True)
            row = await rows.upsert(connection, write)
    except BaseException:
        storage.files.remove(write.version)
        raise
    if replaced is not None:
        storage.files.remove(replaced["version"])
    return row


async def move(request: Request) -> Response:
    storage, caller, body = storage_of(request), caller_of(request), await body_of(request)
    bucket, source, to_bucket, target = _ends(body)
    rows.check_key(target)
    version = str(uuid4())
    async with storage.database.probe(caller) as connection:
        row = await rows.get(connection, bucket, source)
        metadata, user_metadata = row["metadata"] or {}, row["user_metadata"]
        write = ObjectWrite(to_bucket, target, version, metadata, user_metadata, caller.owner)
        try:
            await rows.move(connection, bucket, source, write)
        except postgres.UniqueViolation as error:
            raise errors.key_already_exists() from error
    if (bucket, source) == (to_bucket, target):
        return StorageJSON({"message": "Successfully moved"})

    copied_at = storage.files.copy(row["version"], version)
    try:
        async with storage.database.transaction(SERVICE) as connection:
            await wait_for_the_key(connection, to_bucket, target)
            moved = replace(write, metadata={**write.metadata, "lastModified": copied_at})
            await rows.move(connection, bucket, source, moved)
    except BaseException:
        storage.files.remove(version)
        raise
    storage.files.remove(row["version"])
    return StorageJSON({"message": "Successfully moved"})


async def copy(request: Request) -> Response:
    storage, caller, body = storage_of(request), caller_of(request), await body_of(request)
    bucket, source, to_bucket, target = _ends(body)
    rows.check_key(target)
    async with storage.database.transaction(caller) as connection:
        row = await rows.get(connection, bucket, source)
    metadata, user_metadata = row["metadata"] or {}, row["user_metadata"]
    if body.get("copyMetadata", True) is False:
        metadata = {**metadata, **_given_metadata(body)}
        user_metadata = user_metadata_header(request)
    write = ObjectWrite(to_bucket, target, PROBED_VERSION, metadata, user_metadata, caller.owner)
    await probe_write(storage, caller, write, upsert=asks_for_upsert(request))

    version = str(uuid4())
    copied_at = storage.files.copy(row["version"], version)
    metadata = {**metadata, "lastModified": copied_at}
    write = replace(write, version=version, metadata=metadata, user_metadata=user_metadata or {})
    row = await _write(storage, write)
    return StorageJSON({"Key": f"{to_bucket}/{target}", "Id": str(row["id"]), **rows.as_json(row)})


async def delete_one(request: Request) -> Response:
    bucket, key = request.path_params["bucket"], request.path_params["key"]
    if not await _delete(storage_of(request), caller_of(request), bucket, [key]):
        raise errors.no_such_key()
    return StorageJSON({"message": "Successfully deleted"})


async def delete_many(request: Request) -> Response:
    """Names that do not exist are left out of the answer, not refused."""
    body = await body_of(request)
    names = body.get("prefixes")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise errors.invalid_request("body/prefixes must be array")
    deleted = await _delete(storage_of(request), caller_of(request), request.path_params["bucket"], names)
    return StorageJSON([rows.as_json(row) for row in deleted])


async def _delete(storage: Storage, caller: Caller, bucket: str, names: list[str]) -> list[Row]:
    async with storage.database.transaction(caller) as connection:
        deleted = await rows.delete(connection, bucket, names)
        for row in deleted:
            storage.files.remove(row["version"])
    return deleted


def _ends(body: dict[str, Any]) -> tuple[str, str, str, str]:
    bucket = text_of(body, "bucketId")
    to_bucket = body.get("destinationBucket") or bucket
    return bucket, text_of(body, "sourceKey"), str(to_bucket), text_of(body, "destinationKey")


def _given_metadata(body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("metadata")
    if not isinstance(given, dict):
        return {}
    return {name: given[name] for name in ("cacheControl", "mimetype") if name in given}


def _is_allowed(mimetype: str, allowed: list[str] | None) -> bool:
    if not allowed:
        return True
    kind = mimetype.split(";")[0].strip()
    family = kind.split("/")[0] + "/*"
    return kind in allowed or family in allowed or "*/*" in allowed
