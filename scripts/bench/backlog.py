"""What a claim of a hundred jobs takes while the backlog grows: it should not notice."""

from __future__ import annotations

import time
import uuid
from typing import Any

import psycopg

from scripts.bench.rows import Row, at_most, percentile
from scripts.bench.stand import ORGANISATIONS, Stand

NAME = "backlog"
BATCH = 100
BAR = 2.0
VACUUM_EVERY = 10
# The name of the curve, how many organisations there are, and how many tenths of the jobs the first one owns.
MIXES = (("one organisation", 1, 10), (f"{ORGANISATIONS:,} organisations, one owns 90 %", ORGANISATIONS, 9))
NEXT_STEP = "some statement inside claim_jobs reads more than it takes: look at its plans at this depth (auto_explain)"
CLAIM = "select jsonb_array_length(public.claim_jobs(worker_id => %s, batch_size => %s)::jsonb)"


class TakenBackError(Exception):
    """Ends the transaction of a measured claim, so that the depth stays."""


def backlog(stand: Stand) -> list[Row]:
    """Milliseconds of claim_jobs(100), the median and what nine of ten stay below."""
    rows: list[Row] = []
    for name, organisations, of_ten in MIXES:
        stand.empty()
        medians: dict[int, float] = {}
        already = 0
        for depth in stand.sizes.depths:
            stand.progress.tell(f"{name}: {depth:,} queued")
            stand.fill(depth, organisations=organisations, of_ten=of_ten, already=already)
            already = depth
            took = claim_times(stand)
            medians[depth] = percentile(took, 0.5)
            rows += [
                Row(
                    NAME, f"{name}, {depth:,} queued", medians[depth], "ms", series=f"{name}, median", x=depth
                ),
                Row(
                    NAME,
                    f"{name}, {depth:,} queued, 9 of 10 within",
                    percentile(took, 0.9),
                    "ms",
                    series=f"{name}, 9 of 10",
                    x=depth,
                ),
            ]
        shallow, deep = min(medians), max(medians)
        ratio = medians[deep] / medians[shallow]
        rows.append(Row(NAME, f"{name}: {deep:,} / {shallow:,}", ratio, "x", at_most(BAR), NEXT_STEP))
    return rows


def claim_times(stand: Stand) -> list[float]:
    """Of claims that are rolled back; the first two only warm up the connection's caches."""
    with stand.connect() as connection:
        took = []
        for number in range(stand.sizes.claims + 2):
            if number % VACUUM_EVERY == 0:
                # What is rolled back leaves dead rows, which a queue whose claims commit would have moved on.
                connection.execute("vacuum public.jobs")
            took.append(time_of_claim(connection))
    return took[2:]


def time_of_claim(connection: psycopg.Connection[Any]) -> float:
    try:
        with connection.transaction():
            began = time.perf_counter()
            row = connection.execute(CLAIM, (uuid.uuid4(), BATCH)).fetchone()
            took = (time.perf_counter() - began) * 1000
            assert row == (BATCH,), f"a claim got {row} of {BATCH} jobs"
            raise TakenBackError
    except TakenBackError:
        return took
