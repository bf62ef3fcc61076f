"""One Procrastinate process of the throughput benchmark, run by the rivals' own Python (rivals/settings.py)."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from procrastinate import App, PsycopgConnector

from scripts.bench.rivals.runner import main

ENQUEUED_AT_ONCE = 1000


def application(options: dict[str, Any]) -> Any:
    return App(
        connector=PsycopgConnector(conninfo=options["dsn"], min_size=1, max_size=options["concurrency"] + 1)
    )


async def prepare(options: dict[str, Any]) -> None:
    """Leaves exactly `jobs` queued jobs."""
    app = application(options)
    async with app.open_async():
        found = await app.connector.execute_query_one_async("select to_regclass('procrastinate_jobs') as t")
        if found["t"] is None:
            await app.schema_manager.apply_schema_async()
        await app.connector.execute_query_async(
            "truncate procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs cascade"
        )
        task = app.configure_task("no_op")
        for first in range(0, options["jobs"], ENQUEUED_AT_ONCE):
            count = min(ENQUEUED_AT_ONCE, options["jobs"] - first)
            await task.batch_defer_async(*({"n": number} for number in range(first, first + count)))


async def run(options: dict[str, Any]) -> dict[str, float]:
    app = application(options)
    completed = 0

    async def no_op(**_: int) -> None:
        nonlocal completed
        completed += 1

    app.task(name="no_op")(no_op)
    async with app.open_async():
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.monotonic()
        await app.run_worker_async(
            concurrency=options["concurrency"],
            wait=False,
            listen_notify=False,
            install_signal_handlers=False,
        )
        return {"jobs": completed, "began": began, "ended": time.monotonic()}


if __name__ == "__main__":
    # It warns of an App that is made in the program itself, which a worker of its own has to do.
    logging.disable(logging.WARNING)
    main(prepare, run)
