"""Takes Markdown, tables and subtitle tags off a page's lines, keeping what each line was marked as."""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from handlers.ai.text.pieces import LONGEST_PIECE, pieces


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

_HEADING = re.compile(r"(#{1,6})\s++")
_ITEM = re.compile(r"(?:[-*+•·▪◦●○■–]|\(?\d{1,3}[.)])\s++(?:\[[ xX]\]\s++)?")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_IMAGE = re.compile(r"!\[[^\[\]\n]{0,300}\]\([^)\n]{0,500}\)")
_LINK = re.compile(r"\[([^\[\]\n]{1,300})\](?:\([^)\n]{0,500}\)|\[[^\]\n]{0,100}\])")
_FOOTNOTE = re.compile(r"\[\^?\d{1,3}\]")
_STRONG = re.compile(r"(\*\*|__|~~|==)(?=\S)(.{1,400}?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*_])([*_])(?=\S)([^*_\n]{1,400}?)(?<=\S)\1(?![\w*_])")
_CODE = re.compile(r"(?<!`)`++([^`\n]{1,300})`++")
_COMMENT, _COMMENT_END = "<!--", "-->"
_FRONT_MATTER, _FRONT_MATTER_END = "---\n", "\n---\n"


def plain_lines(text: str) -> list[Line]:
    """The lines of a page or file; code blocks, comments and front matter are left out."""
    lines: list[Line] = []
    in_code = False
    for raw in _without_comments(_without_front_matter(text)).splitlines():
        stripped = raw.strip()
        if stripped.startswith(("```", "~~~")):
            in_code = not in_code
            lines.append(BLANK)
        elif not in_code:
            _append_line(lines, stripped)
    return lines


def plain_inline(text: str) -> str:
    """A line's text without emphasis, links, images, tags and footnote marks."""
    text = "".join(_plain_piece(piece) for _, piece in pieces(text))
    return " ".join(text.replace("\\*", "*").replace("\\_", "_").split())


def _plain_piece(text: str) -> str:
    text = _FOOTNOTE.sub("", _LINK.sub(r"\1", _IMAGE.sub("", _TAG.sub("", text))))
    return _CODE.sub(r"\1", _EMPHASIS.sub(r"\2", _STRONG.sub(r"\2", text)))


def _without_front_matter(text: str) -> str:
    if not text.startswith(_FRONT_MATTER):
        return text
    end = text.find(_FRONT_MATTER_END, len(_FRONT_MATTER), len(_FRONT_MATTER) + LONGEST_PIECE)
    return text if end < 0 else text[end + len(_FRONT_MATTER_END) :]


def _without_comments(text: str) -> str:
    kept: list[str] = []
    start = 0
    while (opening := text.find(_COMMENT, start)) >= 0:
        closing = text.find(_COMMENT_END, opening + len(_COMMENT))
        if closing < 0:
            break
        kept.append(text[start:opening])
        start = closing + len(_COMMENT_END)
    return "".join([*kept, text[start:]])


def _append_line(lines: list[Line], stripped: str) -> None:
    if stripped.startswith(">"):
        stripped = stripped.lstrip("> \t")
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
        bare = stripped[heading.end() :].rstrip("#").rstrip()
        return Line(LineKind.HEADING, plain_inline(bare), len(heading[1])) if bare else BLANK
    cells = _cells_of(stripped)
    if cells:
        return Line(LineKind.ROW, "\t".join(cells))
    item = _ITEM.match(stripped)
    text = plain_inline(stripped[item.end() :] if item else stripped)
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
