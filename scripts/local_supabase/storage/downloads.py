"""The routes that read objects: download, info, and the public and signed ways to the same bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from . import errors, rows
from .context import Storage, caller_of, storage_of
from .database import SERVICE, Caller
from .errors import StorageJSON
from .files import timestamp
from .rows import Row

CHUNK = 256 * 1024


async def download(request: Request) -> Response:
    return await send_object(request, caller_of(request))


async def download_public(request: Request) -> Response:
    await _must_be_public(request)
    return await send_object(request, SERVICE)


async def info(request: Request) -> Response:
    return await _send_info(request, caller_of(request))


async def info_public(request: Request) -> Response:
    await _must_be_public(request)
    return await _send_info(request, SERVICE)


async def _must_be_public(request: Request) -> None:
    bucket = await storage_of(request).bucket(request.path_params["bucket"])
    if not bucket["public"]:
        raise errors.no_such_bucket()


async def _find(request: Request, caller: Caller) -> Row:
    async with storage_of(request).database.transaction(caller) as connection:
        return await rows.get(connection, request.path_params["bucket"], request.path_params["key"])


async def _send_info(request: Request, caller: Caller) -> Response:
    row = await _find(request, caller)
    metadata = row["metadata"] or {}
    body = {
        "id": str(row["id"]),
        "name": row["name"],
        "version": row["version"],
        "bucket_id": row["bucket_id"],
        "size": metadata.get("size"),
        "content_type": metadata.get("mimetype"),
        "cache_control": metadata.get("cacheControl"),
        "etag": metadata.get("eTag"),
        "metadata": row["user_metadata"],
        "last_modified": timestamp(row["updated_at"]),
        "created_at": timestamp(row["created_at"]),
    }
    return StorageJSON(body, headers={**_validators(row), **_cache_control(metadata)})


async def send_object(request: Request, caller: Caller, *, expires: int | None = None) -> Response:
    """`expires` is given for a signed URL, whose answer may not be cached for longer than it is valid."""
    row, file = await _open(storage_of(request), request, caller)
    try:
        return _answer(request, row, file, expires)
    except BaseException:
        file.close()
        raise


async def _open(storage: Storage, request: Request, caller: Caller) -> tuple[Row, BinaryIO]:
    row = await _find(request, caller)
    try:
        return row, storage.files.open(row["version"])
    except errors.StorageError:
        # An overwrite may just have removed the version that the row named: the row names another by now.
        row = await _find(request, caller)
        return row, storage.files.open(row["version"])


def _answer(request: Request, row: Row, file: BinaryIO, expires: int | None) -> Response:
    metadata = row["metadata"] or {}
    size = file.seek(0, 2)
    headers = {"accept-ranges": "bytes", **_validators(row), **_disposition(request)}
    if expires is None:
        headers.update(_cache_control(metadata))
    else:
        headers["expires"] = format_datetime(datetime.fromtimestamp(expires, UTC), usegmt=True)
    if _is_unchanged(request, headers):
        file.close()
        return Response(None, 304, headers)

    headers["content-type"] = _harmless(metadata.get("mimetype"))
    chosen = _range(request, size)
    start, end = chosen or (0, size)
    headers["content-length"] = str(end - start)
    if chosen:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    status = 206 if chosen else 200
    if request.method == "HEAD":
        file.close()
        return Response(None, status, headers)
    return StreamingResponse(_read(file, start, end), status, headers)


async def _read(file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    with file:
        file.seek(start)
        left = end - start
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _validators(row: Row) -> dict[str, str]:
    metadata = row["metadata"] or {}
    headers: dict[str, str] = {}
    if etag := metadata.get("eTag"):
        headers["etag"] = etag
    try:
        modified = datetime.fromisoformat(metadata["lastModified"])
    except (KeyError, TypeError, ValueError):
        modified = row["updated_at"]
    headers["last-modified"] = format_datetime(modified.astimezone(UTC), usegmt=True)
    return headers


def _cache_control(metadata: dict[str, Any]) -> dict[str, str]:
    value = metadata.get("cacheControl")
    return {"cache-control": value} if value else {}


def _harmless(mimetype: str | None) -> str:
    """HTML is served as text, so that nobody hosts a page on the project's own domain."""
    if mimetype and "text/html" in mimetype:
        return "text/plain"
    return mimetype or "application/octet-stream"


def _disposition(request: Request) -> dict[str, str]:
    name = request.query_params.get("download")
    if name is None:
        return {}
    if not name:
        return {"content-disposition": "attachment;"}
    encoded = quote(name, safe="")
    return {"content-disposition": f"attachment; filename={encoded}; filename*=UTF-8''{encoded};"}


def _is_unchanged(request: Request, headers: dict[str, str]) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        return "*" in tags or headers.get("etag") in tags
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return parsedate_to_datetime(headers["last-modified"]) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


def _range(request: Request, size: int) -> tuple[int, int] | None:
    """First byte and the byte after the last; None for the whole, which also answers several ranges."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", "").replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if start >= end:
        raise errors.invalid_range()
    return start, end
