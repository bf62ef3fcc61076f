"""Recognises text with the program tesseract, in the sandboxed child: fast on clean scans, in little memory.

The child's environment is empty, so the worker says where the program is. On photos it reads rubbish
(a third of the letters of a tilted one), which its scores tell: see `handlers.ai.reading.recognition`.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handlers.media import image, pdf
from handlers.media.limits import Limits
from handlers.media.recognised import Lines, recognise, score
from handlers.media.refused import Refused

MAX_SIDE = 2400
DPI = 150  # at 110 its scores fall, at 200 it is slower and no better
MILLIMETRES_PER_INCH = 25.4
# Besides English, the languages that the cards have rules for. Each that is added costs a third of the time.
LANGUAGES = ("deu", "fra", "spa")
UPSIDE_DOWN = 0.6  # the mean score of letters that stand on their heads is about 0.4, of upright ones 0.9
ENVIRONMENT = {"OMP_THREAD_LIMIT": "1"}  # its threads wait for each other: two cores take longer than one


def read(
    source: Path,
    folder: Path,  # noqa: ARG001
    program: str,
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The lines of a picture from top to bottom, each with the size of its box in pixels."""
    languages = _languages(program)
    return {"available": True, **_recognise(program, languages, image.load(source, MAX_SIDE, limits))}


def read_pages(
    source: Path,
    folder: Path,  # noqa: ARG001
    pages: Sequence[int],
    program: str,
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The lines of the given pages of a PDF."""
    languages = _languages(program)
    found = []
    with pdf.opened(source, Limits.of(limits)) as document:
        for number in pages:
            picture = pdf.render_at(document, number, DPI)
            found.append({"page": number, **_recognise(program, languages, picture)})
    return {"available": True, "pages": found}


def _languages(program: str) -> str:
    installed = _run(program, "--list-langs").split()
    return "+".join(["eng", *(name for name in LANGUAGES if name in installed)])


def _recognise(program: str, languages: str, picture: Any) -> dict[str, Any]:
    """Lines of a sideways page are found by tesseract itself; it may read them from the wrong end, though."""
    return recognise(
        picture,
        lambda upright: _lines(_run(program, *_arguments(languages), picture=_png(upright))),
        doubt=lambda lines: 0 < score(lines) < UPSIDE_DOWN,
        turns=("d180",),
    )


def _arguments(languages: str) -> tuple[str, ...]:
    return ("stdin", "stdout", "-l", languages, "--dpi", str(DPI), "tsv")


def _png(picture: Any) -> bytes:
    picture = picture.flatten(background=255) if picture.hasalpha() else picture
    data: bytes = picture.colourspace("b-w").write_to_buffer(".png", compression=1, keep=0)
    return data


def _run(program: str, *arguments: str, picture: bytes | None = None) -> str:
    done = subprocess.run(
        [program, *arguments], input=picture, capture_output=True, env=ENVIRONMENT, check=False
    )
    if done.returncode:
        raise Refused("the text in the picture could not be recognised")
    return done.stdout.decode("utf-8", "replace")


def _lines(table: str) -> Lines:
    """The words of tesseract's table put together to lines: a row each, the fifth level being words."""
    lines: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row["level"] == "5" and row["text"] and row["text"].strip():
            place = (row["block_num"], row["par_num"], row["line_num"])
            lines.setdefault(place, []).append(row)
    return [_line(words) for words in lines.values()]


def _line(words: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    boxes = [[int(word[name]) for name in ("left", "top", "width", "height")] for word in words]
    width = max(left + wide for left, _, wide, _ in boxes) - min(left for left, *_ in boxes)
    height = max(top + high for _, top, _, high in boxes) - min(top for _, top, *_ in boxes)
    sideways = len(words) > 1 and height > width
    return {
        "text": " ".join(word["text"].strip() for word in words),
        "width": height if sideways else width,
        "height": width if sideways else height,
        "score": round(sum(float(word["conf"]) for word in words) / len(words) / 100, 3),
    }
