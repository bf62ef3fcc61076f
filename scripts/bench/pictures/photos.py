"""Makes the pictures that are measured: like photos in what they cost, made once and kept below `--out`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyvips

DIFFERENT = 5
GRAIN = 20.0  # makes 12 megapixels as JPEG about 3 MB, as a telephone's are
START_OF_IMAGE = b"\xff\xd8"
COMMENT = b"\xff\xfe"


def photos(folder: Path, count: int, width: int) -> list[Path]:
    """JPEGs of 4:3, a few pictures in turn. A comment makes every file another: equal ones are not decoded twice."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies: list[bytes] = []
    for number in range(min(DIFFERENT, count)):
        path = folder / f"photo-{width}-{number}.jpg"
        if not path.exists():
            whole(path, photo(width, number).jpegsave_buffer(Q=88))
        bodies.append(path.read_bytes())
    files = [folder / f"{width}-{number:03}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        if not file.exists():
            whole(file, with_comment(bodies[number % len(bodies)], f"{number}".encode()))
    return files


def large(folder: Path, width: int, ending: str) -> Path:
    """One picture of 4:3 as PNG or WebP; 12,000 wide are 108 megapixels."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"large-{width}.{ending}"
    if not path.exists():
        options = {"Q": 75, "effort": 1} if ending == "webp" else {"compression": 1}
        whole(path, photo(width, 0).write_to_buffer(f".{ending}", **options))
    return path


def photo(width: int, number: int) -> Any:
    """Light that falls off from a corner, clouds, shapes, and the grain of a sensor."""
    height = width * 3 // 4
    light = pyvips.Image.xyz(width, height).extract_band(1) * (110 / height) + 70
    clouds = noise(width, height, max(width // 8, 8), number) * 60
    shapes = noise(width, height, max(width // 80, 4), number + 100) * 25
    grain = pyvips.Image.gaussnoise(width, height, mean=0, sigma=GRAIN, seed=number).gaussblur(0.7)
    bands: Sequence[Any] = [
        light + clouds + shapes + grain,
        light * 0.95 + clouds * 0.7 + shapes + grain * 0.9,
        light * 0.5 + clouds * 0.3 + shapes * 0.5 + grain + 75,
    ]
    return bands[0].bandjoin(list(bands[1:])).cast("uchar").copy(interpretation="srgb")


def noise(width: int, height: int, cell: int, seed: int) -> Any:
    return pyvips.Image.perlin(width, height, cell_size=cell, seed=seed)


def with_comment(jpeg: bytes, text: bytes) -> bytes:
    """The same picture as another file."""
    assert jpeg.startswith(START_OF_IMAGE)
    return START_OF_IMAGE + COMMENT + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def whole(path: Path, data: bytes) -> None:
    """Writes a file that is complete or not there."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.rename(path)
