"""One process of the bare loop that the tick is compared with: libvips on files, and nothing around it.

Started by race.py. All processes share a folder of claims: whoever makes the file of a picture's number has it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyvips

BOXES = (1024, 256)
PLACEHOLDER = 16


def pictures_of(path: str) -> list[bytes]:
    """The pictures that create_thumbnail makes of a photo, by the same calls."""
    image = pyvips.Image.thumbnail(
        path, BOXES[0], height=BOXES[0], size="down", output_profile="srgb", fail_on="truncated"
    ).copy_memory()
    made = [image.write_to_buffer(".webp", Q=80, effort=4, keep=0)]
    for box in BOXES[1:]:
        image = smaller(image, box)
        made.append(image.write_to_buffer(".webp", Q=80, effort=4, keep=0))
    made.append(smaller(image, PLACEHOLDER).write_to_buffer(".webp", Q=40, effort=4, keep=0))
    return made


def smaller(image: Any, box: int) -> Any:
    return image.thumbnail_image(box, height=box, size="down", no_rotate=True).copy_memory()


def is_ours(claims: Path, number: int) -> bool:
    try:
        os.close(os.open(claims / str(number), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def loop(files: list[str], claims: Path) -> int:
    done = 0
    for number, path in enumerate(files):
        if is_ours(claims, number):
            done += len(pictures_of(path)) > 0
    return done


def main() -> None:
    options = json.loads(sys.stdin.readline())
    pyvips.cache_set_max(0)
    files, claims, threads = options["files"], Path(options["claims"]), options["threads"]
    pictures_of(files[0])
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(lambda _: loop(files, claims), range(threads)))
    print(json.dumps({"jobs": done, "began": began, "ended": time.monotonic()}), flush=True)


if __name__ == "__main__":
    main()
