"""Reads plain text and Markdown, in the sandboxed child: paragraphs under their headings, and a preview."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pypdfium2

from handlers.media import pdf
from handlers.media.page import Page, text_width, wrap, write_pdf
from handlers.media.pixels import SIZES, write_thumbnails
from handlers.media.refused import Refused
from handlers.media.sniff import sniff_file

MAX_CHARACTERS = 2_000_000
PREVIEW_CHARACTERS = 4_000
MARKDOWN_SIGNS = re.compile(r"^(?:#{1,6} +\S|(?:[-*+]|\d+\.) +\S.*\n(?:[-*+]|\d+\.) +\S|```|>)", re.M)
HEADING = re.compile(r"(#{1,6})\s++(.*)")
ITEM = re.compile(r"\s{0,8}(?:[-*+]|\d{1,3}[.)])\s+")
QUOTE = re.compile(r"\s{0,3}>\s?")
RULE = re.compile(r"\s*(?:[-*_=]\s*){3,}")
LINK = re.compile(r"!?\[([^\][]*)\](?:\([^()\s]*(?:\s\"[^\"]*\")?\)|\[[^\][]*\])")
EMPHASIS = re.compile(r"(\*\*|__|~~|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w))")

PAGE_WIDTH, PAGE_HEIGHT, MARGIN = 420.0, 560.0, 38.0
ACCENT = (0.23, 0.36, 0.78)
GREY = (0.42, 0.45, 0.50)


@dataclass
class Section:
    """The paragraphs under one heading; the first section of a text may have none."""

    heading: str | None = None
    level: int = 0
    paragraphs: list[str] = field(default_factory=list)


def extract(
    source: Path,
    folder: Path,  # noqa: ARG001
    max_characters: int = MAX_CHARACTERS,
) -> dict[str, Any]:
    """Title and sections; Markdown is told by its signs, and its markup is removed."""
    text = _read(source)
    sections = _sections(text[:max_characters])
    return {
        "title": _title(sections),
        "markdown": _is_markdown(text),
        "sections": [
            {"heading": section.heading, "level": section.level, "paragraphs": section.paragraphs}
            for section in sections
        ],
        "characters": len(text),
        "truncated": len(text) > max_characters,
    }


def thumbnails(source: Path, folder: Path, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Writes `<size>.webp` for each size: the beginning of the text, laid out as a page."""
    preview = write_pdf([_preview(_sections(_read(source)[:PREVIEW_CHARACTERS]))])
    document = pypdfium2.PdfDocument(preview)
    try:
        return write_thumbnails(pdf.render(document, 1, max(sizes)), folder, sizes)
    finally:
        document.close()


def _read(source: Path) -> str:
    if sniff_file(source, name="", claimed=None).kind != "text":
        raise Refused("the file is not a text")
    data = source.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("the text is damaged: it is not valid UTF-8 or UTF-16 throughout") from None
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
    if not text.strip():
        raise Refused("the text is empty")
    return text


def _is_markdown(text: str) -> bool:
    return MARKDOWN_SIGNS.search(text[:20_000]) is not None


def _title(sections: list[Section]) -> str | None:
    for section in sections:
        if section.heading:
            return section.heading
        if section.paragraphs:
            return section.paragraphs[0].split("\n")[0][:120]
    return None


def _sections(text: str) -> list[Section]:
    if not _is_markdown(text):
        blocks = re.split(r"\n[ \t]*\n", text)
        paragraphs = [block.strip() for block in blocks if block.strip()]
        return [Section(paragraphs=paragraphs)]
    sections = [Section()]
    for block in _blocks(text):
        heading = HEADING.fullmatch(block)
        if heading:
            sections.append(Section(_plain(heading[2].rstrip("#")), len(heading[1])))
        else:
            sections[-1].paragraphs.append(_plain(block))
    return [section for section in sections if section.heading or section.paragraphs]


def _blocks(text: str) -> Iterator[str]:
    """Headings, list items and paragraphs, each on one line; code keeps its lines."""
    lines: list[str] = []
    in_code = False
    for line in [*text.split("\n"), ""]:
        fence = line.lstrip().startswith("```")
        if in_code and not fence:
            lines.append(line)
            continue
        heading, item = HEADING.fullmatch(line), ITEM.match(line)
        if lines and (fence or heading or item or not line.strip() or RULE.fullmatch(line)):
            yield ("\n" if in_code else " ").join(lines)
            lines = []
        in_code = fence and not in_code
        if heading:
            yield line
        elif line.strip() and not fence and not RULE.fullmatch(line):
            bare = QUOTE.sub("", line[item.end() :] if item else line, count=1)
            lines.append(bare.strip())
    if lines:
        yield "\n".join(lines)


def _plain(text: str) -> str:
    return EMPHASIS.sub("", LINK.sub(r"\1", text)).strip()


def _preview(sections: list[Section]) -> Page:
    page = Page(PAGE_WIDTH, PAGE_HEIGHT)
    page.rectangle(0, 0, PAGE_WIDTH, PAGE_HEIGHT, (1, 1, 1))
    page.rectangle(0, 0, PAGE_WIDTH, 7, ACCENT)
    width, bottom = PAGE_WIDTH - 2 * MARGIN, PAGE_HEIGHT - MARGIN
    y = MARGIN + 26
    title = sections[0].heading
    if title:
        y = _title_lines(page, y, title, width)
    for section in sections:
        if section.heading and section.heading is not title:
            y = page.paragraph(
                MARGIN, y + 8, section.heading, 14.5, width, font="bold", colour=ACCENT, bottom=bottom
            )
        for paragraph in section.paragraphs:
            for line in paragraph.split("\n"):
                y = page.paragraph(MARGIN, y, line, 11.5, width, leading=1.42, bottom=bottom)
            y += 6
    return page


def _title_lines(page: Page, y: float, title: str, width: float) -> float:
    size = 25.0 if text_width(title, 25, "bold") <= 2 * width else 18.0
    for line in wrap(title, size, width, "bold")[:4]:
        page.text(MARGIN, y, line, size, "bold")
        y += size * 1.2
    page.rectangle(MARGIN, y - size * 0.75, width, 1, GREY)
    return y + 12
