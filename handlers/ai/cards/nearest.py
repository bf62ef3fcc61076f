"""Finds the words of a text that come closest to a quote: what a model quotes is often not quite there.

It misspells, drops a bracket, or joins what a line break parts. A quote counts as found from
`LEAST_RATIO` on (0.8, the share of equal letters as `difflib` counts them), if no number in it is
different and it says no where the text says no; then the text's own words take its place.
"""

# ruff: noqa: RUF001
# Curly quotes are meant: they are what texts contain.

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from handlers.ai.cards.compare import WORD, fold, numbers, says_no

LEAST_RATIO = 0.8
LEAST_WORDS = 3  # fewer have to be there literally: "in 1918" is close to "in 1919"
LONGEST_QUOTE = 60  # words: whoever needs more quotes no fact
_PLACES = 200  # of one word: a frequent one tells little about where a quote stands
_ALIGNMENTS = 4
_SLACK = 4  # words left and right of where the quote should be

_CLOSING = re.compile(r"[.!?…]*[\"'”’»)\]]*[.!?…]*")


class WordIndex:
    """A text whose words can be looked up."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = [*WORD.finditer(text)]
        self._words = [fold(match.group()) for match in found]
        self._ends = [match.end() for match in found]
        self._starts = [match.start() for match in found]
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(self._words):
            if len(self._places[word]) < _PLACES:
                self._places[word].append(place)

    def literal(self, quote: str) -> Iterator[tuple[int, int]]:
        """Where the quote stands letter for letter, as whole words."""
        start = self.text.find(quote) if quote else -1
        while start >= 0:
            end = start + len(quote)
            if not _cuts_word(self.text, start) and not _cuts_word(self.text, end):
                yield start, end
            start = self.text.find(quote, start + 1)

    def nearest(self, quote: str) -> tuple[int, int] | None:
        """The span that comes closest to the quote, if it comes close enough."""
        words = [fold(word) for word in WORD.findall(quote)]
        if not LEAST_WORDS <= len(words) <= LONGEST_QUOTE:
            return None
        best, best_ratio = None, LEAST_RATIO
        for first, last in self._alignments(words):
            start, end = self._starts[first], self._ends[last]
            ratio = _ratio(" ".join(self._words[first : last + 1]), " ".join(words))
            if ratio >= best_ratio and _says_the_same(quote, self.text[start:end]):
                best, best_ratio = (start, end), ratio
        if best is None:
            return None
        closing = _CLOSING.match(self.text, best[1])
        return best[0], closing.end() if closing and quote.rstrip()[-1:] in ".!?…)”»" else best[1]

    def _alignments(self, words: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Ranges of words, first and last, in which many of the quote's words stand as they should."""
        votes: Counter[int] = Counter()
        for index, word in enumerate(words):
            votes.update(place - index for place in self._places.get(word, ()))
        for begin, _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))[:_ALIGNMENTS]:
            low = max(0, begin - _SLACK)
            window = self._words[low : begin + len(words) + _SLACK]
            blocks = SequenceMatcher(None, window, words, autojunk=False).get_matching_blocks()[:-1]
            if blocks:
                yield low + blocks[0].a, low + blocks[-1].a + blocks[-1].size - 1
            exact_end = min(begin + len(words), len(self._words)) - 1
            if exact_end >= max(begin, 0):
                yield max(begin, 0), exact_end


def _ratio(one: str, other: str) -> float:
    letters = SequenceMatcher(None, one, other, autojunk=False)
    return letters.ratio() if letters.quick_ratio() >= LEAST_RATIO else 0.0


def _says_the_same(quote: str, span: str) -> bool:
    return numbers(quote) <= numbers(span) and says_no(quote) == says_no(span)


def _cuts_word(text: str, at: int) -> bool:
    """Whether a word goes on across this place; scripts without spaces know no such words."""
    around = text[max(at - 1, 0) : at + 1]
    return 0 < at < len(text) and around.isalnum() and max(around) < "\u2e80"
