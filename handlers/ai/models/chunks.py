"""Cuts a file's text into parts that a provider takes at once, at headings where that is possible.

A part is our own rendering of the file's blocks, with marks that say where in the file what follows stands:
[page 3], [time 61.5]. The quotes of the answer are looked up in the file, so a mark in the file's own text
misleads nobody but the model.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from handlers.ai.text.sentences import split_sentences
from handlers.ai.text.structure import Block

CHARACTERS_PER_TOKEN = 4  # an approximation for English; other languages have fewer, so parts get smaller
TIME_MARK_SECONDS = 15.0  # between two marks within one paragraph of subtitles
FULL_ENOUGH = 0.5  # of the size: such a part ends before the next heading
PIECES_PER_PART = 8  # at least, or a part could not be halved
LONGEST_HEADING = 200  # characters
MAX_SPLITS = 3  # a part whose answer was cut is halved so often


@dataclass(frozen=True)
class Piece:
    """What is kept together: a heading, a list item, a row, or a few sentences of a paragraph."""

    text: str
    mark: str | None  # where it stands
    is_heading: bool
    section: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Consecutive pieces of a file. `place` orders parts, and halves of parts, as they stand in the file."""

    place: tuple[int, ...]
    pieces: tuple[Piece, ...]

    def text(self) -> str:
        """The part as the provider reads it; one from amidst a section begins with its headings."""
        first = self.pieces[0]
        lines = [f"# {heading}" for heading in first.section]
        mark = None
        for piece in self.pieces:
            if piece.mark != mark and piece.mark:
                lines.append(f"[{piece.mark}]")
            mark = piece.mark
            lines.append(f"# {piece.text}" if piece.is_heading else piece.text)
        return "\n".join(lines)

    def words(self) -> int:
        """How much there is to ask about."""
        return sum(len(piece.text.split()) for piece in self.pieces if not piece.is_heading)

    def halves(self) -> Sequence[Part]:
        """Two parts of about the same length; nothing where it cannot be cut or was cut often enough."""
        if len(self.pieces) < 2 or len(self.place) > MAX_SPLITS:
            return ()
        half, length = sum(len(piece.text) for piece in self.pieces) / 2, 0
        for index, piece in enumerate(self.pieces[:-1], 1):
            length += len(piece.text)
            if length >= half or index == len(self.pieces) - 1:
                break
        return (Part((*self.place, 0), self.pieces[:index]), Part((*self.place, 1), self.pieces[index:]))


def parts_of(blocks: Sequence[Block], tokens: int) -> list[Part]:
    """The text in parts of about so many tokens, in reading order."""
    size = tokens * CHARACTERS_PER_TOKEN
    parts: list[Part] = []
    gathered: list[Piece] = []
    length = 0
    for piece in (piece for block in blocks for piece in _pieces(block, size // PIECES_PER_PART)):
        is_good_end = piece.is_heading and length >= FULL_ENOUGH * size
        if gathered and (length + len(piece.text) > size or is_good_end):
            parts.append(Part((len(parts),), tuple(gathered)))
            gathered, length = [], 0
        gathered.append(piece)
        length += len(piece.text)
    if gathered:
        parts.append(Part((len(parts),), tuple(gathered)))
    return parts


def _pieces(block: Block, size: int) -> Iterator[Piece]:
    if block.kind == "heading":
        yield Piece(block.text[:LONGEST_HEADING], _mark(block.page, block.time_s), True, ())
        return
    section = tuple(heading[:LONGEST_HEADING] for heading in block.section)
    if not block.times and len(block.text) <= size:
        yield Piece(block.text, _mark(block.page, block.time_s), False, section)
        return
    for start, end in _spans(block, size):
        time_s = _time_at(block, start)
        yield Piece(block.text[start:end].strip(), _mark(block.page, time_s), False, section)


def _spans(block: Block, size: int) -> Iterator[tuple[int, int]]:
    """Sentences together as far as they belong to one place and fit; one that is too long is cut anyhow."""
    starts = [offset for offset, _ in split_sentences(block.text)] or [0]
    begin, since = 0, _time_at(block, 0)
    for start, end in zip(starts, [*starts[1:], len(block.text)], strict=True):
        time_s = _time_at(block, start)
        is_later = time_s is not None and since is not None and time_s - since >= TIME_MARK_SECONDS
        if start > begin and (end - begin > size or is_later):
            yield begin, start
            begin, since = start, time_s
        while end - begin > size:
            yield begin, begin + size
            begin += size
    if begin < len(block.text):
        yield begin, len(block.text)


def _time_at(block: Block, offset: int) -> float | None:
    reached = bisect_right(block.times, offset, key=lambda time: time[0])
    return block.times[reached - 1][1] if reached else block.time_s


def _mark(page: int | None, time_s: float | None) -> str | None:
    if page is not None:
        return f"page {page}"
    return f"time {time_s:g}" if time_s is not None else None
