"""Stored objects for handlers: what can go wrong with Storage, said as an outcome of the job.

the object is gone, or too large        Reject
its path could lead somewhere else      Reject
Storage cannot read its path            Reject
Storage is down, busy or misconfigured  Retry
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import httpx

from functions.supabase_client import SupabaseClient, leads_elsewhere
from handlers.contract import Reject, Retry

_MEGABYTE = 1024 * 1024  # as the limits per kind count
_CHUNK_BYTES = 256 * 1024
_BAD_PATH = "not a valid url component"  # it decodes a path twice, so a lone % in a name is beyond it
_REMOVED_AT_ONCE = 1000  # more than that Storage refuses, as it does none


class ObjectStore:
    """Reads and writes objects with the secret key; threads may share one."""

    def __init__(self, client: SupabaseClient, *, max_bytes: int) -> None:
        self._client = client
        self._max_bytes = max_bytes

    def download(self, bucket: str, path: str) -> bytes:
        with self._chunks(bucket, path, self._max_bytes) as chunks:
            return b"".join(chunks)

    def download_to(self, target: Path, bucket: str, path: str, *, max_bytes: int | None = None) -> None:
        limit = self._limit(max_bytes)
        with target.open("wb") as file, self._chunks(bucket, path, limit) as chunks:
            for chunk in chunks:
                file.write(chunk)

    def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> None:
        _check_place(bucket, path)
        with _reaching_storage():
            response = self._client.upload(bucket, path, data, content_type)
        if not response.is_success:
            _refused(*_status(response), f"storing {bucket}/{path}")

    def remove(self, bucket: str, paths: Sequence[str]) -> None:
        """Removes objects, those that are there; some of them may be gone when it fails."""
        for path in paths:
            _check_place(bucket, path)
        for start in range(0, len(paths), _REMOVED_AT_ONCE):
            some = paths[start : start + _REMOVED_AT_ONCE]
            with _reaching_storage():
                response = self._client.remove(bucket, some)
            if not response.is_success:
                _refused(*_status(response), f"removing {len(some)} objects from {bucket}")

    def check_size(self, size: int, max_bytes: int | None) -> None:
        """Raises `Reject` for a file that was read before and has more bytes than somebody wants of it."""
        _check_size(size, self._limit(max_bytes))

    def _limit(self, max_bytes: int | None) -> int:
        return self._max_bytes if max_bytes is None else min(max_bytes, self._max_bytes)

    @contextmanager
    def _chunks(self, bucket: str, path: str, limit: int) -> Iterator[Iterator[bytes]]:
        _check_place(bucket, path)
        with _reaching_storage(), self._client.stream(bucket, path) as response:
            if not response.is_success:
                _gone_or_refused(response, f"reading {bucket}/{path}")
            _check_size(int(response.headers.get("content-length", 0)), limit)
            yield _bounded(response.iter_bytes(_CHUNK_BYTES), limit)


@contextmanager
def _reaching_storage() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise Retry(f"Storage cannot be reached ({type(error).__name__})") from error


def _check_place(bucket: str, path: str) -> None:
    """The secret key opens every organisation's folder, and a `..` on the way to Storage leads into another."""
    if leads_elsewhere(bucket, path):
        raise Reject("the file's path has a part that is empty, . or ..; rename the file and upload it again")


def _bounded(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Counts what really arrives: the length in the header is a promise, or missing."""
    received = 0
    for chunk in chunks:
        received += len(chunk)
        _check_size(received, limit)
        yield chunk


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise Reject(f"the file is larger than the limit of {limit / _MEGABYTE:g} MB")


def _gone_or_refused(response: httpx.Response, doing: str) -> NoReturn:
    status, message = _status(response)
    if status == 404:
        raise Reject("the file is gone: it was deleted or moved before it could be read")
    if status == 400 and _BAD_PATH in message:
        raise Reject("Storage cannot read a file of this name; rename the file and upload it again")
    _refused(status, message, doing)


def _status(response: httpx.Response) -> tuple[int, str]:
    """Storage answers most errors as 400; the status that counts stands in the body."""
    try:
        body = json.loads(response.read())
        return int(body["statusCode"]), str(body["message"])
    except (ValueError, TypeError, KeyError):
        return response.status_code, response.reason_phrase  # a proxy's answer, not Storage's


def _refused(status: int, message: str, doing: str) -> NoReturn:
    if status == 413:
        raise Reject(f"{doing}: it is larger than the bucket allows")
    raise Retry(f"{doing}: Storage answered {status}: {message}")
