"""Thumbnails of photos: the whole path in one tick against a bare loop of libvips over the same files."""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.pictures.bare_loop import BOXES, pictures_of
from scripts.bench.pictures.photos import photos
from scripts.bench.pictures.processor_time import since
from scripts.bench.pictures.project import Project, running_project
from scripts.bench.race import race
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row, at_least, median_ratio
from scripts.bench.stand import Stand
from scripts.local_supabase.errors import LocalSupabaseError

NAME = "thumbnails"
BAR = 0.8
BARE_LOOP = ("-m", "scripts.bench.pictures.bare_loop")
NEXT_STEP = "run it alone on an idle machine; then see which part's processor time is more than its share"


@dataclass(frozen=True)
class BareSetting:
    """How the bare loop uses the cores; `libvips_threads` 0 leaves that to libvips."""

    processes: int
    threads: int
    libvips_threads: int

    def __str__(self) -> str:
        each = f", {self.libvips_threads} libvips thread each" if self.libvips_threads else ""
        return f"{self.processes} x {self.threads}{each}"


def bare_settings(cores: int) -> list[BareSetting]:
    """A process for each core, or a thread for each, and libvips' own threads or none."""
    return [
        BareSetting(processes, cores // processes, threads)
        for processes in dict.fromkeys((cores, 1))
        for threads in (1, 0)
    ]


@dataclass
class BareLoop:
    """The other side, at its best setting."""

    files: Sequence[Path]
    setting: BareSetting
    used: list[float] = field(default_factory=list)

    def run(self) -> float:
        before = processor_seconds_of_ended_children()
        figure = bare(self.files, self.setting)
        self.used.append(processor_seconds_of_ended_children() - before)
        return figure


def processor_seconds_of_ended_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Ticks:
    """The tick's side: pictures per second, and what the parts used of the processors meanwhile."""

    project: Project
    count: int
    used: list[dict[str, float]] = field(default_factory=list)

    def run(self) -> float:
        waiting = self.project.start_over()
        before = self.project.processor_seconds()
        seconds = self.project.tick()
        self.used.append(since(self.project.processor_seconds, before))
        stored = self.project.stored()
        if waiting != self.count or any(stored[box] != self.count for box in BOXES):
            raise LocalSupabaseError(
                f"of {self.count} photos {waiting} were due and have thumbnails {dict(stored)}: this is no result."
            )
        return self.count / seconds


def thumbnails(stand: Stand) -> list[Row]:
    """Both make the same pictures on the same cores, which the tick shares with Storage, PostgREST and Postgres."""
    stand.progress.tell("making photos")
    files = photos(stand.options.out / "pictures", stand.sizes.photos, stand.sizes.photo_width)
    with running_project(stand) as project:
        stand.progress.tell("uploading")
        project.upload(files)
        ticks = Ticks(project, len(files))
        stand.progress.tell("warming up")
        ticks.run()
        ticks.used.clear()
        require_the_same_pictures(project, files[0])
        loop = BareLoop(files, best_bare_setting(stand, files))
        contestants: dict[str, Callable[[], float]] = {"tick": ticks.run, "bare loop": loop.run}
        figures = take_turns(contestants, stand.sizes.repetitions, stand.progress)
    return rows_of(figures["tick"], figures["bare loop"], ticks, loop, stand.sizes.photo_width)


def rows_of(
    ticks: Sequence[float], loops: Sequence[float], measured: Ticks, loop: BareLoop, width: int
) -> list[Row]:
    kind = f"{measured.count} JPEGs of {width**2 * 3 / 4 / 1e6:.3g} megapixels"
    rows = [
        Row(NAME, f"one tick, {kind}", statistics.median(ticks), "photos/s"),
        Row(NAME, f"bare libvips loop ({loop.setting})", statistics.median(loops), "photos/s"),
        Row(NAME, "tick / bare loop", median_ratio(ticks, loops), "x", at_least(BAR), NEXT_STEP),
    ]
    spent = {"bare loop": statistics.median(loop.used)}
    for part in measured.used[0]:
        spent[part] = statistics.median(used[part] for used in measured.used)
    return rows + [
        Row(NAME, f"processor time, {part}", seconds * 1000 / measured.count, "ms/photo")
        for part, seconds in spent.items()
        if seconds
    ]


def best_bare_setting(stand: Stand, files: Sequence[Path]) -> BareSetting:
    """Two heats each over a third of the files, of which the better one counts. For one round that is too dear."""
    settings = bare_settings(len(os.sched_getaffinity(0)))
    if stand.sizes.repetitions == 1:
        return settings[0]
    some = files[: max(len(files) // 3, 2)]
    figures: dict[BareSetting, float] = {}
    for setting in settings:
        stand.progress.tell(f"looking for the bare loop's best setting: {setting}")
        figures[setting] = max(bare(some, setting) for _ in range(2))
    return max(figures, key=figures.__getitem__)


def bare(files: Sequence[Path], setting: BareSetting) -> float:
    """Photos per second."""
    limit = {"VIPS_CONCURRENCY": str(setting.libvips_threads)} if setting.libvips_threads else {}
    command = ["env", *(f"{name}={value}" for name, value in limit.items()), sys.executable, *BARE_LOOP]
    with tempfile.TemporaryDirectory() as claims:
        options = {
            "files": [str(file.resolve()) for file in files],
            "claims": claims,
            "threads": setting.threads,
        }
        return race(command, json.dumps(options), setting.processes, len(files))


def require_the_same_pictures(project: Project, file: Path) -> None:
    """Or the two sides would not do the same work."""
    expected = dict(zip(BOXES, map(len, pictures_of(str(file))), strict=False))
    stored = project.bytes_of_first()
    if any(abs(stored.get(box, 0) - size) > size / 20 for box, size in expected.items()):
        raise LocalSupabaseError(
            f"the tick stores {stored} bytes by size where the bare loop makes {expected}: "
            "bring scripts/bench/pictures/bare_loop.py up to handlers/media/pixels.py"
        )
