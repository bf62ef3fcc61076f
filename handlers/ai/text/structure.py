"""Reads a file's passages as headings, paragraphs, list items and rows, and those as sentences.

Both the analysis and the cards start from here. Text comes as Markdown, as plain text, as hard-wrapped
lines from a PDF, as the short lines of a slide, or as subtitle cues that cut sentences anywhere; what
comes out is the same for all: sentences that know their headings and where in the file they stand.
"""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from handlers.ai.text.markup import Line, LineKind, plain_lines
from handlers.ai.text.pieces import pieces
from handlers.ai.text.sentences import split_sentences
from handlers.outputs import Passage

BlockKind = Literal["heading", "prose", "item", "row"]

CUE_GAP_SECONDS = 6.0  # a longer silence between subtitles ends the paragraph
FULL_LINE = 0.6  # of the longest line: a shorter one was not wrapped, it ends its paragraph
NEARLY_FULL_LINE = 0.8
WORDS_PER_SENTENCE = 40  # more words than that per full stop: not prose
_END = (".", "!", "?", "…", ":", "。", "！", "？")
_SOUND = re.compile(
    r"\[[^\]]{1,60}\]|\((?:music|applause|laughter|Musik|musique|música)[^)]{0,40}\)|[♪♫]+", re.I
)
_SPEAKER_DASH = re.compile(r"^[-–—]\s*")


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph, a list item or a table row (cells parted by tabs)."""

    kind: BlockKind
    text: str
    page: int | None = None
    time_s: float | None = None
    section: tuple[str, ...] = ()  # the headings above it, outermost first
    times: tuple[tuple[int, float], ...] = ()  # subtitles: from which offset on which second counts


@dataclass(frozen=True)
class Sentence:
    """One sentence, or one list item or table row, with its place in the file."""

    text: str
    kind: BlockKind
    page: int | None
    time_s: float | None
    section: tuple[str, ...]
    opens_block: bool
    is_whole: bool  # a list item, or a line of a slide: it may lack its full stop


def read_blocks(passages: Sequence[Passage]) -> list[Block]:
    """The blocks of a file in reading order."""
    return list(_with_sections(_raw_blocks(passages)))


def read_sentences(blocks: Sequence[Block]) -> list[Sentence]:
    """The sentences of all blocks but headings, in reading order."""
    return [sentence for block in blocks if block.kind != "heading" for sentence in _sentences_of(block)]


def _sentences_of(block: Block) -> Iterator[Sentence]:
    parts = [*pieces(block.text)] if block.kind == "row" else split_sentences(block.text)
    for offset, text in parts:
        reached = bisect_right(block.times, offset, key=lambda time: time[0])
        time_s = block.times[reached - 1][1] if reached else block.time_s
        is_whole = block.kind == "item" or (block.page is None and not block.times and len(parts) == 1)
        yield Sentence(text, block.kind, block.page, time_s, block.section, offset == 0, is_whole)


def _with_sections(blocks: Iterator[tuple[Block, int]]) -> Iterator[Block]:
    path: list[tuple[int, str]] = []
    for block, level in _with_title(list(blocks)):
        if block.kind == "heading":
            path = [entry for entry in path if entry[0] < level]
        section = tuple(text for _, text in path)
        yield Block(block.kind, block.text, block.page, block.time_s, section, block.times)
        if block.kind == "heading":
            path.append((level, block.text))


def _with_title(blocks: list[tuple[Block, int]]) -> list[tuple[Block, int]]:
    """A heading that another one follows at once, at the very beginning, is the title of the whole."""
    if len(blocks) > 1 and all(block.kind == "heading" for block, _ in blocks[:2]):
        return [(blocks[0][0], 0), *blocks[1:]]
    return blocks


def _raw_blocks(passages: Sequence[Passage]) -> Iterator[tuple[Block, int]]:
    cues: list[Passage] = []
    for passage in passages:
        if passage.time_s is not None:
            if cues and passage.time_s - (cues[-1].time_s or 0.0) > CUE_GAP_SECONDS:
                yield from _paragraph_of_cues(cues)
                cues = []
            cues.append(passage)
            continue
        yield from _paragraph_of_cues(cues)
        cues = []
        yield from _blocks_of_page(passage)
    yield from _paragraph_of_cues(cues)


def _paragraph_of_cues(cues: Sequence[Passage]) -> Iterator[tuple[Block, int]]:
    text = ""
    times: list[tuple[int, float]] = []
    for cue in cues:
        lines = (_SPEAKER_DASH.sub("", _SOUND.sub("", line).strip()) for line in cue.text.splitlines())
        spoken = " ".join(" ".join(lines).split())
        if spoken:
            times.append((len(text), cue.time_s or 0.0))
            text += spoken + " "
    if text:
        yield Block("prose", text.strip(), None, times[0][1], times=tuple(times)), 0


def _blocks_of_page(passage: Passage) -> Iterator[tuple[Block, int]]:
    lines = plain_lines(passage.text)
    width = _wrap_width(lines)
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        if line.kind is LineKind.BLANK:
            continue
        if line.kind is LineKind.HEADING:
            yield Block("heading", line.text.rstrip(": "), passage.page), line.level
            continue
        if line.kind is LineKind.ROW:
            yield Block("row", line.text, passage.page), 0
            continue
        if _looks_like_heading(lines, index - 1):
            # A plain heading's rank is unknown: below every marked one, beside every other plain one.
            yield Block("heading", line.text.rstrip(": "), passage.page), 7
            continue
        kind: BlockKind = "item" if line.kind is LineKind.ITEM else "prose"
        text = line.text
        while index < len(lines) and _continues(text, lines[index - 1], lines[index], width):
            text += " " + lines[index].text
            index += 1
        yield Block(kind, text, passage.page), 0


def _wrap_width(lines: Sequence[Line]) -> int | None:
    """How long the lines of running prose are; `None` for a slide or a list, where a line says one thing."""
    texts = [line.text for line in lines if line.kind is LineKind.TEXT]
    words = sum(len(text.split()) for text in texts)
    ends = sum(len(re.findall(r"[^\W\d][.!?…](?:\s|$)", text)) for text in texts)
    if not texts or ends * WORDS_PER_SENTENCE < words:
        return None
    return max(map(len, texts))


def _continues(text: str, previous: Line, line: Line, width: int | None) -> bool:
    """Whether `line` goes on with the paragraph or list item that `text` began."""
    if line.kind is not LineKind.TEXT:
        return False
    opener = line.text.lstrip("\"'“‘„«([")[:1]
    if opener.islower() or text.endswith((",", ";", "-", "–", "(")):
        return True
    if width is None:
        return False
    # The next sentence of a paragraph may open a line, if the line before was full to the margin.
    full = NEARLY_FULL_LINE if text.endswith(_END) else FULL_LINE
    return len(previous.text) > max(40, full * width)


def _looks_like_heading(lines: Sequence[Line], index: int) -> bool:
    line = lines[index]
    if line.kind is not LineKind.TEXT or not _is_title_shaped(line.text):
        return False
    following = next(
        (later for later in lines[index + 1 : index + 4] if later.kind is not LineKind.BLANK), None
    )
    if following is None or (following.kind is LineKind.TEXT and not following.text[:1].isupper()):
        return False
    before = lines[index - 1] if index else None
    stands_apart = before is None or before.kind is not LineKind.TEXT or before.text.endswith(_END)
    apart_below = lines[index + 1].kind is not LineKind.TEXT
    return stands_apart and (apart_below or index == 0 or len(line.text) < 0.5 * len(lines[index + 1].text))


def _is_title_shaped(text: str) -> bool:
    if len(text) > 70 or len(text.split()) > 8 or not any(character.isalpha() for character in text):
        return False
    if not (text[0].isupper() or text[0].isdigit()) or text.endswith((".", ",", ";", "!", "?", "…", "。")):
        return False
    return ": " not in text and " = " not in text and "\t" not in text
