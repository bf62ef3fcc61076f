"""Cleans what the decoders read, before anything is understood or stored.

Removes what jsonb refuses (NUL, lone surrogates), what no reader sees (soft hyphens, zero-width marks),
and what belongs to the layout and not to the text: hyphens at line ends, headers and page numbers that
repeat from page to page.
"""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from handlers.outputs import Passage

MAX_CHARACTERS = 200_000  # of a file's content, all passages together
LONGEST_RUNNING_LINE = 120  # characters: what is longer is text, however often it is repeated
REPEATED_ON_PAGES = 3  # a line on that many pages, and on half of them, is a header or footer

_INVISIBLE = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\\xad\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2064\\u2066-\\u2069\\ufeff\\ud800-\\udfff]"
)
_LINE_END_HYPHEN = re.compile(r"(?<=[^\W\d_])(?:[-\u2010]|\x02|\ufffe)\n(?=[a-zß-öø-ÿ])")
_PDF_HYPHEN = re.compile("(?:\\x02|\\ufffe)\\n?")
_SPACES = re.compile(r"[ \u00a0\u2000-\u200a\u202f\u3000]+")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_PAGE_NUMBER = re.compile(
    r"(?:page|seite|página|p\.)?\s*+(?:[-–]\s*+)?\d{1,4}\s*+[-–]?(?:\s*+(?:/|of|von|de|sur)\s*+\d{1,4})?",
    re.I,
)


def clean_text(text: str) -> str:
    """One passage without invisible characters and line-end hyphens; line breaks and tabs stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LIGATURES)
    text = _PDF_HYPHEN.sub("", _LINE_END_HYPHEN.sub("", text))
    text = _INVISIBLE.sub("", text)
    return _SPACES.sub(" ", text).strip()


def clean_passages(passages: Sequence[Passage]) -> list[Passage]:
    """The passages that still say something, cleaned and cut to `MAX_CHARACTERS` in total."""
    cleaned = [passage.model_copy(update={"text": clean_text(passage.text)}) for passage in passages]
    kept: list[Passage] = []
    room = MAX_CHARACTERS
    for passage in _without_running_lines(cleaned):
        text = passage.text[:room].strip()
        if text:
            kept.append(passage.model_copy(update={"text": text}))
            room -= len(text)
    return kept


def _without_running_lines(passages: Sequence[Passage]) -> list[Passage]:
    pages = [passage for passage in passages if passage.page is not None]
    if len(pages) < REPEATED_ON_PAGES:
        return list(passages)
    on_pages = Counter(line for page in pages for line in set(_edge_lines(page.text)))
    least = max(REPEATED_ON_PAGES, len(pages) / 2)
    running = {
        line for line, count in on_pages.items() if count >= least and len(line) <= LONGEST_RUNNING_LINE
    }
    return [
        passage if passage.page is None else passage.model_copy(update={"text": _drop(passage.text, running)})
        for passage in passages
    ]


def _edge_lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[:2] + lines[-2:]


def _drop(text: str, running: set[str]) -> str:
    """A page without its running lines, or as it was if nothing else is on it (a form letter's page)."""
    lines = text.splitlines()
    edges = {index for index, line in enumerate(lines) if line.strip()}
    first_and_last = {min(edges), max(edges)} if edges else set()
    kept = [
        line
        for index, line in enumerate(lines)
        if line.strip() not in running
        and not (index in first_and_last and _PAGE_NUMBER.fullmatch(line.strip()))
    ]
    return "\n".join(kept if any(map(str.strip, kept)) else lines)
