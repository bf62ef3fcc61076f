"""Has text recognised: which program reads what, for how long, and what is said when none does.

Photos and slides go to rapidocr, clean scans to tesseract, which needs half the time and a tenth of the
memory; where only one of the two is there, it reads everything. A page of which tesseract is not sure is
read by rapidocr as well: it may be the photo of one, or in a language of which tesseract has no data.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.contract import Context, Reject
from handlers.settings import HandlerSettings

SURE = 0.85  # tesseract's mean score of a clean page in a language that it knows is above 0.9

OCR_UNAVAILABLE = "ocr: unavailable"
OCR_FAILED = "ocr: failed"
OCR_NO_TIME = "ocr: no time left"
NOT_RECOGNISED = (OCR_UNAVAILABLE, OCR_FAILED, OCR_NO_TIME)
WORTH_ANOTHER_TRY = (OCR_FAILED, OCR_NO_TIME)  # what is not there will not be there the next time


class NotRecognised(Exception):  # noqa: N818 - a note in the result, not a failure
    """Nothing was read; its text is the note that says why."""


@dataclass(frozen=True)
class Recogniser:
    """A program that recognises text, as the sandbox runs it."""

    name: str
    read: str
    read_pages: str
    memory_mb: int | None
    options: Mapping[str, Any]


def recognisers(settings: HandlerSettings) -> list[Recogniser]:
    """The programs that are there; the first is the best for photos, the last for scans."""
    if not settings.max_ocr_pages:
        return []
    found = []
    if has_rapidocr():
        decoders = ("handlers.media.ocr:read", "handlers.media.ocr:read_pages")
        found.append(Recogniser("rapidocr", *decoders, settings.ocr_memory_mb, {}))
    if program := find_tesseract():
        decoders = ("handlers.media.tesseract:read", "handlers.media.tesseract:read_pages")
        found.append(Recogniser("tesseract", *decoders, None, {"program": program}))
    return found


def has_rapidocr() -> bool:
    return all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime"))


def find_tesseract() -> str | None:
    return shutil.which("tesseract")


def depends_on(settings: HandlerSettings) -> str:
    """What a file's text depends on besides its bytes: with other programs or limits it is read anew."""
    names = "+".join(one.name for one in recognisers(settings)) or "none"
    limits = (settings.max_ocr_pages, settings.max_pdf_text_pages, settings.max_text_characters)
    return " ".join((names, *map(str, limits)))


def recognise_picture(source: Path, ctx: Context) -> Sequence[Mapping[str, Any]]:
    """The lines of a picture; raises `NotRecognised`."""
    programs = recognisers(ctx.settings)
    if not programs:
        raise NotRecognised(OCR_UNAVAILABLE)
    lines: Sequence[Mapping[str, Any]] = _run(programs[0], programs[0].read, source, ctx, 1, {})["lines"]
    return lines


def recognise_pages(
    pages: Sequence[int], source: Path, ctx: Context
) -> Mapping[int, Sequence[Mapping[str, Any]]]:
    """The lines of some pages of a PDF, by the page's number; raises `NotRecognised`."""
    programs = recognisers(ctx.settings)
    if not programs:
        raise NotRecognised(OCR_UNAVAILABLE)
    found = _run_pages(programs[-1], pages, source, ctx)
    doubtful = [page for page in pages if found[page]["score"] < SURE]
    if doubtful and len(programs) > 1 and _has_time(ctx, len(doubtful)):
        second = _run_pages(programs[0], doubtful, source, ctx)
        found |= {page: facts for page, facts in second.items() if facts["lines"]}
    return {page: facts["lines"] for page, facts in found.items()}


def _run_pages(
    program: Recogniser, pages: Sequence[int], source: Path, ctx: Context
) -> dict[int, Mapping[str, Any]]:
    facts = _run(program, program.read_pages, source, ctx, len(pages), {"pages": list(pages)})
    nothing: Mapping[str, Any] = {"lines": [], "score": 0.0}
    return dict.fromkeys(pages, nothing) | {page["page"]: page for page in facts["pages"]}


def _has_time(ctx: Context, pages: int) -> bool:
    return ctx.seconds_left() >= ctx.settings.ocr_page_seconds * pages


def _run(
    program: Recogniser, decoder: str, source: Path, ctx: Context, pages: int, wanted: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The decoder's answer. Not begun without time for all of it: what is cut off is lost."""
    if not _has_time(ctx, pages):
        raise NotRecognised(OCR_NO_TIME)
    seconds = ctx.settings.ocr_page_seconds * pages
    options = {**wanted, **program.options, "limits": ctx.settings.limits()}
    try:
        facts = ctx.decode(decoder, source, memory_mb=program.memory_mb, seconds=seconds, **options).facts
    except Reject:
        # The file itself was read before: a picture that only the recognition cannot take is still true.
        raise NotRecognised(OCR_FAILED) from None
    if not facts["available"]:
        raise NotRecognised(OCR_UNAVAILABLE)
    return facts
