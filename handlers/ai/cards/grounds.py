"""A file's text as the ground of its cards: where a quote stands, on which page, at which second.

`cards_of_proposals` asks it for every quote of a model. The page or time that the model names only decides
between several places where the same words stand.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice

from handlers.ai.cards.compare import flat
from handlers.ai.cards.nearest import WordIndex
from handlers.ai.text.markup import plain_inline
from handlers.ai.text.structure import Block, Sentence

_PLACES_TO_CHOOSE_FROM = 50


class Grounds:
    """The blocks of a file as one text with single spaces."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = [block for block in blocks if block.text.strip()]
        self._starts: list[int] = []
        texts: list[str] = []
        length = 0
        for block in self._blocks:
            self._starts.append(length)
            texts.append(flat(block.text))
            length += len(texts[-1]) + 1
        self.index = WordIndex(" ".join(texts))

    @property
    def text(self) -> str:
        return self.index.text

    def find(
        self, quote: str, page: int | None = None, time_s: float | None = None
    ) -> tuple[int, Sentence] | None:
        """The file's own words for a quote, and where they begin; `None` if they are not in the file."""
        for wanted in dict.fromkeys((flat(quote), plain_inline(quote))):
            places = [*islice(self.index.literal(wanted), _PLACES_TO_CHOOSE_FROM)]
            if places:
                start, end = self._nearest_to(places, page, time_s)
                return start, self._sentence(start, end)
        place = self.index.nearest(quote)
        return (place[0], self._sentence(*place)) if place else None

    def _nearest_to(
        self, places: Iterable[tuple[int, int]], page: int | None, time_s: float | None
    ) -> tuple[int, int]:
        def distance(place: tuple[int, int]) -> float:
            block = self._block_at(place[0])
            far_by_page = abs(block.page - page) if page and block.page else 0
            time = _time_at(block, place[0] - self._start_of(place[0]))
            return far_by_page + (abs(time - time_s) if time_s is not None and time is not None else 0.0)

        return min(places, key=distance)

    def _sentence(self, start: int, end: int) -> Sentence:
        block = self._block_at(start)
        begin = self._start_of(start)
        return Sentence(
            text=self.text[start:end],
            kind=block.kind,
            page=block.page,
            time_s=_time_at(block, start - begin),
            section=block.section,
            opens_block=start == begin,
            is_whole=False,
        )

    def _block_at(self, offset: int) -> Block:
        return self._blocks[bisect_right(self._starts, offset) - 1]

    def _start_of(self, offset: int) -> int:
        return self._starts[bisect_right(self._starts, offset) - 1]


def _time_at(block: Block, offset: int) -> float | None:
    reached = bisect_right(block.times, offset, key=lambda time: time[0])
    return block.times[reached - 1][1] if reached else block.time_s
