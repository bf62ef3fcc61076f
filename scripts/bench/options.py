"""How much to measure, from the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.bench.rivals.settings import RIVALS_HOME
from scripts.local_supabase.leg import Leg


@dataclass(frozen=True)
class Sizes:
    """Jobs and repetitions; seconds for `snapshot_seconds`, pixels for widths."""

    repetitions: int
    jobs: int
    slow_jobs: int
    depths: tuple[int, ...]
    claims: int
    fair_jobs: int
    idle_calls: int
    snapshot_seconds: float
    photos: int
    photo_width: int
    large_width: int
    imports: int


FULL = Sizes(
    repetitions=5,
    jobs=20_000,
    slow_jobs=2_000,
    depths=(1_000, 10_000, 100_000, 1_000_000),
    claims=40,
    fair_jobs=300_000,
    idle_calls=200,
    snapshot_seconds=600,
    photos=100,
    photo_width=4_000,
    large_width=12_000,
    imports=25,
)
QUICK = Sizes(
    repetitions=1,
    jobs=1_500,
    slow_jobs=300,
    depths=(1_000, 5_000),
    claims=8,
    fair_jobs=5_000,
    idle_calls=20,
    snapshot_seconds=30,
    photos=4,
    photo_width=1_600,
    large_width=2_000,
    imports=2,
)


@dataclass(frozen=True)
class Options:
    """The command line."""

    names: tuple[str, ...]
    leg: Leg
    out: Path
    sizes: Sizes
    rivals: bool
    json: bool
    rivals_home: Path = RIVALS_HOME
