"""Rebuilds paragraphs from the text layer of PDF pages, in the sandboxed child.

A text layer has lines, no paragraphs: without help a heading runs into the sentence below it. What tells
blocks apart is the size of their letters and the distance between their baselines.
"""

from __future__ import annotations

import ctypes
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pypdfium2.raw as pdfium

BROKEN_WORD = re.compile(r"[\ufffe\u00ad\x02]\n?")  # how PDFium marks a word that goes on in the next line
SIZE_CHANGE = 0.08
GAP_FACTOR = 1.25  # a distance above this times the usual one separates paragraphs
LEAST_RUNNING_PAGES = 3
LONGEST_RUNNING_BLOCK = 120  # characters: a longer one is a paragraph, however alike those of the pages are
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Line:
    text: str
    size: float
    baseline: float  # how far up on the page as it is shown


def blocks(text_page: Any, rotation: int = 0) -> list[str]:
    """Headings and paragraphs of a page, in reading order; the lines of each still one below the other.

    `rotation` is by how many degrees the page is turned clockwise to be shown.
    """
    lines = _lines(text_page, rotation)
    usual = _usual_gap(lines)
    found: list[list[str]] = []
    for index, line in enumerate(lines):
        if index == 0 or _separate(lines[index - 1], line, usual):
            found.append([])
        found[-1].append(line.text)
    return [BROKEN_WORD.sub("", "\n".join(block)) for block in found]


def drop_running_lines(pages: Sequence[list[str]]) -> list[list[str]]:
    """Removes headers and footers: short first or last blocks that repeat on most pages, numbers aside.

    The pages of a form letter are all alike, so a page is never left without any text.
    """
    needed = max(LEAST_RUNNING_PAGES, len(pages) // 2)
    edges = Counter(key for page in pages for key in {_key(block) for block in (*page[:1], *page[-1:])})
    running = {key for key, count in edges.items() if count >= needed and len(key) <= LONGEST_RUNNING_BLOCK}
    kept = []
    for page in pages:
        first = 1 if page and _key(page[0]) in running else 0
        last = len(page) - (1 if len(page) > first and _key(page[-1]) in running else 0)
        kept.append(page[first:last] or page)
    return kept


def _key(block: str) -> str:
    return DIGITS.sub("#", block)


def _lines(text_page: Any, rotation: int) -> list[Line]:
    text = str(text_page.get_text_range())
    lines = []
    position = 0
    for part in re.split(r"(\r?\n)", text):
        shown = part.replace("\x00", "").strip()
        if shown:
            start = position + len(part) - len(part.lstrip())
            character = pdfium.FPDFText_GetCharIndexFromTextIndex(text_page, start)
            size = float(pdfium.FPDFText_GetFontSize(text_page, character))
            x, y = ctypes.c_double(), ctypes.c_double()
            pdfium.FPDFText_GetCharOrigin(text_page, character, x, y)
            lines.append(Line(shown, size, _upwards(x.value, y.value, rotation)))
        position += len(part)
    return lines


def _upwards(x: float, y: float, rotation: int) -> float:
    return {90: -x, 180: -y, 270: x}.get(rotation, y)


def _usual_gap(lines: list[Line]) -> float:
    gaps = [
        above.baseline - below.baseline
        for above, below in pairwise(lines)
        if above.baseline > below.baseline and not _other_size(above, below)
    ]
    return statistics.median_low(gaps) if gaps else 0.0


def _separate(above: Line, below: Line, usual: float) -> bool:
    gap = above.baseline - below.baseline
    return _other_size(above, below) or gap < 0 or gap > usual * GAP_FACTOR


def _other_size(above: Line, below: Line) -> bool:
    return abs(above.size - below.size) > SIZE_CHANGE * max(above.size, below.size)
