"""How much a job writes: bytes of write-ahead log for enqueue, claim and resolve."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg

from scripts.bench.queue_client import JOB_TYPE, DirectClient
from scripts.bench.rows import Row
from scripts.bench.stand import Stand

NAME = "wal"
BATCH = 100
WARM_UP = 10
BATCHES = 30


def wal(stand: Stand) -> list[Row]:
    """Medians over batches, after a warm-up: the first write to a page after a checkpoint logs all of it."""
    stand.empty()
    client = DirectClient(stand.dsn())
    written: dict[str, list[float]] = {"enqueue": [], "claim": [], "resolve": []}
    with stand.connect() as observer:
        for number in range(WARM_UP + min(BATCHES, stand.sizes.claims)):
            stand.progress.tell(f"batch {number + 1}")
            jobs: list[Any] = []
            steps: dict[str, Callable[[], object]] = {
                "enqueue": partial(enqueue, stand, number),
                "claim": partial(claim_into, jobs, client),
                "resolve": partial(client.resolve, jobs),
            }
            sizes = {name: written_by(observer, step) for name, step in steps.items()}
            if number >= WARM_UP:
                for name, size in sizes.items():
                    written[name].append(size / BATCH)
    client.connection.close()
    rows = [Row(NAME, step, statistics.median(sizes), "bytes/job") for step, sizes in written.items()]
    return [*rows, Row(NAME, "all three", sum(row.value for row in rows), "bytes/job")]


def enqueue(stand: Stand, number: int) -> None:
    query = """
    select public.enqueue_jobs(jsonb_agg(jsonb_build_object(
      'org_id', 'org-0', 'type', %s::text, 'payload', jsonb_build_object('n', %s * %s + n))))
    from generate_series(1, %s) n
    """
    with stand.connect() as connection:
        connection.execute(query, (JOB_TYPE, number, BATCH, BATCH))


def claim_into(jobs: list[Any], client: DirectClient) -> None:
    jobs.extend(client.claim(BATCH))


def written_by(observer: psycopg.Connection[Any], step: Callable[[], object]) -> float:
    before = position(observer)
    step()
    return position(observer) - before


def position(observer: psycopg.Connection[Any]) -> float:
    row = observer.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
    assert row is not None
    return float(row[0])
