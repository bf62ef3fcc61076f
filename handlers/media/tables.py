"""Reads tables that are written as text: CSV with any of the usual separators, and the tables of other files.

A table of two columns becomes lines of a term, a tab and its definition. In a wider one every cell is told
with the name of its column, since a line has to be understood without the ones above it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence

from handlers.media.limits import Limits
from handlers.media.sections import Section, Text

MAX_ROWS = 5_000
MAX_COLUMNS = 100
SAMPLE_LINES = 40
SEPARATORS = (",", ";", "\t", "|")
LONGEST_NAME = 40  # characters of a column's name
LONGEST_QUOTED = 20_000  # characters of a cell: what is longer is a quote that was never closed
_SEPARATOR_LINE = re.compile(r"sep=(.)\n", re.I)  # Excel's own
_NUMBER = re.compile(r"[-+]?[\d.,]*\d\s*%?")

csv.field_size_limit(2**31 - 1)


def read(text: str, separator: str | None, notes: Sequence[str], limits: Limits) -> Text:
    """The rows of a file as one paragraph; `separator` is found out where it is not given."""
    most = limits.max_text_characters
    text, truncated = text[:most], len(text) > most
    told = _SEPARATOR_LINE.match(text)
    if told:
        separator, text = told[1] if told[1] in SEPARATORS else None, text[told.end() :]
    rows = rows_of(text, separator or _separator_of(text))
    if len(rows) > MAX_ROWS:
        notes = (*notes, f"table: only the first {MAX_ROWS:,} rows were read")
    lines, is_all = lines_of(rows[:MAX_ROWS], most)
    return Text([Section(paragraphs=["\n".join(lines)])], truncated=truncated or not is_all, notes=notes)


def rows_of(text: str, separator: str) -> list[list[str]]:
    """The cells of every row that has any, one more row than is wanted; a cell is one line."""
    rows = _rows(text, separator, csv.QUOTE_MINIMAL)
    if any(len(cell) > LONGEST_QUOTED for row in rows for cell in row):
        rows = _rows(text, separator, csv.QUOTE_NONE)
    return rows


def lines_of(rows: Sequence[Sequence[str]], max_characters: int) -> tuple[list[str], bool]:
    """Every row as a line, its cells parted by tabs; False if that would be more than so many characters.

    It can be much more than was read, since the columns' names are repeated in every line.
    """
    names = _names(rows) if rows else None
    lines: list[str] = []
    for row in rows if names is None else rows[1:]:
        line = "\t".join(row) if names is None else _with_names(row, names)
        max_characters -= len(line)
        if max_characters < 0:
            return lines, False
        if line:
            lines.append(line)
    return lines or ["\t".join(row) for row in rows[:1]], True


def _rows(text: str, separator: str, quoting: int) -> list[list[str]]:
    rows: list[list[str]] = []
    lines = text.splitlines(keepends=True)
    for cells in csv.reader(lines, delimiter=separator, quoting=quoting, skipinitialspace=True):  # type: ignore[arg-type]
        row = [" ".join(cell.split()) for cell in cells[:MAX_COLUMNS]]
        while row and not row[-1]:
            row.pop()
        if row:
            rows.append(row)
        if len(rows) > MAX_ROWS:
            break
    return rows


def _separator_of(text: str) -> str:
    """The one that cuts most of the first lines into equally many cells."""
    sample = "".join(text[:100_000].splitlines(keepends=True)[:SAMPLE_LINES])

    def rows_alike(separator: str) -> int:
        widths = Counter(len(row) for row in _rows(sample, separator, csv.QUOTE_MINIMAL))
        widths.pop(1, None)
        return max(widths.values(), default=0)

    return max(SEPARATORS, key=rows_alike)


def _names(rows: Sequence[Sequence[str]]) -> Sequence[str] | None:
    """The names of the columns, for a table of more than two: a first row of short and different words."""
    first = rows[0]
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    if len(first) < max(3, usual) or len(rows) < 2 or len({name.lower() for name in first}) < len(first):
        return None
    is_name = (bool(name) and len(name) <= LONGEST_NAME and not _NUMBER.fullmatch(name) for name in first)
    return first if all(is_name) else None


def _with_names(row: Sequence[str], names: Sequence[str]) -> str:
    return "\t".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=False) if cell)
