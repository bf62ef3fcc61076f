"""The terms that a text explains, found again in its other sentences: what card rule 4 may ask for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from handlers.ai.text.grammars import grammar_of
from handlers.ai.text.languages import stop_words
from handlers.ai.text.structure import Sentence

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")  # noqa: RUF001


class KnownTerms:
    """Finds terms in sentences, in time that does not grow with the number of terms."""

    def __init__(self, terms: Iterable[str], language: str | None) -> None:
        self._terms = {term.lower() for term in terms} - stop_words(language)
        lengths: dict[str, set[int]] = defaultdict(set)
        for term in self._terms:
            for match in islice(_WORD.finditer(term), 1):
                lengths[match.group()].add(len(term))
        self._lengths = {word: sorted(found, reverse=True) for word, found in lengths.items()}

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a term stands, as whole words; the longest one where several begin."""
        lowered = text.lower()
        if len(lowered) != len(text):  # a few letters change their length in lower case
            return
        for match in _WORD.finditer(lowered):
            for length in self._lengths.get(match.group(), ()):
                end = match.start() + length
                if lowered[match.start() : end] in self._terms and not lowered[end : end + 1].isalnum():
                    yield match.start(), end
                    break


def called_terms(sentences: Sequence[Sentence], language: str | None) -> list[str]:
    """Terms that the text introduces with "called" or "known as", up to two words each."""
    grammar = grammar_of(language)
    if not grammar.naming:
        return []
    naming = "|".join(map(re.escape, grammar.naming))
    pattern = re.compile(rf"\b(?:{naming})\s(?:the\s|an?\s)?([^\W\d_][\w-]*(?:\s[^\W\d_][\w-]*)?)(?=[.,;)])")
    return [match[1] for sentence in sentences for match in pattern.finditer(sentence.text)]
