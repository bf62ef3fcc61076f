"""`create_cards`: from the parent's output to a deck, without touching storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handlers.ai.cards.deck import TOO_LITTLE_TEXT
from handlers.analyze_file import analyze_file
from handlers.contract import Reject
from handlers.create_cards import create_cards
from handlers.outputs import Cards
from handlers.testing import FakeContext, file_job

SAMPLES = Path(__file__).parents[2] / "scripts" / "samples" / "files"


def cards_of(tmp_path: Path, name: str, data: bytes, **decoded: Any) -> Cards:
    """Both handlers, one after the other, as the flow of an upload runs them."""
    context = FakeContext(tmp_path, objects={f"ingest/acme/{name}": data}, decoded=decoded)
    analysis = analyze_file(file_job("analyze_file", f"acme/{name}"), context)
    context.parents["analyze_file"] = analysis.model_dump(mode="json")
    output = create_cards(file_job("create_cards", f"acme/{name}"), context)
    assert isinstance(output, Cards)
    return output


def test_an_uploaded_note_ends_as_cards_with_their_source(tmp_path: Path) -> None:
    note = b"# Chemistry\n\nAn acid is a substance that gives protons to another one.\n\n- Base: a proton acceptor\n"
    deck = cards_of(tmp_path, "chemistry.md", note)
    assert {card.front: card.back for card in deck.cards} == {
        "What is an acid?": "a substance that gives protons to another one",
        "What is “Base”?": "a proton acceptor",
    }
    assert deck.cards[0].source.quote == "An acid is a substance that gives protons to another one."
    assert deck.cards[0].tags == ["chemistry"]


@pytest.mark.parametrize(
    ("name", "front", "page"),
    [
        ("water-cycle.pdf", "What is evaporation?", 1),
        ("plate-tectonics.md", "What is subduction?", None),
        ("phases-of-the-moon.mp4", "What is a lunar phase?", None),
    ],
)
def test_each_bundled_sample_with_text_yields_cards(
    tmp_path: Path, name: str, front: str, page: int | None
) -> None:
    deck = cards_of(tmp_path, name, (SAMPLES / name).read_bytes())
    pages = {card.front: card.source.page for card in deck.cards}
    assert pages[front] == page
    assert all(0.5 < card.confidence <= 1 for card in deck.cards)


def test_the_same_file_uploaded_again_yields_the_same_keys(tmp_path: Path) -> None:
    data = (SAMPLES / "water-cycle.pdf").read_bytes()
    first, second = (cards_of(tmp_path, "water-cycle.pdf", data) for _ in range(2))
    assert [card.key for card in first.cards] == [card.key for card in second.cards]
    assert all(len(card.key) == 32 for card in first.cards)


def test_a_picture_without_text_is_done_with_no_cards_and_a_note(tmp_path: Path) -> None:
    data = (SAMPLES / "lake-at-dawn.jpg").read_bytes()
    deck = cards_of(tmp_path, "lake-at-dawn.jpg", data, **{"handlers.media.ocr:read": {"available": False}})
    assert (deck.cards, deck.notes) == ([], [TOO_LITTLE_TEXT])


def test_cards_without_an_analysis_to_read_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(Reject, match="analyze_file"):
        create_cards(file_job("create_cards"), FakeContext(tmp_path))
