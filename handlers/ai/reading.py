"""Asks the decoders for what a file says: text with its place in the file, and the bare facts beside it.

`analyze_file` calls this with a sniffed file. Every byte is decoded in the sandboxed child; text
recognition that is missing, fails or runs out of time becomes a note, since the rest is still worth having.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from handlers.contract import Context, Reject
from handlers.outputs import Kind, Passage

OCR_MEMORY_MB = 2048
OCR_PAGES = 20  # of a scanned PDF
OCR_PAGES_AT_ONCE = 2  # each call loads the models, and is limited in time
OCR_SECONDS = 20.0  # not begun with less time left than this
TITLE_HEIGHT = 1.3  # a line on a slide that much taller than the others is a heading

OCR_UNAVAILABLE = "ocr: unavailable"
OCR_FAILED = "ocr: failed"
OCR_NO_TIME = "ocr: no time left"
NOT_RECOGNISED = (OCR_UNAVAILABLE, OCR_FAILED, OCR_NO_TIME)  # another day there may be more to say
TRANSCRIPT_UNAVAILABLE = "transcript: unavailable"


@dataclass(frozen=True)
class Reading:
    """What the decoders said about a file."""

    kind: Kind
    passages: Sequence[Passage] = ()
    title: str | None = None
    pages: int | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    notes: Sequence[str] = field(default_factory=tuple)


def read_file(kind: Kind, source: Path, name: str, ctx: Context) -> Reading:
    """Runs the decoders of the file's kind."""
    if kind == "image":
        return _read_image(source, ctx)
    if kind == "pdf":
        return _read_pdf(source, ctx)
    if kind == "text":
        return _read_text(source, name, ctx)
    return _read_video(source, ctx)


def _read_image(source: Path, ctx: Context) -> Reading:
    facts = ctx.decode("handlers.media.image:inspect", source).facts
    ctx.progress(0.4, "reading text in the picture")
    found, notes = _recognise("handlers.media.ocr:read", source, ctx)
    text = _text_of_lines(found.get("lines", []))
    passages = (Passage(text=text),) if text else ()
    return Reading("image", passages, width=facts["width"], height=facts["height"], notes=notes)


def _read_pdf(source: Path, ctx: Context) -> Reading:
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


def _read_text(source: Path, name: str, ctx: Context) -> Reading:
    facts = ctx.decode("handlers.media.text:extract", source).facts
    notes = ["text: only the beginning was read"] if facts["truncated"] else []
    text = "\n\n".join(_section_as_markdown(section, facts["markdown"]) for section in facts["sections"])
    if PurePosixPath(name).suffix.lower() == ".csv":
        text = _rows_as_lines(text)
    return Reading("text", (Passage(text=text),), notes=notes)


def _read_video(source: Path, ctx: Context) -> Reading:
    facts = ctx.decode("handlers.media.video:inspect", source).facts
    passages = tuple(Passage(text=cue["text"], time_s=cue["time_s"]) for cue in facts["subtitles"])
    return Reading(
        "video" if facts["has_video"] else "audio",
        passages,
        title=facts["title"],
        duration_seconds=facts["duration_seconds"],
        width=facts["width"],
        height=facts["height"],
        notes=() if passages else (TRANSCRIPT_UNAVAILABLE,),
    )


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


def _section_as_markdown(section: Mapping[str, Any], is_markdown: bool) -> str:
    paragraphs = [paragraph for paragraph in section["paragraphs"] if not (is_markdown and "\n" in paragraph)]
    # Markdown paragraphs come as one line each, so one that kept its lines is code, and tables lost theirs.
    tables = [text.replace("| |", "|\n|") if text.startswith("|") else text for text in paragraphs]
    heading = [f"{'#' * max(1, section['level'])} {section['heading']}"] if section["heading"] else []
    return "\n\n".join([*heading, *tables])


def _rows_as_lines(text: str) -> str:
    """Comma-separated values as lines with tabs between the cells."""
    lines = [line for line in text.splitlines() if line.strip()]
    delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    try:
        return "\n".join("\t".join(cells) for cells in csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return text
