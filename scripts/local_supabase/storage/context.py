"""What every route of the Storage stand-in works with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request

from . import errors
from .database import SERVICE, Caller, Database
from .files import FileStore
from .tokens import Tokens


@dataclass(frozen=True)
class Storage:
    database: Database
    files: FileStore
    tokens: Tokens

    async def bucket(self, bucket: str, caller: Caller = SERVICE) -> dict[str, Any]:
        async with self.database.transaction(caller) as connection:
            cursor = await connection.execute("select * from storage.buckets where id = %s", [bucket])
            row = await cursor.fetchone()
        if row is None:
            raise errors.no_such_bucket()
        return row


def storage_of(request: Request) -> Storage:
    return cast("Storage", request.app.state.storage)


def caller_of(request: Request) -> Caller:
    return storage_of(request).tokens.caller(request.headers.get("authorization"))


async def body_of(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise errors.invalid_request("Body is not valid JSON") from error
    if not isinstance(body, dict):
        raise errors.invalid_request("body must be object")
    return body


def text_of(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise errors.invalid_request(f"body must have required property '{name}'")
    return value


def number_of(body: dict[str, Any], name: str, default: int) -> int:
    """supabase-py sends some numbers as text."""
    try:
        value = int(body.get(name, default))
    except (TypeError, ValueError) as error:
        raise errors.invalid_request(f"body/{name} must be integer") from error
    if value < 0:
        raise errors.invalid_request(f"body/{name} must be >= 0")
    return value
