"""The card rules and gates on sample texts, with the facts that they must and must not yield."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from handlers.ai.cards.compare import flat, normalise
from handlers.ai.cards.deck import NO_FACTS, TOO_LITTLE_TEXT, card_key, make_cards
from handlers.ai.cards.gates import LONGEST_DECK
from handlers.ai.text.abbreviations import find_abbreviations
from handlers.ai.text.languages import detect_language
from handlers.ai.text.structure import read_blocks
from handlers.outputs import Analysis, Cards, Passage

TEXTS = Path(__file__).parents[1] / "fixtures" / "texts"


def analysis_of(*passages: Passage, language: str | None = "en") -> Analysis:
    return Analysis(
        kind="text",
        mime_type="text/plain",
        title="Sample",
        language=language,
        summary="",
        content=list(passages),
        content_sha256="0" * 64,
    )


def cards_of(text: str, language: str | None = "en") -> Cards:
    return make_cards(analysis_of(Passage(text=text), language=language))


def facts_of(text: str, language: str | None = "en") -> dict[str, str]:
    return {card.front: card.back for card in cards_of(text, language).cards}


def sample(name: str) -> str:
    text = (TEXTS / name).read_text(encoding="utf-8")
    if name.endswith(".csv"):
        return "\n".join("\t".join(row) for row in csv.reader(text.splitlines()))
    return text


def assert_is_clean(deck: Cards, text: str) -> None:
    """No ungrounded card, no leak, no duplicate."""
    source = flat(" ".join(block.text for block in read_blocks([Passage(text=text)])))
    for card in deck.cards:
        assert card.source.quote in text or flat(card.source.quote) in source
        assert flat(card.back) in flat(card.source.quote)
        assert f" {normalise(card.back)} " not in f" {normalise(card.front)} "
    fronts = [normalise(card.front) for card in deck.cards]
    assert len(set(fronts)) == len(fronts)
    assert len({card.key for card in deck.cards}) == len(deck.cards)


FACTS = {
    "biology.md": {
        "What is photosynthesis?": "the process by which plants, algae and some bacteria convert light energy into"
        " chemical energy",
        "What does ATP stand for?": "adenosine triphosphate",
        "What is chlorophyll?": "the green pigment that absorbs light",
        "What is the stroma?": "the fluid that surrounds the thylakoids",
        "What are stomata?": "small pores in the leaf through which gases are exchanged",
        "Who was Melvin Calvin?": "an American biochemist who described the cycle at Berkeley",
    },
    "history.txt": {
        "On […], a crowd stormed the Bastille in Paris.": "14 July 1789",
        "What was the Bastille?": "a medieval fortress that served as a state prison",
        "King Louis XVI was executed on […].": "21 January 1793",
        "Who was Maximilien Robespierre?": "a lawyer who led the Committee of Public Safety",
        "What does CPS stand for?": "Committee of Public Safety",
        "Napoleon Bonaparte was defeated at Waterloo in […] by the Duke of Wellington.": "1815",
    },
    "slide.txt": {
        "What is evaporation?": "liquid water becomes vapour",
        "What is condensation?": "vapour becomes liquid droplets",
    },
    "terms.csv": {
        "What is osmosis?": "movement of water across a semipermeable membrane",
        "What is diffusion?": "movement of particles, from high to low concentration",
        "Who wrote Faust?": "Johann Wolfgang von Goethe",
        "Paris: […]": "capital of France",
    },
}


@pytest.mark.parametrize("name", FACTS)
def test_a_sample_text_yields_its_facts_and_nothing_ungrounded_leaked_or_twice(name: str) -> None:
    text = sample(name)
    deck = make_cards(analysis_of(Passage(text=text), language=detect_language(text)))
    found = {card.front: card.back for card in deck.cards}
    assert FACTS[name].items() <= found.items()
    assert_is_clean(deck, text)


@pytest.mark.parametrize(
    "sentence",
    [
        "In 1804 he crowned himself emperor in the cathedral of Paris.",  # who?
        "However, the Treaty of Versailles was signed in 1919.",
        "This was the beginning of the First World War in 1914.",
        "Robert Hooke discovered it in 1665 at the Royal Society.",
        "What happened to the Roman Empire in 476 after Odoacer came?",
        "Today we look at the Battle of Hastings of 1066.",
        "The result was the restoration of the French monarchy.",
        "Carbon dioxide is the dioxide of carbon in the air.",  # explains itself by itself
        "As shown below, the Eiffel Tower was built in 1889.",
        "Less than 3 percent is fresh, and most of the rest is salty.",  # of what?
    ],
)
def test_a_sentence_that_cannot_stand_alone_makes_no_card(sentence: str) -> None:
    deck = cards_of(sentence)
    assert deck.cards == []
    assert deck.notes == [NO_FACTS]


def test_a_dropped_card_is_counted_by_its_reason() -> None:
    text = "However, the Treaty of Versailles was signed in 1919. Carbon dioxide is the dioxide of carbon."
    assert cards_of(text).dropped == {"sentence": 1, "leak": 1}


def test_the_same_fact_said_twice_makes_one_card() -> None:
    text = (
        "Osmosis is the movement of water. Osmosis: the movement of water.\n\nOsmosis: the movement of water."
    )
    deck = cards_of(text)
    assert [card.front for card in deck.cards] == ["What is osmosis?"]
    assert deck.dropped["duplicate"] == 1


def test_a_gap_never_leaves_its_answer_in_the_question() -> None:
    text = "The Olympic Games of 1896 were held in Athens in April 1896 under King George."
    assert all(card.back not in card.front for card in cards_of(text).cards)


@pytest.mark.parametrize("text", ["", "Lake at dawn", "one two three four"])
def test_a_text_without_enough_words_has_no_cards_and_says_so(text: str) -> None:
    deck = cards_of(text)
    assert (deck.cards, deck.notes) == ([], [TOO_LITTLE_TEXT])


def test_prose_gets_at_most_one_card_per_25_words_and_never_more_than_a_deck() -> None:
    sentences = [
        f"The town of Place{n} was founded in {1000 + n} by Baron Ruler{n} of Land{n}." for n in range(150)
    ]
    deck = cards_of(" ".join(sentences[:20]))
    assert len(deck.cards) == 11  # 260 words
    assert deck.dropped["over_limit"] == 9
    assert len(cards_of(" ".join(sentences)).cards) == LONGEST_DECK


def test_the_key_of_a_card_outlives_a_new_version_of_its_file() -> None:
    fact = "The Bastille was a medieval fortress that served as a state prison."
    before = cards_of(fact).cards
    after = cards_of(f"Paris is large. Many people live in Paris and in its suburbs.\n\n{fact}").cards
    assert before[0].key in {card.key for card in after}
    assert before[0].key == card_key("basic", "what was   the BASTILLE")
    assert card_key("basic", "a b") != card_key("cloze", "a b")


def test_headings_become_tags_and_the_nearest_one_a_hint() -> None:
    text = (
        "# World History\n\n## 2. The Middle Ages\n\nThe Magna Carta was signed in 1215 near Windsor Castle."
    )
    (card,) = cards_of(text).cards
    assert card.tags == ["world-history", "the-middle-ages"]
    assert card.hint == "2. The Middle Ages"


def test_a_card_names_the_page_or_the_second_it_comes_from() -> None:
    fact = "Mount Everest was first climbed in 1953 by Edmund Hillary and Tenzing Norgay."
    (by_page,) = make_cards(analysis_of(Passage(text=fact, page=7))).cards
    (by_time,) = make_cards(analysis_of(Passage(text=fact, time_s=12.5))).cards
    assert (by_page.source.page, by_page.source.time_s) == (7, None)
    assert (by_time.source.page, by_time.source.time_s) == (None, 12.5)


@pytest.mark.parametrize(
    ("language", "text", "front", "back"),
    [
        ("de", "Die Zelle ist die kleinste lebende Einheit.", "Was ist die Zelle?", "die kleinste lebende Einheit"),
        ("de", "Robert Hooke war ein Physiker aus England.", "Wer war Robert Hooke?", "ein Physiker aus England"),
        ("de", "Die Mauer um Berlin fiel am 9. November 1989.", "Die Mauer um Berlin fiel am […].", "9. November 1989"),
        ("fr", "Une cellule est l'unité de base du vivant.", "Qu'est-ce qu'une cellule ?", "l'unité de base du vivant"),
        ("es", "La osmosis es el paso del agua.", "¿Qué es la osmosis?", "el paso del agua"),
        ("it", "Osmosi: il movimento di acqua", "Osmosi: […]", "il movimento di acqua"),
        (None, "Ring Orbit: Saturn Titan Rhea Dione", "Ring Orbit: […]", "Saturn Titan Rhea Dione"),
    ],
)  # fmt: skip
def test_questions_are_asked_in_the_language_of_the_text(
    language: str | None, text: str, front: str, back: str
) -> None:
    assert facts_of(text, language)[front] == back


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the World Health Organization (WHO) says", [("WHO", "World Health Organization")]),
        ("the deoxyribonucleic acid (DNA) of", [("DNA", "deoxyribonucleic acid")]),
        ("the United States of America (USA) and", [("USA", "United States of America")]),
        ("many ribonucleic acids (RNAs) exist", [("RNAs", "ribonucleic acids")]),
        ("the old town hall (NATO) is", []),
        ("it grew (see Figure) again", []),
    ],
)
def test_an_abbreviation_needs_words_whose_letters_spell_it(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert list(find_abbreviations(text)) == expected


def test_a_name_keeps_its_capital_and_a_common_noun_loses_it() -> None:
    facts = facts_of("Paris is the capital of France today. Erosion is the process that wears down rocks.")
    assert "What is erosion?" in facts
    assert "What is Paris?" in facts or "what is paris" not in map(normalise, facts)


def test_code_and_settings_are_not_facts_to_learn() -> None:
    text = "Limit: max_size=5 in config.py for all of the workers\n\nRun: call start() before you call anything else"
    assert cards_of(text).cards == []
