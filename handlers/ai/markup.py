"""Takes Markdown, tables and subtitle tags off a page's lines, keeping what each line was marked as."""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto


class LineKind(Enum):
    """What a line's markup says about it."""

    TEXT = auto()
    BLANK = auto()
    HEADING = auto()
    ITEM = auto()
    ROW = auto()


@dataclass(frozen=True)
class Line:
    """A line without its markup; `level` counts for headings only."""

    kind: LineKind
    text: str = ""
    level: int = 0


BLANK = Line(LineKind.BLANK)

_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
_ITEM = re.compile(r"(?:[-*+•·▪◦●○■–]|\(?\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(.+)$")
_COMMENT = re.compile(r"<!--.{0,2000}?-->", re.S)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_IMAGE = re.compile(r"!\[[^\[\]\n]{0,300}\]\([^)\n]{0,500}\)")
_LINK = re.compile(r"\[([^\[\]\n]{1,300})\](?:\([^)\n]{0,500}\)|\[[^\]\n]{0,100}\])")
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}\]")
_STRONG = re.compile(r"(\*\*|__|~~|==)(?=\S)(.{1,400}?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*_])([*_])(?=\S)([^*_\n]{1,400}?)(?<=\S)\1(?![\w*_])")
_CODE = re.compile(r"`+([^`\n]{1,300})`+")
_FRONT_MATTER = re.compile(r"---\n.{0,4000}?\n---\n", re.S)


def plain_lines(text: str) -> list[Line]:
    """The lines of a page or file; code blocks, comments and front matter are left out."""
    text = _COMMENT.sub("", _FRONT_MATTER.sub("", text, count=1) if text.startswith("---\n") else text)
    lines: list[Line] = []
    in_code = False
    for raw in text.splitlines():
        stripped = raw.strip()
        if stripped.startswith(("```", "~~~")):
            in_code = not in_code
            lines.append(BLANK)
        elif not in_code:
            _append_line(lines, stripped)
    return lines


def plain_inline(text: str) -> str:
    """A line's text without emphasis, links, images, tags and footnote marks."""
    text = _FOOTNOTE.sub("", _LINK.sub(r"\1", _IMAGE.sub("", _TAG.sub("", text))))
    text = _CODE.sub(r"\1", _EMPHASIS.sub(r"\2", _STRONG.sub(r"\2", text)))
    return " ".join(text.replace("\\*", "*").replace("\\_", "_").split())


def _append_line(lines: list[Line], stripped: str) -> None:
    while stripped.startswith(">"):
        stripped = stripped[1:].lstrip()
    if (
        (_is_only(stripped, "=", 1) or _is_only(stripped, "-", 3))
        and lines
        and lines[-1].kind is LineKind.TEXT
    ):
        lines[-1] = Line(LineKind.HEADING, lines[-1].text, 1 if stripped[0] == "=" else 2)
        return
    if _is_only(stripped, "|:- ", 3) and lines and lines[-1].kind is LineKind.ROW:
        lines[-1] = BLANK  # the row above the rule names the columns
        return
    lines.append(_line_of(stripped))


def _is_only(text: str, characters: str, least: int) -> bool:
    return len(text) >= least and not text.strip(characters)


def _line_of(stripped: str) -> Line:
    if not stripped or _is_only(stripped, "-*_=~ ", 3):
        return BLANK
    heading = _HEADING.match(stripped)
    if heading:
        return Line(LineKind.HEADING, plain_inline(heading[2]), len(heading[1]))
    cells = _cells_of(stripped)
    if cells:
        return Line(LineKind.ROW, "\t".join(cells))
    item = _ITEM.match(stripped)
    text = plain_inline(item[1] if item else stripped)
    if not text:
        return BLANK
    return Line(LineKind.ITEM if item else LineKind.TEXT, text)


def _cells_of(stripped: str) -> list[str]:
    if stripped.startswith("|") and stripped.count("|") > 2:
        cells = stripped.strip("|").split("|")
    elif "\t" in stripped:
        cells = stripped.split("\t")
    else:
        return []
    texts = [plain_inline(cell) for cell in cells]
    return texts if sum(bool(text) for text in texts) > 1 else []
