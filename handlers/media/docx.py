"""Reads Word documents: headings by style, paragraphs, lists and tables.

The XML is heard element by element and never held as a whole. A heading is told by the outline level of its
style, since the names and identifiers of styles are translated with the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from handlers.media.limits import Limits
from handlers.media.refused import Refused
from handlers.media.sections import MAX_SECTIONS, Section, Text
from handlers.media.tables import lines_of
from handlers.media.word_package import DAMAGED, WordPackage

NAMESPACES = (
    "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}",
    "{http://purl.oclc.org/ooxml/wordprocessingml/main}",
)
TITLE_LEVEL = 0
BODY_LEVEL = 9  # an outline level that says: no heading
MOST_LEVELS = 6
TITLE_STYLES = ("title", "titel", "titre", "título")
# What was deleted while changes were tracked. (A text box is skipped once: it is written twice, for old programs.)
SKIPPED = ("del", "moveFrom")


def read(source: Path, limits: Limits) -> Text:
    """The sections of a document, and the title that its properties tell."""
    with WordPackage(source, limits) as package:
        styles, properties = _Styles(), _Properties()
        package.feed("word/styles.xml", styles)
        package.feed("docProps/core.xml", properties)
        body = _Body(styles.levels(), limits.max_text_characters)
        if not package.feed(package.main_part(), body):
            raise Refused(DAMAGED)
    sections = body.sections()
    if not sections:
        raise Refused("there is no text in the Word document")
    return Text(sections, title=properties.title.strip() or None, truncated=body.truncated)


@dataclass
class _Paragraph:
    text: list[str] = field(default_factory=list)
    style: str | None = None
    level: int | None = None  # its own outline level, counted from 0
    is_item: bool = False


@dataclass
class _Table:
    rows: list[list[str]] = field(default_factory=list)
    cell: list[str] | None = None


class _Styles:
    """Hears the styles' part: which of them make a heading, and of which rank."""

    def __init__(self) -> None:
        self._levels: dict[str, int] = {}
        self._parents: dict[str, str] = {}
        self._style = ""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name, value = _local(tag), _value(attributes)
        if name == "style":
            self._style = _attribute(attributes, "styleId")
        elif name == "name":
            level = _level_of_name(value.lower())
            if level is not None:
                self._levels.setdefault(self._style, level)
        elif name == "outlineLvl" and value.isdecimal():
            self._levels[self._style] = int(value) + 1
        elif name == "basedOn":
            self._parents[self._style] = value

    def close(self) -> None:
        """Nothing is left to do at the end."""

    def levels(self) -> dict[str, int]:
        """The rank of each style that makes headings, its own or that of the style it is based on."""
        return {
            style: level
            for style in {*self._levels, *self._parents}
            if (level := self._inherited(style)) is not None and level <= BODY_LEVEL
        }

    def _inherited(self, style: str) -> int | None:
        for _ in range(10):  # styles may be based on each other in a circle
            if style in self._levels:
                return self._levels[style]
            style = self._parents.get(style, "")
        return None


class _Properties:
    """Hears the title among the document's properties."""

    title = ""

    def __init__(self) -> None:
        self._in_title = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002
        self._in_title = tag.endswith("}title")

    def end(self, tag: str) -> None:  # noqa: ARG002
        self._in_title = False

    def data(self, text: str) -> None:
        if self._in_title and len(self.title) < 1000:
            self.title += text

    def close(self) -> None:
        """Nothing is left to do at the end."""


