"""The quality gate: six documents through the real decoders to cards, held against what a person judged.

Prints a table (`pytest -s -k quality`). Leaks, duplicates and ungrounded cards are looked for with plain means of
their own here, not with the gates that are tested.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from handlers.ai.cards.candidates import ProposedCard
from handlers.ai.cards.deck import cards_of_proposals
from handlers.analyze_file import analyze_file
from handlers.create_cards import create_cards
from handlers.outputs import Analysis, Card, Cards
from handlers.testing import FakeContext, file_job
from tests.fixtures.quality_judged import DOCUMENTS, HEART, OCEAN, Judged

FOLDER = Path(__file__).parents[1] / "fixtures" / "quality"
LEAST_PRECISION = 0.9
LEAST_RECALL = 0.78  # of all documents together; 0.80 is reached
LEAST_RECALL_OF_ONE = 0.5

pytestmark = pytest.mark.skipif(importlib.util.find_spec("rapidocr") is None, reason="needs the extra `ocr`")


@cache
def read(name: str) -> tuple[Analysis, Cards]:
    """A document as the flow of an upload reads it: both handlers, the real decoders, no provider."""
    with TemporaryDirectory() as folder:
        content = (FOLDER / name).read_bytes()
        context = FakeContext(Path(folder), objects={f"ingest/acme/{name}": content}, seconds=300)
        analysis = analyze_file(file_job("analyze_file", f"acme/{name}"), context)
        context.parents["analyze_file"] = analysis.model_dump(mode="json")
        deck = create_cards(file_job("create_cards", f"acme/{name}"), context)
    assert isinstance(analysis, Analysis)
    assert isinstance(deck, Cards)
    return analysis, deck


@dataclass(frozen=True)
class Report:
    """One deck held against a person's judgement."""

    name: str
    words: int
    cards: int
    bad: Sequence[str]
    missed: Sequence[str]
    facts: int
    leaks: Sequence[str]
    duplicates: Sequence[str]
    ungrounded: Sequence[str]

    @property
    def precision(self) -> float:
        return 1 - len(self.bad) / self.cards

    @property
    def recall(self) -> float:
        return 1 - len(self.missed) / self.facts

    def __str__(self) -> str:
        return (
            f"{self.name:<16}{self.words:>6}{self.cards:>7}{1000 * self.cards / self.words:>9.0f}"
            f"{self.precision:>11.2f}{self.recall:>8.2f}{len(self.leaks):>7}{len(self.duplicates):>12}"
            f"{len(self.ungrounded):>12}"
        )


HEAD = "\ndocument         words  cards  /1000 w  precision  recall  leaks  duplicates  ungrounded"


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def report(judged: Judged, analysis: Analysis, deck: Cards) -> Report:
    text = " ".join(words_of(" ".join(passage.text for passage in analysis.content)))
    good = {(" ".join(words_of(front)), " ".join(words_of(back))) for front, back in judged.good.items()}
    return Report(
        name=judged.name,
        words=len(text.split()),
        cards=len(deck.cards),
        bad=[
            c.front
            for c in deck.cards
            if (" ".join(words_of(c.front)), " ".join(words_of(c.back))) not in good
        ],
        missed=[
            f"{q} / {a}" for q, a in judged.facts if not any(_teaches(card, q, a) for card in deck.cards)
        ],
        facts=len(judged.facts),
        leaks=[c.front for c in deck.cards if _holds(words_of(c.front), words_of(c.back)) or _hint_leaks(c)],
        duplicates=[one.front for one, other in combinations(deck.cards, 2) if _alike(one, other)],
        ungrounded=[c.front for c in deck.cards if not _is_grounded(c, text)],
    )


def _teaches(card: Card, question: str, answer: str) -> bool:
    return bool(re.search(question, card.front, re.I) and re.search(answer, card.back, re.I))


def _hint_leaks(card: Card) -> bool:
    return _holds(words_of(card.hint or ""), words_of(card.back))


def _holds(words: Sequence[str], wanted: Sequence[str]) -> bool:
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1))


def _alike(one: Card, other: Card) -> bool:
    """The same words, or the same answer to the same quote."""
    same_fact = (words_of(one.back), one.source.quote) == (words_of(other.back), other.source.quote)
    return same_fact or sorted(words_of(one.front)) == sorted(words_of(other.front))


def _is_grounded(card: Card, text: str) -> bool:
    quote = " ".join(words_of(card.source.quote))
    answered = set(words_of(card.back)) <= set(quote.split())
    return bool(quote) and quote in text and answered


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    made = [report(judged, *read(judged.name)) for judged in DOCUMENTS]
    sys.stdout.write("\n".join([HEAD, *map(str, made), ""]))
    return made


