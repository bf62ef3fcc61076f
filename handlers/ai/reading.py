"""Asks the decoders for what a file says: text with its place in the file, and the bare facts beside it.

`analyze_file` calls this with a sniffed file. Every byte is decoded in the sandboxed child. Pictures and PDFs:
see `reading_pages`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from handlers.ai.reading_facts import Reading
from handlers.ai.reading_pages import read_image, read_pdf
from handlers.contract import Context
from handlers.outputs import Kind, Passage

TRANSCRIPT_UNAVAILABLE = "transcript: unavailable"


def read_file(kind: Kind, source: Path, name: str, ctx: Context) -> Reading:
    """Runs the decoders of the file's kind."""
    if kind == "image":
        return read_image(source, ctx)
    if kind == "pdf":
        return read_pdf(source, ctx)
    if kind == "text":
        return _read_text(source, name, ctx)
    return _read_video(source, ctx)


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
