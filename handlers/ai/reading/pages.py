"""Reads pictures and PDFs for `analyze_file`: the text layer, and text recognition where there is none.

Text recognition that is missing, fails or runs out of time becomes a note, since the rest is still worth
having. What was recognised is kept page by page, so that a long scan goes on in the next tick where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handlers.ai.reading.facts import Reading
from handlers.ai.reading.recognition import (
    OCR_NO_TIME,
    NotRecognised,
    depends_on,
    recognise_pages,
    recognise_picture,
)
from handlers.contract import Context, Retry, Snooze
from handlers.outputs import Passage

PAGES_AT_ONCE = 2  # each call loads the models, and what was read is kept after each
TITLE_HEIGHT = 1.3  # a line on a slide that much taller than the others is a heading


def read_image(source: Path, ctx: Context) -> Reading:
    """A picture: its size, and the text that is recognised in it."""
    limits, seconds = ctx.settings.limits(), ctx.settings.image_seconds
    facts = ctx.decode("handlers.media.image:inspect", source, seconds=seconds, limits=limits).facts
    ctx.progress(0.4, "reading text in the picture")
    text, notes = "", []
    try:
        text = _text_of_lines(recognise_picture(source, ctx))
    except NotRecognised as why:
        notes = [_note(why, ctx)]
    passages = (Passage(text=text),) if text else ()
    return Reading("image", passages, width=facts["width"], height=facts["height"], notes=notes)


def read_pdf(source: Path, ctx: Context) -> Reading:
    """A PDF: the text layer page by page, and what is recognised on pages that are only scans."""
    limits, seconds = ctx.settings.limits(), ctx.settings.pdf_seconds
    facts = ctx.decode("handlers.media.pdf:extract", source, seconds=seconds, limits=limits).facts
    texts = {page["page"]: page["text"] for page in facts["content"]}
    notes = ["text: only the first pages were read"] if facts["truncated"] else []
    if facts["scans"]:
        recognised, ocr_notes = _read_scans(facts["scans"], source, ctx)
        # A page's few words may be no more than the stamp of what scanned it, or all that there is.
        texts |= {page: text for page, text in recognised.items() if len(text) > len(texts[page])}
        notes += ocr_notes
    passages = tuple(Passage(text=text, page=page) for page, text in sorted(texts.items()) if text)
    return Reading("pdf", passages, title=facts["title"], pages=facts["pages"], notes=notes)


def _read_scans(scans: Sequence[int], source: Path, ctx: Context) -> tuple[dict[int, str], list[str]]:
    """The text of scanned pages, as many as may be read, and notes about the others.

    Raises `Snooze` when the time is up but something was read: another tick goes on from there.
    """
    most = ctx.settings.max_ocr_pages
    wanted = scans[:most] or scans
    notes = [f"ocr: only {most} of {len(scans)} scanned pages"] if len(wanted) < len(scans) else []
    texts: dict[int, str] = {}
    content = _content_key(source, ctx)
    read_now: str | None = None
    for start in range(0, len(wanted), PAGES_AT_ONCE):
        pages = wanted[start : start + PAGES_AT_ONCE]
        ctx.progress(0.2 + 0.6 * start / len(wanted), f"reading scanned page {pages[0]}")
        key = f"{content} {pages}"
        known = ctx.recall(key)
        if known is None:
            try:
                found = recognise_pages(pages, source, ctx)
            except NotRecognised as why:
                if str(why) == OCR_NO_TIME and read_now and ctx.recall(read_now) is not None:
                    raise Snooze(f"scanned pages are read up to page {pages[0] - 1}", seconds=1) from None
                return texts, [*notes, _note(why, ctx)]
            known = {str(page): _text_of_lines(lines) for page, lines in found.items()}
            ctx.keep(key, known)
            read_now = key
        texts |= {int(page): text for page, text in known.items()}
    return texts, notes


def _note(why: NotRecognised, ctx: Context) -> str:
    """The note of why nothing was recognised; raises `Retry` where all that lacks is the time of a fresh tick."""
    if str(why) == OCR_NO_TIME and not ctx.is_last_attempt:
        raise Retry("too little time was left to recognise text", after=1) from None
    return str(why)


def _content_key(source: Path, ctx: Context) -> str:
    with source.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return f"scanned pages 1 {depends_on(ctx.settings)} {sha256}"


def _text_of_lines(lines: Sequence[Mapping[str, Any]]) -> str:
    """Recognised lines as text; what is set much larger than the rest is marked as a heading."""
    usual = sorted(line["height"] for line in lines)[len(lines) // 2] if lines else 0
    marked = (
        f"\n# {line['text']}\n" if len(lines) > 2 and line["height"] > TITLE_HEIGHT * usual else line["text"]
        for line in lines
    )
    return "\n".join(marked).strip()
