"""Reads pictures and PDFs for `analyze_file`: the text layer, and text recognition where there is none.

Text recognition that is missing, fails or runs out of time becomes a note, since the rest is still worth
having.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handlers.ai.reading_facts import Reading
from handlers.contract import Context, Reject
from handlers.outputs import Passage

OCR_MEMORY_MB = 2048
OCR_PAGES = 20  # of a scanned PDF
OCR_PAGES_AT_ONCE = 2  # each call loads the models, and is limited in time
OCR_SECONDS = 20.0  # not begun with less time left than this
TITLE_HEIGHT = 1.3  # a line on a slide that much taller than the others is a heading

OCR_UNAVAILABLE = "ocr: unavailable"
OCR_FAILED = "ocr: failed"
OCR_NO_TIME = "ocr: no time left"
NOT_RECOGNISED = (OCR_UNAVAILABLE, OCR_FAILED, OCR_NO_TIME)  # another day there may be more to say


def read_image(source: Path, ctx: Context) -> Reading:
    """A picture: its size, and the text that is recognised in it."""
    facts = ctx.decode("handlers.media.image:inspect", source).facts
    ctx.progress(0.4, "reading text in the picture")
    found, notes = _recognise("handlers.media.ocr:read", source, ctx)
    text = _text_of_lines(found.get("lines", []))
    passages = (Passage(text=text),) if text else ()
    return Reading("image", passages, width=facts["width"], height=facts["height"], notes=notes)


def read_pdf(source: Path, ctx: Context) -> Reading:
    """A PDF: the text layer page by page, and what is recognised on pages that are only scans."""
    facts = ctx.decode("handlers.media.pdf:extract", source).facts
    texts = {page["page"]: page["text"] for page in facts["content"]}
    notes = ["text: only the first pages were read"] if facts["truncated"] else []
    scans: list[int] = facts["scans"]
    if scans:
        recognised, ocr_notes = _recognise_pages(scans, source, ctx)
        texts |= recognised
        notes += ocr_notes
    passages = tuple(Passage(text=text, page=page) for page, text in sorted(texts.items()) if text)
    return Reading("pdf", passages, title=facts["title"], pages=facts["pages"], notes=notes)


def _recognise(
    decoder: str, source: Path, ctx: Context, **options: Any
) -> tuple[Mapping[str, Any], Sequence[str]]:
    """Text recognition: what was found, or nothing and the note that says why."""
    if ctx.seconds_left() < OCR_SECONDS:
        return {}, (OCR_NO_TIME,)
    try:
        facts = ctx.decode(decoder, source, memory_mb=OCR_MEMORY_MB, **options).facts
    except Reject:
        # The file itself was read before: a picture that only the recognition cannot take is still true.
        return {}, (OCR_FAILED,)
    return (facts, ()) if facts["available"] else ({}, (OCR_UNAVAILABLE,))


def _recognise_pages(scans: Sequence[int], source: Path, ctx: Context) -> tuple[dict[int, str], list[str]]:
    texts: dict[int, str] = {}
    notes = [f"ocr: only {OCR_PAGES} of {len(scans)} scanned pages"] if len(scans) > OCR_PAGES else []
    wanted = scans[:OCR_PAGES]
    for start in range(0, len(wanted), OCR_PAGES_AT_ONCE):
        ctx.progress(0.2 + 0.6 * start / len(wanted), f"reading scanned page {wanted[start]}")
        pages = list(wanted[start : start + OCR_PAGES_AT_ONCE])
        found, why_not = _recognise("handlers.media.ocr:read_pages", source, ctx, pages=pages)
        if why_not:
            return texts, [*notes, *why_not]
        texts |= {page["page"]: _text_of_lines(page["lines"]) for page in found["pages"]}
    return texts, notes


def _text_of_lines(lines: Sequence[Mapping[str, Any]]) -> str:
    """Recognised lines as text; what is set much larger than the rest is marked as a heading."""
    usual = sorted(line["height"] for line in lines)[len(lines) // 2] if lines else 0
    marked = (
        f"\n# {line['text']}\n" if len(lines) > 2 and line["height"] > TITLE_HEIGHT * usual else line["text"]
        for line in lines
    )
    return "\n".join(marked).strip()
