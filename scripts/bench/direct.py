"""What PostgREST costs: the same functions through it and over a direct connection, one client each."""

from __future__ import annotations

import statistics
from functools import partial

from scripts.bench.race import OUR_CLIENT, race
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row, at_least, median_ratio
from scripts.bench.stand import Stand

NAME = "direct"
BAR = 0.8
KINDS = {
    "rest": "through PostgREST",
    "direct": "over a direct connection",
    "bare": "bare statements, no audit row",
}
NEXT_STEP = "look at the size of the answers: what PostgREST adds is one round trip and the JSON"


def direct(stand: Stand) -> list[Row]:
    """Jobs per second of one client; the bare statements, which are no queue, say what the tables allow at most."""
    rows: list[Row] = []
    for batch in (100, 500):
        contestants = {kind: partial(one_client, stand, kind, batch) for kind in KINDS}
        figures = take_turns(contestants, stand.sizes.repetitions, stand.progress)
        rows += [
            Row(NAME, f"{KINDS[kind]}, batch {batch}", statistics.median(of), "jobs/s")
            for kind, of in figures.items()
        ]
        share = median_ratio(figures["rest"], figures["direct"])
        rows.append(Row(NAME, f"PostgREST / direct, batch {batch}", share, "x", at_least(BAR), NEXT_STEP))
    return rows


def one_client(stand: Stand, kind: str, batch: int) -> float:
    stand.empty()
    stand.fill(stand.sizes.jobs)
    return race(OUR_CLIENT, stand.client_options(kind, batch), 1, stand.sizes.jobs)
