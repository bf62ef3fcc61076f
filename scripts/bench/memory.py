"""Thumbnails of a picture of 108 megapixels: the most memory that the sandboxed child has, against Pillow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from scripts.bench.pictures.peak import BOXES
from scripts.bench.pictures.photos import large
from scripts.bench.race import REPOSITORY
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row, at_most
from scripts.bench.stand import Stand
from scripts.local_supabase.errors import LocalSupabaseError

NAME = "memory"
BAR = 0.25
ENDINGS = ("webp", "png")
NEXT_STEP = "see what handlers/media/image.py keeps of the picture: it should be read in strips, once"


def memory(stand: Stand) -> list[Row]:
    """MiB resident at the peak, everything included; the least of the rounds, as memory is only ever taken for more."""
    rows: list[Row] = []
    for ending in ENDINGS:
        stand.progress.tell(f"making the {ending}")
        file = large(stand.options.out / "pictures", stand.sizes.large_width, ending)
        contestants: dict[str, Callable[[], float]] = {
            "sandbox": partial(peak, "sandbox", file),
            "pillow": partial(peak, "pillow", file),
        }
        figures = take_turns(contestants, min(stand.sizes.repetitions, 2), stand.progress)
        ours, theirs = min(figures["sandbox"]), min(figures["pillow"])
        megapixels = stand.sizes.large_width**2 * 3 / 4 / 1e6
        what = f"{megapixels:.3g} megapixels, {ending} of {file.stat().st_size / 1e6:.3g} MB"
        rows += [
            Row(NAME, f"sandboxed child, {what}", ours, "MiB"),
            Row(NAME, f"Pillow's thumbnail, {what}", theirs, "MiB"),
            Row(NAME, f"sandboxed child / Pillow, {ending}", ours / theirs, "x", at_most(BAR), NEXT_STEP),
        ]
    return rows


def peak(how: str, file: Path) -> float:
    command = [sys.executable, "-m", f"scripts.bench.pictures.peak_of_{how}", str(file.resolve())]
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise LocalSupabaseError(f"{how} could not read {file.name}:\n{finished.stderr.strip()}")
    answer: dict[str, Any] = json.loads(finished.stdout)
    require_thumbnails(how, answer["sizes"])
    return float(answer["peak_mb"])


def require_thumbnails(how: str, sizes: list[list[int]]) -> None:
    """Who makes smaller pictures needs less memory."""
    if [max(size) for size in sizes] != list(BOXES):
        raise LocalSupabaseError(f"{how} made pictures of {sizes}: this is no result.")
