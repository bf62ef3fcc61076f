"""The card rules run in the worker itself: any text gives cards that keep every promise, in bounded time."""

# ruff: noqa: RUF001
# Curly quotes and dashes are meant: they are what texts contain.

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

from handlers.ai.cards.compare import flat, normalise
from handlers.ai.cards.deck import make_cards
from handlers.ai.offline import OfflineProvider
from handlers.ai.provider import ExtractedFile
from handlers.ai.text.clean import clean_passages, clean_text
from handlers.ai.text.structure import read_blocks
from handlers.outputs import Analysis, Card, Passage
from handlers.testing import FakeContext
from tests.unit.fuzzing import fuzz

MOST_SECONDS = 5.0  # for some thousand characters, on a busy machine
LARGEST_DECK = 1_000
PIECES = (
    *(
        "A delta is the land that forms where a river meets the sea. ",
        "Delta: land at the mouth of a river\n",
    ),
    *(
        "The French Revolution began in 1789 in Paris. ",
        "World Health Organization (WHO) ",
        "is a ",
        "are the ",
    ),
    *(
        "Die Photosynthese ist ein Vorgang, bei dem Licht zu Zucker wird. ",
        "La photosynthèse est un processus. ",
    ),
    *(
        "El río Amazonas es el más largo de América del Sur. ",
        "refers to ",
        "means ",
        "was born on 4 July 1776. ",
    ),
    *(
        "# ",
        "## Rivers\n",
        "- ",
        "* ",
        "> ",
        "1. ",
        "```\n",
        "| a | b |\n|---|---|\n",
        "\t",
        "\n",
        "\n\n",
        " ",
    ),
    *("[x](y)", "![", "**", "_", "<b>", "<!--", "-->", "{{c1::", "}}", "$x^2$", "&amp;", "\\", "---\n"),
    *(
        "e.g. ",
        "Dr. ",
        "3.14 km",
        "1,000,000 ",
        "50 %",
        "…",
        "?",
        "!",
        "(",
        ")",
        '"',
        "’",
        "“",
        "—",
        ":",
        ";",
    ),
    *(
        "\u202e",
        "\u200b",
        "\u0301" * 9,
        "\U0001f40d",
        "漢字は文字です。",
        "العربية ",
        "ﬁ",
        "ß",
        "İ",
        "\x00",
        "\ud800",
    ),
)
TEXTS = st.lists(
    st.sampled_from(PIECES)
    | st.text(st.characters(codec=None), max_size=12)
    | st.tuples(st.sampled_from(PIECES), st.integers(2, 200)).map(lambda pair: pair[0] * pair[1]),
    max_size=60,
).map("".join)


def check_card(card: Card, source: str) -> None:
    """`source` is the file's text without its markup."""
    assert flat(card.source.quote) in flat(source)
    assert flat(card.back) in flat(card.source.quote)
    assert f" {normalise(card.back)} " not in f" {normalise(card.front)} ", "the question holds its answer"
    assert card.front.strip()
    assert card.back.strip()
    card.model_dump_json().encode()


def test_any_text_gives_cards_that_keep_their_promises(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    cards = 0

    def check(texts: list[str]) -> None:
        nonlocal cards
        began = time.monotonic()
        content = clean_passages([Passage(text=text, page=n) for n, text in enumerate(texts, 1)])
        title = clean_text(texts[0])
        source = ExtractedFile(kind="text", file_name="a.txt", passages=content, title=title)
        said = OfflineProvider().analyze(source, FakeContext(tmp_path))
        analysis = Analysis(
            kind="text",
            mime_type="text/plain",
            title=said.title,
            summary=said.summary,
            language=said.language,
            topics=said.topics,
            key_terms=said.key_terms,
            content=content,
            content_sha256="",
        )
        deck = make_cards(analysis)
        assert time.monotonic() - began < MOST_SECONDS

        analysis.model_dump_json().encode()  # no lone surrogate
        text = " ".join(block.text for block in read_blocks(content))
        for card in deck.cards:
            check_card(card, text)
            cards += 1
        assert len({card.key for card in deck.cards}) == len(deck.cards) <= LARGEST_DECK

    fuzz(pytestconfig, st.lists(TEXTS, min_size=1, max_size=4), check)
    assert cards, "texts that give cards were among them"
