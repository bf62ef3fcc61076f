"""How the queue bears a transaction that somebody left open: nothing that dies meanwhile can be vacuumed."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass

from scripts.bench.queue_client import JOB_TYPE, RestClient
from scripts.bench.rows import Row
from scripts.bench.stand import Stand

NAME = "snapshot"
BATCH = 500
JOBS_A_SECOND = 1000
WINDOWS = 60
SHORTEST_WINDOW = 2.0
WITHOUT, HELD = "without", "with a snapshot held"

ENQUEUE = """
insert into public.jobs (org_id, type, payload, max_attempts, idempotency_key)
select 'org-' || n %% 100, %s, jsonb_build_object('n', n), 5, gen_random_uuid()::text
from generate_series(1, %s::bigint) n
"""
PRUNE = "delete from public.jobs where status = 'done' and completed_at < now() - interval '5 seconds'"


@dataclass(frozen=True)
class Window:
    """Seconds since the phase began, and jobs per second of the time that claim and resolve took."""

    at: float
    jobs_per_second: float


def snapshot(stand: Stand) -> list[Row]:
    """A steady 1,000 jobs a second, done jobs pruned, through PostgREST: how fast claim and resolve are, over time."""
    seconds = stand.sizes.snapshot_seconds
    without = phase(stand, seconds / 3, held=False)
    rows = curve(WITHOUT, without) + state_at_the_end(stand, WITHOUT)
    held = phase(stand, seconds, held=True)
    rows += curve(HELD, held) + state_at_the_end(stand, HELD)
    before = statistics.median(window.jobs_per_second for window in without)
    last = statistics.median(window.jobs_per_second for window in held[-max(1, len(held) // 5) :])
    return [
        Row(NAME, WITHOUT, before, "jobs/s"),
        Row(NAME, f"{HELD}, the last fifth of {seconds:g} s", last, "jobs/s"),
        Row(NAME, "held / without", last / before, "x"),
        *rows,
    ]


def phase(stand: Stand, seconds: float, *, held: bool) -> list[Window]:
    stand.empty()
    stand.settle()
    client = RestClient(stand.rest_url, stand.keys.service_role_key)
    windows: list[Window] = []
    length = max(SHORTEST_WINDOW, seconds / WINDOWS)
    with ExitStack() as stack:
        connection = stack.enter_context(stand.connect())
        if held:
            holder = stack.enter_context(stand.connect())
            holder.execute("begin isolation level repeatable read")
            holder.execute("select 1 from public.jobs limit 1")
        began = time.monotonic()
        while (at := time.monotonic() - began) < seconds:
            stand.progress.tell(f"{HELD if held else WITHOUT}: {at:.0f} of {seconds:.0f} s")
            busy, jobs = 0.0, 0
            while time.monotonic() - began < at + length:
                connection.execute(ENQUEUE, (JOB_TYPE, JOBS_A_SECOND))
                second = time.monotonic()
                jobs += drain(client)
                busy += time.monotonic() - second
                connection.execute(PRUNE)
                time.sleep(max(0.0, second + 1 - time.monotonic()))
            windows.append(Window(at, jobs / busy))
    client.connection.close()
    return windows


def drain(client: RestClient) -> int:
    done = 0
    while jobs := client.claim(BATCH):
        done += client.resolve(jobs)
    return done


def curve(name: str, windows: list[Window]) -> list[Row]:
    return [
        Row(NAME, name, window.jobs_per_second, "jobs/s", series=name, x=round(window.at, 1), in_table=False)
        for window in windows
    ]


def state_at_the_end(stand: Stand, name: str) -> list[Row]:
    query = """
    select pg_stat_get_dead_tuples('public.jobs'::regclass), pg_total_relation_size('public.jobs') / 1e6
    """
    with stand.connect() as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return [
        Row(NAME, f"dead rows at the end, {name}", float(row[0]), "rows"),
        Row(NAME, f"size of jobs at the end, {name}", float(row[1]), "MB"),
    ]