class _Body:
    """Hears the main part, and gathers its paragraphs under their headings."""

    def __init__(self, levels: Mapping[str, int], max_characters: int) -> None:
        self.truncated = False
        self._levels = levels
        self._room = max_characters
        self._room_in_tables = max_characters  # for what is written, with the columns' names in every line
        self._sections = [Section()]
        self._open: list[_Paragraph] = []  # more than one inside a text box
        self._tables: list[_Table] = []  # the outermost first
        self._skipping = 0
        self._in_text = False
        self._last_was_item = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = _local(tag)
        if self._skipping or name in SKIPPED or tag.endswith("}Fallback"):
            self._skipping += 1
        elif name == "p":
            self._open.append(_Paragraph())
        elif name in ("tbl", "tr", "tc"):
            self._start_table(name)
        elif self._open:
            self._start_in_paragraph(self._open[-1], name, _value(attributes))

    def end(self, tag: str) -> None:
        name = _local(tag)
        if self._skipping:
            self._skipping -= 1
        elif name == "t":
            self._in_text = False
        elif name == "p" and self._open:
            self._end_paragraph(self._open.pop())
        elif name in ("tc", "tbl"):
            self._end_table(name)

    def data(self, text: str) -> None:
        if not self._in_text or self._skipping or not self._open:
            return
        self._open[-1].text.append(text[: self._room])
        self._room -= len(text.encode("utf-16-le", "surrogatepass")) // 2  # as it is written in the answer
        if self._room < 0 or len(self._sections) > MAX_SECTIONS:
            self.truncated = True
            self._close_all()
            raise StopIteration

    def close(self) -> None:
        self._close_all()

    def sections(self) -> list[Section]:
        """The sections that say something; a title ranks above every heading."""
        has_title = any(section.heading and section.level == TITLE_LEVEL for section in self._sections)
        for section in self._sections:
            section.level = min(section.level + has_title, MOST_LEVELS)
        return [section for section in self._sections if section.heading or section.paragraphs]

    def _start_table(self, name: str) -> None:
        if name == "tbl":
            self._tables.append(_Table())
        elif self._tables and name == "tr":
            self._tables[-1].rows.append([])
        elif self._tables:
            self._tables[-1].cell = []

    def _start_in_paragraph(self, paragraph: _Paragraph, name: str, value: str) -> None:
        if name == "t":
            self._in_text = True
        elif name in ("tab", "noBreakHyphen"):
            paragraph.text.append("-" if name == "noBreakHyphen" else " ")
        elif name in ("br", "cr"):
            paragraph.text.append("\n")
        elif name == "pStyle":
            paragraph.style = value
        elif name == "outlineLvl" and value.isdecimal():
            paragraph.level = int(value) + 1
        elif name == "numId":
            paragraph.is_item = value != "0"

    def _end_paragraph(self, paragraph: _Paragraph) -> None:
        text = "".join(paragraph.text).strip()
        if not text:
            return
        if self._tables:
            if self._tables[-1].cell is not None:
                self._tables[-1].cell.append(" ".join(text.split()))
            return
        level = paragraph.level or self._levels.get(paragraph.style or "", BODY_LEVEL + 1)
        if level <= BODY_LEVEL:
            self._sections.append(Section(" ".join(text.split()), level))
        else:
            self._add(f"- {text}" if paragraph.is_item else text, joined=paragraph.is_item)

    def _end_table(self, name: str) -> None:
        if not self._tables:
            return
        table = self._tables[-1]
        if name == "tc":
            if table.rows and table.cell is not None:
                table.rows[-1].append(" ".join(table.cell))
            table.cell = None
            return
        self._tables.pop()
        lines, is_all = lines_of([row for row in table.rows if any(row)], self._room_in_tables)
        self._room_in_tables -= sum(map(len, lines))
        self.truncated = self.truncated or not is_all
        if self._tables:
            if self._tables[-1].cell is not None:  # a table in a cell of another is part of its text
                self._tables[-1].cell.extend(line.replace("\t", " ") for line in lines)
        elif lines:
            self._add("\n".join(lines))

    def _add(self, text: str, *, joined: bool = False) -> None:
        """Adds a paragraph; the items of a list are one paragraph, a line each."""
        paragraphs = self._sections[-1].paragraphs
        if joined and self._last_was_item and paragraphs:
            paragraphs[-1] = f"{paragraphs[-1]}\n{text}"
        else:
            paragraphs.append(text)
        self._last_was_item = joined

    def _close_all(self) -> None:
        """What is still open where the reading ends."""
        while self._tables:
            self._end_table("tc")
            self._end_table("tbl")
        while self._open:
            self._end_paragraph(self._open.pop())


def _local(tag: str) -> str:
    """A tag's name if it is one of Word's own, else nothing."""
    for namespace in NAMESPACES:
        if tag.startswith(namespace):
            return tag[len(namespace) :]
    return ""


def _value(attributes: Mapping[str, str]) -> str:
    return _attribute(attributes, "val")


def _attribute(attributes: Mapping[str, str], name: str) -> str:
    return next((attributes[space + name] for space in NAMESPACES if space + name in attributes), "")


def _level_of_name(name: str) -> int | None:
    if name in TITLE_STYLES:
        return TITLE_LEVEL
    rank = name.removeprefix("heading ")
    return int(rank) if rank != name and rank.isdecimal() and len(rank) == 1 else None
