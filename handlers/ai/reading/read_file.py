"""Asks the decoders for what a file says: text with its place in the file, and the bare facts beside it.

`analyze_file` calls this with a sniffed file. Every byte is decoded in the sandboxed child. Pictures and PDFs:
see `reading_pages`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handlers.ai.reading.facts import Reading
from handlers.ai.reading.pages import read_image, read_pdf
from handlers.contract import Context
from handlers.media.archives import DOCX
from handlers.media.sniff import Sniffed
from handlers.outputs import Passage

TRANSCRIPT_UNAVAILABLE = "transcript: unavailable"


def read_file(sniffed: Sniffed, source: Path, ctx: Context) -> Reading:
    """Runs the decoders of the file's kind."""
    if sniffed.kind == "image":
        return read_image(source, ctx)
    if sniffed.kind == "pdf":
        return read_pdf(source, ctx)
    if sniffed.kind == "text":
        return _read_text(sniffed.mime_type, source, ctx)
    return _read_video(source, ctx)


def _read_text(mime_type: str, source: Path, ctx: Context) -> Reading:
    facts = ctx.decode(
        "handlers.media.text:extract", source, mime_type=mime_type, limits=ctx.settings.limits()
    ).facts
    notes = [*facts["notes"], *(["text: only the beginning was read"] if facts["truncated"] else [])]
    cues = tuple(Passage(text=cue["text"], time_s=cue["time_s"]) for cue in facts["cues"])
    text = "\n\n".join(_section_as_markdown(section, facts["markdown"]) for section in facts["sections"])
    passages = (*((Passage(text=text),) if text else ()), *cues)
    return Reading("text", passages, title=facts["title"] if mime_type == DOCX else None, notes=notes)


def _read_video(source: Path, ctx: Context) -> Reading:
    facts = ctx.decode(
        "handlers.media.video:inspect",
        source,
        seconds=ctx.settings.seconds_of("video"),
        limits=ctx.settings.limits(),
    ).facts
    spoken = tuple(Passage(text=cue["text"], time_s=cue["time_s"]) for cue in facts["subtitles"])
    notes = [f"{name}: {value}" for name, value in facts["tags"].items() if value]
    return Reading(
        "video" if facts["has_video"] else "audio",
        (*_about(facts), *spoken),
        title=facts["title"],
        duration_seconds=facts["duration_seconds"],
        width=facts["width"],
        height=facts["height"],
        notes=[
            *notes,
            *(["video: HDR"] if facts["hdr"] else []),
            *([] if spoken else [TRANSCRIPT_UNAVAILABLE]),
        ],
    )


def _about(facts: Mapping[str, Any]) -> Iterator[Passage]:
    """What a video or sound says about itself. Its album, artist and genre are topics, so headings."""
    names = [facts["tags"][name] for name in ("album", "artist", "genre") if facts["tags"][name]]
    if names:
        yield Passage(text="\n".join(f"# {name}" for name in names))
    yield from (Passage(text=text) for text in facts["texts"])
    yield from (Passage(text=chapter["title"], time_s=chapter["time_s"]) for chapter in facts["chapters"])


def _section_as_markdown(section: Mapping[str, Any], is_markdown: bool) -> str:
    paragraphs = [paragraph for paragraph in section["paragraphs"] if not (is_markdown and "\n" in paragraph)]
    # Markdown paragraphs come as one line each, so one that kept its lines is code, and tables lost theirs.
    tables = [text.replace("| |", "|\n|") if text.startswith("|") else text for text in paragraphs]
    heading = [f"{'#' * max(1, section['level'])} {section['heading']}"] if section["heading"] else []
    return "\n\n".join([*heading, *tables])
