"""One PgQueuer process of the throughput benchmark, run by the rivals' own Python (rivals/settings.py).

Counted is what PgQueuer does as it ships: claim with its log rows, dispatch of an async no-op, completion with its
log rows. The clock stops when the last batch of completions is in the database, not when the process ends.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import asyncpg
import psycopg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, PsycopgDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

from scripts.bench.rivals.runner import main

ENQUEUED_AT_ONCE = 5000


async def connect(options: dict[str, Any]) -> Any:
    if options["driver"] == "asyncpg":
        return AsyncpgDriver(await asyncpg.connect(options["dsn"]))
    return PsycopgDriver(await psycopg.AsyncConnection.connect(options["dsn"], autocommit=True))


async def prepare(options: dict[str, Any]) -> None:
    """Leaves exactly `jobs` queued jobs and an empty log."""
    queries = Queries(await connect(options))
    if not await queries.schema_is_installed():
        await queries.install()
    await queries.clear_queue()
    await queries.clear_queue_log()
    for first in range(0, options["jobs"], ENQUEUED_AT_ONCE):
        count = min(ENQUEUED_AT_ONCE, options["jobs"] - first)
        payloads: list[bytes | None] = [b'{"n": %d}' % number for number in range(first, first + count)]
        await queries.enqueue(["no_op"] * count, payloads, [0] * count)


async def run(options: dict[str, Any]) -> dict[str, float]:
    queries = Queries(await connect(options))
    completed = 0
    ended = 0.0
    ship_log = queries.log_jobs

    async def timed_log(finished: list[Any]) -> None:
        nonlocal completed, ended
        await ship_log(finished)
        completed += len(finished)
        ended = time.monotonic()

    queries.log_jobs = timed_log
    application = PgQueuer(queries.driver, queries=queries)

    async def no_op(_job: Any) -> None:
        return

    application.entrypoint("no_op", accepts_context=False)(no_op)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    await application.run(batch_size=options["batch"], mode=QueueExecutionMode.drain)
    return {"jobs": completed, "began": began, "ended": ended}


if __name__ == "__main__":
    main(prepare, run)
