"""A landscape that never was, as a camera would store it: on its side, with an EXIF orientation."""

from __future__ import annotations

import numpy as np
import pyvips
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 1600, 1200
HORIZON = 0.62
SUN = (0.585, 0.375)


def photo() -> bytes:
    """A lake at dawn, stored turned by 90 degrees; orientation 6 says how to turn it back."""
    picture = _landscape(np.random.default_rng(7))
    data = (np.clip(picture, 0, 1) ** (1 / 1.1) * 255).round().astype(np.uint8)
    image = pyvips.Image.new_from_memory(data.tobytes(), WIDTH, HEIGHT, 3, "uchar")
    stored = image.copy(interpretation="srgb").gaussblur(0.7).rot("d270").copy()
    stored.set_type(pyvips.GValue.gint_type, "orientation", 6)
    text = pyvips.GValue.gstr_type
    stored.set_type(text, "exif-ifd0-Make", "crontick (crontick, ASCII, 9 components, 9 bytes)")
    stored.set_type(text, "exif-ifd2-DateTimeOriginal", "2026:05:17 05:41:00")
    return bytes(stored.write_to_buffer(".jpg", Q=82, optimize_coding=True, interlace=False))


def _landscape(random: np.random.Generator) -> Floats:
    sky = _sky(random)
    mountains = (
        (0.50, 0.13, 3, (0.62, 0.60, 0.74)),
        (0.55, 0.11, 5, (0.42, 0.44, 0.60)),
        (0.59, 0.07, 9, (0.25, 0.30, 0.42)),
    )
    picture = sky
    rows = np.arange(HEIGHT)[:, None] / HEIGHT
    for base, height, detail, colour in mountains:
        ridge = base - height * _ridge(random, detail)
        depth = np.clip((rows - ridge[None, :]) / 0.16, 0, 1)[..., None]
        shade = np.array(colour) * (1 - 0.25 * depth) + np.array((0.98, 0.78, 0.66)) * 0.22 * depth
        mask = _edge(rows - ridge[None, :])
        picture = picture * (1 - mask) + shade * mask
    picture = _trees(picture, random)
    return _lake(picture, random)


def _sky(random: np.random.Generator) -> Floats:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    y, x = rows / HEIGHT, columns / WIDTH
    stops = (0.0, 0.25, 0.45, HORIZON)
    top_down = ((0.20, 0.33, 0.58), (0.47, 0.55, 0.74), (0.95, 0.73, 0.62), (1.0, 0.86, 0.66))
    sky = np.stack([np.interp(y, stops, [stop[band] for stop in top_down]) for band in range(3)], -1)
    distance = np.hypot((x - SUN[0]) * WIDTH / HEIGHT, y - SUN[1])
    glow = np.exp(-((distance / 0.22) ** 2))[..., None]
    disc = _edge(0.038 - distance)
    sky = sky + glow * np.array((0.30, 0.20, 0.05))
    clouds = sum(_noise(random, 5 * 2**octave, 3 * 2**octave) / 2**octave for octave in range(5))
    veil = np.clip((clouds - 1.02) * 1.7, 0, 1)[..., None] * np.clip(1.3 - y / 0.5, 0, 1)[..., None]
    sky = sky * (1 - 0.6 * veil) + np.array((1.0, 0.84, 0.80)) * 0.6 * veil
    sky = sky * (1 - disc) + np.array((1.0, 0.97, 0.86)) * disc
    return np.asarray(sky, dtype=np.float64)


def _trees(picture: Floats, random: np.random.Generator) -> Floats:
    """Firs on both shores: triangles with ragged sides."""
    rows = np.arange(HEIGHT)[:, None]
    columns = np.arange(WIDTH)[None, :]
    places = np.concatenate([random.uniform(-20, 470, 46), random.uniform(1240, 1620, 34)])
    for place in places:
        inland = min(abs(place), abs(WIDTH - place)) / 470
        tall = random.uniform(0.55, 1.0) * (250 - 165 * min(inland, 1))
        foot = HORIZON * HEIGHT + 3
        depth = (rows - (foot - tall)) / tall
        ragged = 0.82 + 0.18 * np.abs(np.sin(depth * random.uniform(22, 30)))
        half = np.clip(depth, 0, 1) * tall * 0.19 * ragged
        left, right = max(int(place - tall), 0), min(int(place + tall), WIDTH)
        if left >= right:
            continue
        inside = _edge((half - np.abs(columns[:, left:right] - place)) / 400)
        inside = inside * ((depth > 0) & (depth < 1))[..., None]
        green = np.array((0.07, 0.12, 0.14)) * random.uniform(0.8, 1.5)
        picture[:, left:right] = picture[:, left:right] * (1 - inside) + green * inside
    return picture


def _lake(picture: Floats, random: np.random.Generator) -> Floats:
    """The lower part mirrors the upper one, squeezed, darker and rippled."""
    shore = int(HORIZON * HEIGHT)
    rows = np.arange(HEIGHT - shore)
    ripples = _noise(random, 26, 90)[: HEIGHT - shore] - 0.5
    sway = (ripples * (4 + rows[:, None] * 0.09)).astype(int)
    source = np.clip(shore - 1 - (rows * 1.45).astype(int)[:, None] + sway, 0, shore - 1)
    columns = np.clip(np.arange(WIDTH)[None, :] + sway // 2, 0, WIDTH - 1)
    mirrored = picture[source, columns]
    depth = (rows / (HEIGHT - shore))[:, None, None]
    water = mirrored * (0.86 - 0.25 * depth) + np.array((0.10, 0.20, 0.30)) * (0.10 + 0.22 * depth)
    picture[shore:] = water + 0.05 * ripples[..., None]
    return picture


def _ridge(random: np.random.Generator, detail: int) -> Floats:
    """A mountain's outline between 0 and 1, by displaced midpoints."""
    points = random.uniform(0.2, 1.0, detail + 1)
    step = 0.26
    while len(points) < WIDTH:
        middles = (points[:-1] + points[1:]) / 2 + random.uniform(-step, step, len(points) - 1)
        points = np.insert(points, np.arange(1, len(points)), middles)
        step *= 0.52
    return np.interp(np.linspace(0, 1, WIDTH), np.linspace(0, 1, len(points)), points)


def _noise(random: np.random.Generator, across: int, down: int) -> Floats:
    """Smooth noise between 0 and 1: random points, interpolated."""
    grid = random.uniform(0, 1, (down + 2, across + 2))
    y, x = np.linspace(0, down, HEIGHT), np.linspace(0, across, WIDTH)
    top, left = y.astype(int), x.astype(int)
    v, u = _smooth(y - top)[:, None], _smooth(x - left)[None, :]
    upper = grid[top][:, left] * (1 - u) + grid[top][:, left + 1] * u
    lower = grid[top + 1][:, left] * (1 - u) + grid[top + 1][:, left + 1] * u
    return np.asarray(upper * (1 - v) + lower * v, dtype=np.float64)


def _smooth(value: Floats) -> Floats:
    return value * value * (3 - 2 * value)


def _edge(distance: Floats) -> Floats:
    """1 inside, 0 outside, with a soft edge of about two pixels."""
    return np.clip(distance * 600 + 0.5, 0, 1)[..., None]
