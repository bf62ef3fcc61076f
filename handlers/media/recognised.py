"""What text recognition answers, whichever program recognises, and how it gets a picture upright first."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

LEAST_SCORE = 0.5  # a line of less is a pattern, not writing
LEAST_SIDE = 8  # a picture that flat holds no line of text, and OpenCV fails on it
MOST_OBLONG = 30  # longer side by shorter one
# What a reading without doubt is preferred by. rapidocr reads the lines of one kind of sideways page as well
# as those of the upright one, within 0.01, but from the last to the first.
UPRIGHT = 0.1

Lines = list[dict[str, Any]]  # {"text", "width", "height" (pixels), "score" (0 to 1)}, from top to bottom


def recognise(
    picture: Any, read: Callable[[Any], Lines], *, doubt: Callable[[Lines], bool], turns: Sequence[str]
) -> dict[str, Any]:
    """Reads a picture as it stands, and turned where the lines give reason to doubt that it stands upright.

    Answers the lines that are writing, their text, the mean score of all, and the size of what was read.
    """
    if not _may_hold_text(picture):
        return {"lines": [], "text": "", "score": 0.0, "width": picture.width, "height": picture.height}
    best, best_picture = read(picture), picture
    if doubt(best):
        for turn in turns:
            turned = picture.rot(turn)
            lines = read(turned)
            if score(lines) + UPRIGHT * (not doubt(lines)) > score(best) + UPRIGHT * (not doubt(best)):
                best, best_picture = lines, turned
    kept = [line for line in best if line["score"] >= LEAST_SCORE and any(map(str.isalnum, line["text"]))]
    return {
        "lines": kept,
        "text": "\n".join(line["text"] for line in kept),
        "score": round(score(best), 3),
        "width": best_picture.width,
        "height": best_picture.height,
    }


def score(lines: Lines) -> float:
    """How sure the program is of what it read, from 0 to 1."""
    return statistics.fmean(line["score"] for line in lines) if lines else 0.0


def _may_hold_text(picture: Any) -> bool:
    short, long = sorted((int(picture.width), int(picture.height)))
    return short >= LEAST_SIDE and long <= MOST_OBLONG * short
