"""Recognises text in pictures and scanned pages with rapidocr, in the sandboxed child; needs 2 GB of memory.

The models come with the extra `ocr`; without it the answer is `{"available": False}`, which is a result
and not a failure. `handlers.media.tesseract` is faster on clean scans and knows no photos.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handlers.media import image, pdf
from handlers.media.limits import Limits
from handlers.media.recognised import Lines, recognise
from handlers.media.refused import Refused

MAX_SIDE = 2000  # larger pictures are scaled down to this before recognition
DPI = 110
SIDEWAYS_RATIO = 1.5  # a line's box taller than wide by this: the picture lies on its side


def read(
    source: Path,
    folder: Path,  # noqa: ARG001
    max_side: int = MAX_SIDE,
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The lines of a picture from top to bottom, with their boxes in pixels of the picture as read."""
    if not _installed():
        return {"available": False}
    return {"available": True, **_recognise(_engine(), image.load(source, max_side, limits))}


def read_pages(
    source: Path,
    folder: Path,  # noqa: ARG001
    pages: Sequence[int],
    dpi: int = DPI,
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The lines of the given pages of a PDF; loading the models once for all of them."""
    if not _installed():
        return {"available": False}
    engine = _engine()
    with pdf.opened(source, Limits.of(limits)) as document:
        found = [(number, _recognise(engine, pdf.render_at(document, number, dpi))) for number in pages]
    return {"available": True, "pages": [{"page": number, **facts} for number, facts in found]}


def _installed() -> bool:
    return all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime"))


def _engine() -> Any:
    rapidocr = importlib.import_module("rapidocr")
    return rapidocr.RapidOCR(
        params={
            "Global.use_cls": False,  # the direction classifier turns upright lines into rubbish
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": len(os.sched_getaffinity(0)),
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.limit_type": "max",
            "Det.limit_side_len": 960,
        }
    )


def _recognise(engine: Any, picture: Any) -> dict[str, Any]:
    return recognise(
        picture, lambda upright: _lines(engine, upright), doubt=_lies_on_its_side, turns=("d90", "d270")
    )


def _lines(engine: Any, picture: Any) -> Lines:
    result = _read(engine, picture)
    if result.txts is None:
        return []
    lines = []
    for text, box, score in zip(result.txts, result.boxes, result.scores, strict=True):
        xs, ys = [float(point[0]) for point in box], [float(point[1]) for point in box]
        left, top = round(min(xs)), round(min(ys))
        size = {"width": round(max(xs)) - left, "height": round(max(ys)) - top}
        lines.append({"text": text, "x": left, "y": top, **size, "score": round(float(score), 3)})
    return lines


def _read(engine: Any, picture: Any) -> Any:
    """Runs the models. They fail on a picture as it is, and would again, so it is no reason for a retry."""
    pixels = _opencv(picture)
    try:
        return engine(pixels, use_cls=False)
    except MemoryError:
        raise
    except Exception as error:
        raise Refused("the text in the picture could not be recognised") from error


def _opencv(picture: Any) -> Any:
    """Three bands in the order of OpenCV (blue first), transparent parts on white."""
    picture = picture.flatten(background=255) if picture.hasalpha() else picture
    picture = picture.colourspace("srgb")
    return picture[2].bandjoin([picture[1], picture[0]]).numpy()


def _lies_on_its_side(lines: Lines) -> bool:
    if not lines:
        return False
    shape: float = statistics.median(line["height"] / max(line["width"], 1) for line in lines)
    return shape > SIDEWAYS_RATIO
