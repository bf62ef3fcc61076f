"""What the readers of all kinds of text return: paragraphs under their headings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_TITLE = 120
MAX_SECTIONS = 20_000  # each takes room in the decoder's answer, however short it is


@dataclass
class Section:
    """The paragraphs under one heading; the first section of a text may have none."""

    heading: str | None = None
    level: int = 0
    paragraphs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Cue:
    """A line of subtitles: when it is shown, in seconds from the beginning."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Text:
    """A file's text. `marked_up`: its paragraphs came from Markdown, one line each unless they are code."""

    sections: Sequence[Section] = ()
    cues: Sequence[Cue] = ()
    title: str | None = None
    marked_up: bool = False
    truncated: bool = False
    notes: Sequence[str] = ()


def title_of(sections: Sequence[Section]) -> str | None:
    """The first heading, or the first line of a text that begins without one."""
    for section in sections:
        if section.heading:
            return section.heading
        if section.paragraphs:
            return section.paragraphs[0].split("\n")[0][:MAX_TITLE]
    return None
