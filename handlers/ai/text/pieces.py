"""Cuts text so that no pattern ever sees much of it at once: between a file's blocks and the rules.

The text comes from strangers, the rules are regular expressions, and while one of those runs, no other
thread of the worker does. So every rule that looks further than a character or two reads pieces: however
slow a pattern is on its worst text, the work grows with the number of pieces and no faster.
"""

from __future__ import annotations

from collections.abc import Iterator

LONGEST_PIECE = 4_000  # characters: more than almost any paragraph has
_SENTENCE_ENDS = (". ", "! ", "? ", "。")


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """The whole text, piece by piece, each with its offset; cut behind a sentence where that is possible."""
    start = 0
    while len(text) - start > LONGEST_PIECE:
        end = _cut(text, start + LONGEST_PIECE // 2, start + LONGEST_PIECE)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _cut(text: str, least: int, most: int) -> int:
    """Behind the last sentence that ends in the span, else behind its last word, else at its end."""
    ends = [found + len(mark) for mark in _SENTENCE_ENDS if (found := text.rfind(mark, least, most)) >= 0]
    return max(ends) if ends else text.rfind(" ", least, most) + 1 or most
