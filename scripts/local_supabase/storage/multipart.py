"""The body of an upload, read only as far as needed: first what describes the file, then its bytes.

supabase-py sends a form whose file comes last (fields first: `cacheControl`, `metadata`); others send the
bytes as the whole body and describe them in headers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from . import errors

FIELDS_SIZE = 1024 * 1024
NO_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class IncomingFile:
    mimetype: str
    cache_control: str
    user_metadata: dict[str, Any] | None
    chunks: AsyncIterator[bytes]


async def receive(request: Request) -> IncomingFile:
    content_type = request.headers.get("content-type")
    kind, parameters = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        return await _receive_form(request, parameters.get(b"boundary", b""))
    return IncomingFile(
        mimetype=content_type or NO_TYPE,
        cache_control=request.headers.get("cache-control", "no-cache"),
        user_metadata=user_metadata_header(request),
        chunks=request.stream(),
    )


async def _receive_form(request: Request, boundary: bytes) -> IncomingFile:
    if not boundary:
        raise errors.invalid_request("Multipart: Boundary not found")
    form = _Form(request.stream(), boundary)
    mimetype = await form.find_file()
    seconds = form.fields.get("cacheControl")
    return IncomingFile(
        mimetype=form.fields.get("contentType") or mimetype or NO_TYPE,
        cache_control=f"max-age={seconds}" if seconds else "no-cache",
        user_metadata=_parse_user_metadata(form.fields.get("metadata")),
        chunks=form.chunks(),
    )


def user_metadata_header(request: Request) -> dict[str, Any] | None:
    """`x-metadata`, where there is no form: base64 of a JSON object."""
    value = request.headers.get("x-metadata")
    if value is None:
        return None
    try:
        return _parse_user_metadata(base64.b64decode(value).decode())
    except ValueError as error:
        raise errors.invalid_request("Invalid metadata") from error


def _parse_user_metadata(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise errors.invalid_request("Invalid metadata") from error
    if not isinstance(metadata, dict):
        raise errors.invalid_request("Invalid metadata")
    return metadata


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    content: bytearray = field(default_factory=bytearray)


class _Form:
    """Feeds the parser no further than to the file's first bytes, then hands the file on as it arrives."""

    def __init__(self, stream: AsyncIterator[bytes], boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self._stream = stream
        self._part = _Part()
        self._header = (bytearray(), bytearray())
        self._fields_size = 0
        self._file: _Part | None = None
        self._file_ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
            },
        )

    async def find_file(self) -> str:
        """Reads the fields before the file and answers the file's type."""
        while self._file is None:
            if not await self._read():
                raise errors.invalid_request("No file provided")
        return self._file.headers.get(b"content-type", b"").decode("latin-1")

    async def chunks(self) -> AsyncIterator[bytes]:
        file = self._file
        assert file is not None
        while True:
            if file.content:
                chunk, file.content = bytes(file.content), bytearray()
                yield chunk
            if not await self._read():
                break
        if not self._file_ended:
            raise errors.invalid_request("Unexpected end of form")

    async def _read(self) -> bool:
        async for data in self._stream:
            try:
                self._parser.write(data)
            except FormParserError as error:
                raise errors.invalid_request("Malformed form") from error
            return True
        return False

    def _on_part_begin(self) -> None:
        self._part = _Part()

    def _on_header_end(self) -> None:
        name, value = self._header
        self._part.headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        self._part.name = options.get(b"name", b"").decode(errors="replace")
        if b"filename" in options and self._file is None:
            self._file = self._part

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is not self._file:
            if self._file is not None:
                return  # what follows the file is read and forgotten
            self._fields_size += end - start
            if self._fields_size > FIELDS_SIZE:
                raise errors.entity_too_large()
        self._part.content += data[start:end]

    def _on_part_end(self) -> None:
        if self._part is self._file:
            self._file_ended = True
        elif self._file is None:
            self.fields[self._part.name] = self._part.content.decode(errors="replace")
