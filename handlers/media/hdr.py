"""Turns a picture of a video in high dynamic range into an ordinary one, so that its poster is not grey or black.

The brightness of PQ and HLG (ITU-R BT.2100, tables 4 and 5) is unrolled to light, compressed so that paper
white stays and highlights come near it, and the wide colours of BT.2020 are mapped to sRGB.
"""

from __future__ import annotations

import math
from array import array
from typing import Any

import pyvips

PQ, HLG = 16, 18  # transfer characteristics, ITU-T H.273
TRANSFERS = (PQ, HLG)
PAPER_WHITE = 203.0  # nits, ITU-R BT.2408
PEAK = 1000.0 / PAPER_WHITE  # what is brighter than most displays turns white
FROM_BT2020 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
LEVELS = 65_536


def tone_mapped(data: bytes, width: int, height: int, transfer: int) -> Any:
    """An sRGB picture from rows of three 16-bit numbers per pixel, in the transfer's own scale."""
    picture = pyvips.Image.new_from_memory(data, width, height, 3, "ushort")
    curve = _from_pq if transfer == PQ else _from_hlg
    table = array("f", (_compressed(curve(level / (LEVELS - 1))) for level in range(LEVELS)))
    light = picture.maplut(pyvips.Image.new_from_memory(table.tobytes(), LEVELS, 1, 1, "float"))
    matrix = pyvips.Image.new_from_array([list(row) for row in FROM_BT2020])
    return light.recomb(matrix).copy(interpretation="scrgb").colourspace("srgb")


def _compressed(light: float) -> float:
    """Reinhard's curve: at most 1, which `PEAK` reaches."""
    return min(1.0, light * (1 + light / PEAK**2) / (1 + light))


def _from_pq(value: float) -> float:
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = math.pow(value, 1 / m2)
    return 10_000 / PAPER_WHITE * math.pow(max(root - c1, 0.0) / (c2 - c3 * root), 1 / m1)


def _from_hlg(value: float) -> float:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = value * value / 3 if value <= 0.5 else (math.exp((value - c) / a) + b) / 12
    return PEAK * math.pow(scene, 1.2)  # the system gamma of a display of 1,000 nits
