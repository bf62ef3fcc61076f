"""Reads all kinds of text, in the sandboxed child: their paragraphs or cues, and a preview as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pypdfium2

from handlers.media import docx, markdown, pdf, subtitles, tables
from handlers.media.archives import DOCX
from handlers.media.encodings import decode_text
from handlers.media.limits import Limits
from handlers.media.page import write_pdf
from handlers.media.pixels import SIZES, write_thumbnails
from handlers.media.preview import page_of
from handlers.media.refused import Refused
from handlers.media.sections import Section, Text, title_of
from handlers.media.sniff import TEXT_TYPES, type_of

PREVIEW_CHARACTERS = 4_000
PREVIEW_CUES = 60
SUBTITLES = ("text/vtt", "application/x-subrip")
TABLES = {
    "text/csv": None,
    "text/tab-separated-values": "\t",
}  # with what separates cells, if that is certain


def extract(
    source: Path,
    folder: Path,  # noqa: ARG001
    mime_type: str | None = None,
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Title, sections and cues. `mime_type` picks the reader among texts that look alike: a table or not."""
    read = _read(source, mime_type, Limits.of(limits))
    return {
        "title": read.title or title_of(read.sections),
        "markdown": read.marked_up,
        "sections": [asdict(section) for section in read.sections],
        "cues": [{"text": cue.text, "time_s": cue.start} for cue in read.cues],
        "truncated": read.truncated,
        "notes": list(read.notes),
    }


def thumbnails(
    source: Path,
    folder: Path,
    sizes: Sequence[int] = SIZES,
    mime_type: str | None = None,
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes `<size>.webp` for each size: the beginning of the text, laid out as a page."""
    most = Limits.of(limits)
    shown = most.model_copy(update={"max_text_characters": min(PREVIEW_CHARACTERS, most.max_text_characters)})
    read = _read(source, mime_type, shown)
    spoken = (
        [Section(paragraphs=["\n".join(cue.text for cue in read.cues[:PREVIEW_CUES])])] if read.cues else []
    )
    document = pypdfium2.PdfDocument(write_pdf([page_of([*read.sections, *spoken])]))
    try:
        return write_thumbnails(pdf.render(document, 1, max(sizes)), folder, sizes)
    finally:
        document.close()


def _read(source: Path, mime_type: str | None, limits: Limits) -> Text:
    found = type_of(source)
    if found.kind != "text":
        raise Refused("the file is not a text")
    if found.mime_type == DOCX:
        return docx.read(source, limits)
    characters = decode_text(source.read_bytes())
    if characters is None:
        raise Refused("the text is damaged: it is not valid UTF-8 or UTF-16 throughout")
    text = characters.text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
    if not text.strip():
        raise Refused("the text is empty")
    notes = (characters.note,) if characters.note else ()
    if found.mime_type in SUBTITLES:
        return subtitles.read(text, notes, limits)
    reader = mime_type or TEXT_TYPES.get(source.suffix, found.mime_type)
    if reader in TABLES:
        return tables.read(text, TABLES[reader], notes, limits)
    return markdown.read(text, notes, limits)
