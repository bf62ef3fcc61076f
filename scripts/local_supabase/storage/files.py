"""The bytes behind the rows: what S3 is to the real Storage API.

A file is named by its version, a uuid that the stand-in made, never by a bucket or a key: no request can name
a path. A body still arriving lives in `incoming/`; a file in its final place is complete and never changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from . import errors

PART_SIZE = 16 * 1024 * 1024


@dataclass(frozen=True)
class StoredFile:
    version: str
    size: int
    etag: str
    last_modified: str


class FileStore:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / "incoming"

    def prepare(self) -> None:
        """What a killed process left half received is thrown away."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)

    async def receive(self, chunks: AsyncIterator[bytes], size_limit: int | None) -> StoredFile:
        """Writes chunk by chunk, so that memory does not grow with the file."""
        version = str(uuid4())
        incoming = self._incoming / version
        checksum = _Checksum()
        try:
            with incoming.open("xb") as file:
                async for chunk in chunks:
                    checksum.update(chunk)
                    if size_limit is not None and checksum.size > size_limit:
                        raise errors.entity_too_large()
                    file.write(chunk)
            path = self._path(version)
            path.parent.mkdir(parents=True, exist_ok=True)
            incoming.rename(path)
        except BaseException:
            incoming.unlink(missing_ok=True)
            raise
        return StoredFile(version, checksum.size, checksum.etag(), timestamp(datetime.now(UTC)))

    def copy(self, version: str | None, new_version: str) -> str:
        """Makes the same bytes known under another version; returns when."""
        path = self._path(new_version)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self._path(version), path)
        except FileNotFoundError as error:
            raise errors.no_such_key() from error
        return timestamp(datetime.now(UTC))

    def open(self, version: str | None) -> BinaryIO:
        try:
            return self._path(version).open("rb")
        except FileNotFoundError as error:
            raise errors.no_such_key() from error

    def remove(self, version: str | None) -> None:
        try:
            self._path(version).unlink(missing_ok=True)
        except errors.StorageError:
            return  # a row that plain SQL inserted has no bytes

    def _path(self, version: str | None) -> Path:
        try:
            name = str(UUID(version))
        except (TypeError, ValueError) as error:
            raise errors.no_such_key() from error
        return self._directory / name[:2] / name


class _Checksum:
    """S3's eTag: the md5 of the bytes, or above one part the md5 of the parts' md5s and their number."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []
        self._part = hashlib.md5(usedforsecurity=False)
        self._room = PART_SIZE

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        view = memoryview(chunk)
        while len(view) > self._room:
            self._part.update(view[: self._room])
            view = view[self._room :]
            self._parts.append(self._part.digest())
            self._part = hashlib.md5(usedforsecurity=False)
            self._room = PART_SIZE
        self._part.update(view)
        self._room -= len(view)

    def etag(self) -> str:
        if not self._parts:
            return f'"{self._part.hexdigest()}"'
        digests = [*self._parts, self._part.digest()]
        whole = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
        return f'"{whole}-{len(digests)}"'


def timestamp(moment: datetime) -> str:
    """Times as JavaScript writes them: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
