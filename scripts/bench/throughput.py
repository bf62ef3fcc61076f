"""No-op jobs per second: claim, fenced resolve and audit row through the real PostgREST, against the rivals."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial

from scripts.bench.race import OUR_CLIENT, race
from scripts.bench.rivals.heats import best_setting, measure
from scripts.bench.rivals.settings import pgqueuer_settings, procrastinate_settings
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row, at_least, median_ratio
from scripts.bench.stand import Stand

NAME = "throughput"
CLIENTS = 2
PGQUEUER_BARS = {100: 1.5, 500: 2.0}
PROCRASTINATE_BAR = 50.0
MANY_ORGANISATIONS = 100
NEXT_STEP = "run it alone on an idle machine; then look at the plans inside claim_jobs and resolve_jobs (auto_explain)"


def throughput(stand: Stand) -> list[Row]:
    """Two client processes of ours, batches of 100 and 500; a rival runs at its best setting for that batch."""
    rows: list[Row] = []
    for batch in PGQUEUER_BARS:
        contestants: dict[str, Callable[[], float]] = {"crontick": partial(ours, stand, batch)}
        if stand.options.rivals:
            setting = best_setting(stand, pgqueuer_settings(batch), stand.sizes.jobs // 2)
            contestants[f"PgQueuer ({setting})"] = partial(measure, stand, setting, stand.sizes.jobs)
        rows += compared(stand, batch, contestants)
    if stand.options.rivals:
        rows += against_procrastinate(stand)
    stand.progress.tell(f"{MANY_ORGANISATIONS} organisations")
    many = [ours(stand, 500, MANY_ORGANISATIONS) for _ in range(stand.sizes.repetitions)]
    rows.append(
        Row(
            NAME,
            f"crontick, batch 500, {MANY_ORGANISATIONS} organisations",
            statistics.median(many),
            "jobs/s",
        )
    )
    return rows


def compared(stand: Stand, batch: int, contestants: dict[str, Callable[[], float]]) -> list[Row]:
    figures = take_turns(contestants, stand.sizes.repetitions, stand.progress)
    rows = [
        Row(NAME, name if batch_is_said(name) else f"{name}, batch {batch}", statistics.median(of), "jobs/s")
        for name, of in figures.items()
    ]
    for name in list(figures)[1:]:
        ratio = median_ratio(figures["crontick"], figures[name])
        rows.append(
            Row(
                NAME,
                f"crontick / PgQueuer, batch {batch}",
                ratio,
                "x",
                at_least(PGQUEUER_BARS[batch]),
                NEXT_STEP,
            )
        )
    return rows


def batch_is_said(name: str) -> bool:
    return "batch" in name or "concurrency" in name


def against_procrastinate(stand: Stand) -> list[Row]:
    setting = best_setting(stand, procrastinate_settings(), stand.sizes.slow_jobs)
    contestants = {
        "crontick": partial(ours, stand, 500),
        "rival": partial(measure, stand, setting, stand.sizes.slow_jobs),
    }
    figures = take_turns(contestants, stand.sizes.repetitions, stand.progress)
    ratio = median_ratio(figures["crontick"], figures["rival"])
    return [
        Row(NAME, f"Procrastinate ({setting})", statistics.median(figures["rival"]), "jobs/s"),
        Row(NAME, "crontick / Procrastinate, batch 500", ratio, "x", at_least(PROCRASTINATE_BAR), NEXT_STEP),
    ]


def ours(stand: Stand, batch: int, organisations: int = 1) -> float:
    stand.empty()
    stand.fill(stand.sizes.jobs, organisations=organisations, of_ten=0 if organisations > 1 else 10)
    return race(OUR_CLIENT, stand.client_options("rest", batch), CLIENTS, stand.sizes.jobs)
