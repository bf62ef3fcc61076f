"""Runs a rival on a database of its own, and finds the setting at which it is fastest on this machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

from scripts.bench.race import REPOSITORY, race
from scripts.bench.rivals.settings import RivalSetting, rivals_python
from scripts.bench.stand import Stand
from scripts.local_supabase.errors import LocalSupabaseError


def command_of(stand: Stand, setting: RivalSetting) -> list[str | Path]:
    return [
        rivals_python(stand.options.rivals_home),
        "-W",
        "ignore",
        "-m",
        f"scripts.bench.rivals.{setting.rival}_runner",
    ]


def measure(stand: Stand, setting: RivalSetting, jobs: int) -> float:
    """No-op jobs per second, from a freshly filled, vacuumed queue until the last job is recorded as done."""
    options = setting.options(stand.make_database(setting.rival), jobs)
    command = command_of(stand, setting)
    prepare(command, json.dumps({**options, "action": "prepare"}))
    stand.settle(setting.rival)
    return race(command, json.dumps({**options, "action": "run"}), setting.processes, jobs)


def prepare(command: list[str | Path], options: str) -> None:
    finished = subprocess.run(
        command, cwd=REPOSITORY, input=options + "\n", capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise LocalSupabaseError(
            f"{command[-1]} could not fill the rival's queue:\n{finished.stderr.strip()}"
        )


def best_setting(stand: Stand, settings: Iterable[RivalSetting], jobs: int) -> RivalSetting:
    """Up to two heats each, of which the better one counts. The races that are reported come later."""
    figures: dict[RivalSetting, float] = {}
    for setting in settings:
        stand.progress.tell(f"looking for {setting.rival}'s best setting: {setting}")
        figures[setting] = max(measure(stand, setting, jobs) for _ in range(min(2, stand.sizes.repetitions)))
    return max(figures, key=figures.__getitem__)