def test_no_card_leaks_its_answer_repeats_another_or_stands_on_nothing(reports: list[Report]) -> None:
    assert {one.name: [*one.leaks, *one.duplicates, *one.ungrounded] for one in reports} == {
        one.name: [] for one in DOCUMENTS
    }


def test_at_least_nine_of_ten_cards_are_worth_keeping(reports: list[Report]) -> None:
    bad = {one.name: one.bad for one in reports if one.precision < LEAST_PRECISION}
    assert bad == {}, "read these cards; those worth keeping go into quality_judged.py"


def test_the_facts_that_a_learner_wants_are_asked_for(reports: list[Report]) -> None:
    missed = {one.name: one.missed for one in reports if one.recall < LEAST_RECALL_OF_ONE}
    assert missed == {}
    found = sum(one.facts - len(one.missed) for one in reports)
    assert found / sum(one.facts for one in reports) >= LEAST_RECALL, [one.missed for one in reports]


def test_a_scanned_page_and_a_subtitle_say_where_they_were_quoted() -> None:
    assert {card.source.page for card in read(HEART.name)[1].cards} == {1}
    times = [card.source.time_s for card in read(OCEAN.name)[1].cards]
    assert times == sorted(time for time in times if time is not None)
    assert times[0] == 9.0


GOOD = {  # what a model answers when it does as it was told: question, answer, quote
    "What is the heart?": (
        "a muscular organ that pumps blood",
        "The heart is a muscular organ that pumps blood through the body.",
    ),
    "How many chambers does the heart have?": ("four", "It has four chambers and lies between the lungs."),
    "Who described in 1628 how blood circulates?": (
        "William Harvey",
        "In 1628 William Harvey described how blood circulates through the body.",
    ),
    "Which organ was believed to make new blood before William Harvey?": (
        "the liver",
        "Before him, people believed that the liver made new blood all the time.",
    ),
    "Who invented the electrocardiogram?": (
        "Willem Einthoven",
        "It was invented by Willem Einthoven, who received the Nobel Prize in 1924.",
    ),
    "What does an electrocardiogram record?": (
        "The electric activity of the heart",
        "An electrocardiogram (ECG) records the electrical activity of the heart.",
    ),
}
BAD = [  # and what it answers when it does not: the gate, question, answer, quote
    (
        "ungrounded",
        "What is the heart made of?",
        "cardiac muscle tissue",
        "The heart consists of cardiac muscle.",
    ),
    (
        "ungrounded",
        "Who first transplanted a heart?",
        "Denton Cooley",
        "transplanted by Christiaan Barnard in 1967",
    ),
    ("ungrounded", "In which year was the ECG invented?", "1903", "It was invented by Willem Einthoven"),
    (
        "leak",
        "Which artery, the aorta, is the largest?",
        "the aorta",
        "The aorta is the largest artery of the body.",
    ),
    (
        "sentence",
        "What does the text say about the aorta?",
        "largest artery",
        "The aorta is the largest artery",
    ),
    ("sentence", "When did he receive the Nobel Prize?", "1924", "who received the Nobel Prize in 1924"),
    (
        "atomic",
        "What is an atrium and what is a ventricle?",
        "an upper chamber",
        "An atrium is an upper chamber",
    ),
    (
        "duplicate",
        "What is a heart?",
        "a muscular organ that pumps blood",
        "The heart is a muscular organ that pumps blood",
    ),
]


def test_of_a_models_answers_the_true_ones_pass_and_the_others_are_counted() -> None:
    analysis, _ = read(HEART.name)
    good = [
        ProposedCard("basic", front, *answer[:1], quote=answer[1], page=99) for front, answer in GOOD.items()
    ]
    bad = [ProposedCard("basic", front, back, quote=quote) for _, front, back, quote in BAD]
    mixed = [card for pair in zip_longest(good, bad) for card in pair if card]

    deck = cards_of_proposals(mixed, analysis)

    assert {card.front for card in deck.cards} == set(GOOD)
    assert deck.dropped == Counter(reason for reason, *_ in BAD)
    judged = Judged(HEART.name, HEART.facts, {front: answer for front, (answer, _) in GOOD.items()})
    made = report(judged, analysis, deck)
    sys.stdout.write(f"\n{made}  (a model's)\n")
    assert (made.precision, made.leaks, made.duplicates) == (1.0, [], [])
    # One answer is rephrased, which only a model's may be; its quote stands in the file all the same.
    assert made.ungrounded == ["What does an electrocardiogram record?"]
    assert {card.source.page for card in deck.cards} == {1}
