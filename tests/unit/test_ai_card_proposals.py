"""A model's proposals at the gates: what is true and well asked passes, the rest goes one by one, counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from handlers.ai.cards.candidates import ProposedCard
from handlers.ai.cards.deck import NO_FACTS, TOO_LITTLE_TEXT, card_key, cards_of_proposals
from handlers.ai.cards.gates import LONGEST_DECK
from handlers.outputs import Analysis, Card, Cards, Passage

FIRST = (
    "# Plants\n\nPhotosynthesis is the process by which plants convert light\nenergy into chemical energy. "
    "In 1779, Jan Ingenhousz showed that plants release oxygen only in sunlight."
)
SECOND = (
    "## Numbers\n\nLand plants fix roughly 120 billion tonnes of carbon per year. Chlorophyll does not absorb "
    "green light. Stomata are small pores through which gases are exchanged. Many words follow here so that the "
    "text deserves more than a few cards, as a text of this length does in every book about the life of plants. "
    "Its roots take up water and minerals, its leaves take up carbon dioxide, and its flowers feed the insects."
)
GOOD = ProposedCard(
    type="basic",
    front="What do plants release only in sunlight?",
    back="oxygen",
    quote="plants release oxygen only in sunlight",
)


def analysis_of(*passages: Passage, language: str | None = "en") -> Analysis:
    return Analysis(
        kind="pdf",
        mime_type="application/pdf",
        title="Plants",
        language=language,
        summary="",
        content=list(passages),
        content_sha256="0" * 64,
    )


PLANTS = analysis_of(Passage(text=FIRST, page=1), Passage(text=SECOND, page=2))


def judged(*proposals: ProposedCard, analysis: Analysis = PLANTS) -> Cards:
    return cards_of_proposals(proposals, analysis)


def the_card(analysis: Analysis = PLANTS, **changes: Any) -> Card:
    deck = judged(replace(GOOD, **changes), analysis=analysis)
    assert deck.dropped == {}
    (card,) = deck.cards
    return card


def test_a_good_proposal_becomes_a_card_with_the_place_of_its_quote() -> None:
    card = the_card(page=9, time_s=3.0, tags=["Plant Life"], difficulty=0.3, confidence=0.9)
    assert (card.front, card.back, card.type) == (GOOD.front, "oxygen", "basic")
    assert (card.source.page, card.source.time_s, card.source.quote) == (1, None, GOOD.quote)
    assert card.key == card_key("basic", GOOD.front)
    assert card.tags == ["plant-life", "plants"]
    assert (card.difficulty, card.confidence) == (0.3, 0.9)
    assert 0.55 <= card.quality <= 1


@pytest.mark.parametrize(
    "quote",
    [
        "plants convert light energy into chemical energy",  # across a line break
        "**Photosynthesis** is the process by which plants convert light energy into chemical energy.",
        "photosynthesis is the proces by which plants converts light energy to chemical energy",
        "Photosynthesis — the process by which plants convert light energy into chemical energy",
    ],
)
def test_a_quote_that_is_nearly_right_is_replaced_by_the_words_of_the_file(quote: str) -> None:
    card = the_card(front="Into what do plants convert light energy?", back="chemical energy", quote=quote)
    assert card.source.quote in " ".join(FIRST.split())
    assert "convert light energy into chemical energy" in card.source.quote


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("ungrounded", {"quote": "plants release nitrogen at night in the deep sea"}),
        ("ungrounded", {"quote": ""}),
        ("ungrounded", {"quote": "In 1879, Jan Ingenhousz showed that plants release oxygen only in sunlight."}),
        ("ungrounded", {"quote": "Chlorophyll does absorb green light", "back": "green light", "front": "Which?"}),
        ("ungrounded", {"back": "nitrogen"}),
        ("ungrounded", {"back": "Yes"}),
        ("ungrounded", {"front": "What did plants release in 1850 only in sunlight?"}),
        ("leak", {"front": "Do plants release oxygen in sunlight?"}),
        ("leak", {"front": "Do small pores exchange gas?", "back": "small pores", "quote": "Stomata are small pores"}),
        ("leak", {
            "front": "Which light energy of chemical kind comes out?",
            "back": "the chemical energy",
            "quote": "plants convert light energy into chemical energy",
        }),
        ("sentence", {"front": "What does the text say that plants release?"}),
        ("sentence", {"front": "What does it release only in sunlight?"}),
        ("sentence", {"front": "What do these plants release?"}),
        ("sentence", {"front": "?!"}),
        ("length", {"back": ""}),
        ("length", {"back": "…"}),
        ("length", {"back": "oxygen " * 31}),
        ("length", {"front": "word " * 300}),
        ("length", {"quote": "plants release oxygen only in sunlight " * 40}),
        ("atomic", {"front": "What do plants release, and when do they?"}),
        ("atomic", {"front": "What do plants release? What do they take up?"}),
        ("gap", {"type": "cloze", "front": "plants release oxygen only in sunlight"}),
        ("gap", {"type": "cloze", "front": "plants […] oxygen only in […]"}),
        ("gap", {"front": "Plants release […] only in sunlight"}),
        ("ungrounded", {"type": "cloze", "front": "Animals of the sea breathe […] all of their life", "quote": ""}),
        ("ungrounded", {"type": "cloze", "front": "plants release […] only in sunlight", "back": "gas"}),
    ],
)  # fmt: skip
def test_a_bad_proposal_is_dropped_alone_and_its_reason_counted(reason: str, changes: dict[str, Any]) -> None:
    second = ProposedCard(
        "basic", "How much carbon do land plants fix per year?", "120 billion tonnes", quote=SECOND[12:72]
    )
    deck = judged(replace(GOOD, **changes), second)
    assert deck.dropped == {reason: 1}
    assert [card.back for card in deck.cards] == ["120 billion tonnes"]


def test_an_answer_may_be_rephrased_if_it_stays_close_to_the_quote() -> None:
    card = the_card(
        front="What is photosynthesis?",
        back="The process by which a plant converts light energy into chemical energy",
        quote="Photosynthesis is the process by which plants convert light energy into chemical energy.",
    )
    assert card.back.startswith("The process")


@pytest.mark.parametrize(
    "front",
    [
        "Plants release […] only in sunlight.",
        "Plants release [...] only in sunlight.",
        "Plants release ____ only in sunlight.",
        "Plants release {{c1::oxygen}} only in sunlight.",
        "Plants release {{c1::oxygen::a gas}} only in sunlight.",
    ],
)
def test_every_way_to_write_a_gap_is_understood(front: str) -> None:
    card = the_card(type="cloze", front=front)
    assert (card.front, card.back) == ("Plants release […] only in sunlight.", "oxygen")


def test_the_answer_of_a_cloze_may_come_in_its_gap_only() -> None:
    front = "Plants release {{c1::oxygen}} only in sunlight."
    assert the_card(type="cloze", front=front, back="").back == "oxygen"
    assert (
        the_card(type="cloze", front=front, back="Plants release oxygen only in sunlight.").back == "oxygen"
    )


def test_a_cloze_needs_no_quote_because_its_sentence_is_one() -> None:
    card = the_card(
        type="cloze",
        front="Land plants fix roughly […] of carbon per year.",
        back="120 billion tonnes",
        quote="",
    )
    assert card.source.quote == "Land plants fix roughly 120 billion tonnes of carbon per year."
    assert card.source.page == 2


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("a gas", "a gas"),
        ("It is oxygen.", None),
        ("OXYGEN", None),
        ("oxy", None),
        ("only in sunlight", None),  # the question says so
        ("a \x00gas\nor so", "a gas or so"),
        ("long " * 60, None),
        (None, None),
    ],
)
def test_a_hint_that_gives_the_answer_away_is_left_out(hint: str | None, shown: str | None) -> None:
    assert the_card(hint=hint).hint == shown


def test_where_a_model_gives_no_hint_the_heading_above_is_one() -> None:
    card = the_card(front="What comes out only in sunlight?")
    assert card.hint == "Plants"


def test_the_page_of_a_model_decides_only_between_places_where_the_quote_stands() -> None:
    analysis = analysis_of(*(Passage(text="Iron melts at 1538 °C in air.", page=page) for page in (2, 5)))
    card = the_card(
        analysis, front="At what heat does iron melt?", back="1538 °C", quote="Iron melts at 1538 °C", page=5
    )
    assert card.source.page == 5
    assert (
        the_card(
            analysis, front="At what heat does iron melt?", back="1538 °C", quote="Iron melts at 1538 °C"
        ).source.page
        == 2
    )


def test_a_card_from_subtitles_names_the_second_in_which_its_quote_begins() -> None:
    cues = [("Welcome to this film about metals.", 1.0), ("Iron melts at", 3.5), ("1538 °C in air.", 5.0)]
    analysis = analysis_of(*(Passage(text=text, time_s=time) for text, time in cues))
    card = the_card(
        analysis,
        front="At what heat does iron melt?",
        back="1538 °C",
        quote="iron melts at 1538 °C",
        time_s=99.0,
    )
    assert (card.source.time_s, card.source.quote) == (3.5, "Iron melts at 1538 °C")


def test_two_proposals_that_ask_the_same_are_one_card() -> None:
    deck = judged(
        GOOD,
        replace(GOOD, front="what do plants release only in sunlight"),
        replace(GOOD, front="Which gas comes out of a plant by day?"),  # the same answer from the same words
        replace(GOOD, type="cloze", front="Plants release […] only in sunlight", quote=""),
    )
    assert [card.front for card in deck.cards] == [GOOD.front]
    assert deck.dropped == {"duplicate": 3}


def test_questions_that_differ_in_a_number_are_different_questions() -> None:
    text = "King One of the northern lands ruled in 1200 and King Two of the northern lands ruled in 1300."
    proposals = [
        ProposedCard("basic", f"Who was the king of the northern lands in the year {year}?", king, quote=text)
        for year, king in ((1200, "King One"), (1300, "King Two"))
    ]
    filler = (
        "Many other words are written here that say nothing and only make the text longer than it was. " * 2
    )
    assert len(judged(*proposals, analysis=analysis_of(Passage(text=f"{text} {filler}"))).cards) == 2


def test_cards_come_in_the_order_of_their_file_and_no_more_than_it_deserves() -> None:
    facts = [f"Town{number} was founded in {1000 + number} by Baron Ruler{number}." for number in range(200)]
    proposals = [
        ProposedCard("basic", f"Who founded Town{number}?", f"Baron Ruler{number}", quote=facts[number])
        for number in reversed(range(200))
    ]
    deck = judged(*proposals, analysis=analysis_of(Passage(text=" ".join(facts))))
    assert len(deck.cards) == LONGEST_DECK
    assert deck.dropped == {"over_limit": 160}
    places = [int(card.front.split("Town")[1].rstrip("?")) for card in deck.cards]
    assert places == sorted(places)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 7.0])
def test_what_a_model_claims_of_itself_is_a_share_whatever_it_says(value: float) -> None:
    card = the_card(difficulty=value, confidence=value)
    assert 0 <= card.difficulty <= 1
    assert 0 <= card.confidence <= 1


@pytest.mark.parametrize("passages", [(), (Passage(text="  "),)])
def test_a_file_without_text_grounds_nothing(passages: tuple[Passage, ...]) -> None:
    deck = judged(GOOD, analysis=analysis_of(*passages))
    assert (deck.cards, deck.dropped, deck.notes) == ([], {"ungrounded": 1}, [TOO_LITTLE_TEXT])


def test_no_proposal_at_all_is_a_result() -> None:
    assert judged() == Cards(notes=[NO_FACTS])


def test_a_script_without_spaces_is_quoted_literally() -> None:
    analysis = analysis_of(Passage(text="光合作用是植物把光能转化为化学能的过程。"), language="zh")
    card = the_card(analysis, front="什么是植物的光能去向?", back="化学能", quote="植物把光能转化为化学能")
    assert card.source.quote == "植物把光能转化为化学能"


def test_hostile_proposals_against_a_hostile_text_take_no_time() -> None:
    text = "the " * 40_000
    proposals = [
        ProposedCard("basic", "the a " * 20, "the b " * 15, quote="the the b " * 20) for _ in range(30)
    ]
    assert judged(*proposals, analysis=analysis_of(Passage(text=text))).cards == []
