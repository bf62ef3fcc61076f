"""The Storage stand-in's way to Postgres: transactions in the name of a caller.

Every statement runs as the role of the caller's token, so row-level security decides. A `probe` does so only
to ask: it is always rolled back. A `transaction` commits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from starlette.types import Scope

from . import errors

Connection = psycopg.AsyncConnection[dict[str, Any]]

CONNECTIONS = 6
SECONDS_TO_WAIT_FOR_A_CONNECTION = 10


@dataclass(frozen=True)
class Caller:
    role: str
    claims: Mapping[str, Any]

    @property
    def owner(self) -> str | None:
        subject = self.claims.get("sub")
        return subject if isinstance(subject, str) and subject else None


SERVICE = Caller("service_role", {"role": "service_role"})
# The request that a transaction serves.
request_scope: ContextVar[Scope | None] = ContextVar("request_scope", default=None)


@dataclass
class Database:
    """A few connections, opened when first needed and handed from request to request."""

    dsn: str
    _idle: list[Connection] = field(default_factory=list)
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))

    def transaction(self, caller: Caller) -> AbstractAsyncContextManager[Connection]:
        return self._transaction(caller, force_rollback=False)

    def probe(self, caller: Caller) -> AbstractAsyncContextManager[Connection]:
        return self._transaction(caller, force_rollback=True)

    @asynccontextmanager
    async def _transaction(self, caller: Caller, force_rollback: bool) -> AsyncIterator[Connection]:
        try:
            async with (
                self._connection() as connection,
                connection.transaction(force_rollback=force_rollback),
            ):
                await _act_as(connection, caller)
                yield connection
        except psycopg.Error as error:
            raise errors.from_database(error) from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(SECONDS_TO_WAIT_FOR_A_CONNECTION):
                await self._free.acquire()
        except TimeoutError as error:
            raise errors.no_connection_free() from error
        try:
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                yield connection
            finally:
                await self._give_back(connection)
        finally:
            self._free.release()

    async def _connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(
            self.dsn, autocommit=True, row_factory=dict_row, application_name="storage stand-in"
        )

    async def _give_back(self, connection: Connection) -> None:
        if connection.closed:
            # The server went away under this connection, so it did under the idle ones too.
            await self.close()
        elif connection.info.transaction_status == TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            await connection.close()

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()


async def _act_as(connection: Connection, caller: Caller) -> None:
    await connection.execute(
        """
        select
            set_config('role', %(role)s, true),
            set_config('request.jwt.claims', %(claims)s, true),
            set_config('request.jwt.claim.role', %(role)s, true),
            set_config('request.jwt.claim.sub', %(owner)s, true),
            set_config('request.headers', %(headers)s, true),
            set_config('request.method', %(method)s, true),
            set_config('request.path', %(path)s, true),
            set_config('statement_timeout', '30s', true)
        """,
        {"role": caller.role, "claims": json.dumps(dict(caller.claims)), "owner": caller.owner or ""}
        | _request(request_scope.get()),
    )


def _request(scope: Scope | None) -> dict[str, str]:
    """What triggers may ask about the HTTP request, as the real Storage API tells them."""
    if scope is None:
        return {"headers": "{}", "method": "", "path": ""}
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return {"headers": json.dumps(headers), "method": scope["method"], "path": path}


async def wait_for_the_key(connection: Connection, bucket: str, name: str) -> None:
    """Writers of one key pass one at a time; who waits longer than five seconds is told that it is locked."""
    await connection.execute("set local lock_timeout = '5s'")
    await connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{bucket}/{name}"])
