"""Reads plain text and Markdown: paragraphs under their headings, without markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from handlers.media.limits import Limits
from handlers.media.sections import MAX_SECTIONS, Section, Text

MARKDOWN_SIGNS = re.compile(r"^(?:#{1,6} +\S|(?:[-*+]|\d+\.) +\S.*\n(?:[-*+]|\d+\.) +\S|```|>)", re.M)
HEADING = re.compile(r"(#{1,6})\s++(.*)")
ITEM = re.compile(r"\s{0,8}(?:[-*+]|\d{1,3}[.)])\s+")
QUOTE = re.compile(r"\s{0,3}>\s?")
RULE = re.compile(r"\s*(?:[-*_=]\s*){3,}")
LINK = re.compile(r"!?\[([^\][]*)\](?:\([^()\s]*(?:\s\"[^\"]*\")?\)|\[[^\][]*\])")
EMPHASIS = re.compile(r"(\*\*|__|~~|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w))")


def read(text: str, notes: Sequence[str], limits: Limits) -> Text:
    """The sections of a text, as many of them and of its characters as are read."""
    shown = text[: limits.max_text_characters]
    sections = sections_of(shown)
    truncated = len(text) > len(shown) or len(sections) > MAX_SECTIONS
    return Text(sections[:MAX_SECTIONS], marked_up=is_markdown(shown), truncated=truncated, notes=notes)


def is_markdown(text: str) -> bool:
    """Whether a text has the signs of Markdown near its beginning."""
    return MARKDOWN_SIGNS.search(text[:20_000]) is not None


def sections_of(text: str) -> list[Section]:
    """The sections of a text; Markdown is told by its signs, and its markup is removed."""
    if not is_markdown(text):
        blocks = re.split(r"\n[ \t]*\n", text)
        paragraphs = [block.strip() for block in blocks if block.strip()]
        return [Section(paragraphs=paragraphs)]
    sections = [Section()]
    for block in _blocks(text):
        if len(sections) > MAX_SECTIONS + 1:
            break
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
