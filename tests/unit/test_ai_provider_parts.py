"""Long files: cut at headings, asked about in parts and in halves of parts, summed up in one more request."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ai.models.answers import FileAnswer
from handlers.ai.models.chunks import MAX_SPLITS, Part, parts_of
from handlers.ai.models.parts import CUT_OFF, PARTLY_REFUSED, PARTLY_UNUSABLE
from handlers.ai.models.prompts import MOST_CARDS, merge
from handlers.ai.text.structure import read_blocks
from handlers.contract import Retry, Snooze
from handlers.outputs import Passage
from handlers.testing import FakeContext
from tests.fixtures.fake_openai import Exchange, FakeProvider, Step, says, sensible_answer, status
from tests.unit.ai_support import (
    ANSWER,
    Protocol,
    analysis_of,
    analyze,
    cards,
    context,
    file_of,
    settings_for,
)

THINGS = ("ribosome", "nucleus", "membrane", "vacuole", "centriole", "lysosome")
TOKENS = 200


def chapter(number: int, thing: str) -> str:
    fillers = " ".join(
        f"Sentence {number}-{count} tells one more thing about life in the cell." for count in range(9)
    )
    return f"## The {thing}\n\nA {thing} is a part of the cell with number {number}. {fillers}\n"


BOOK = "# The cell\n\n" + "\n".join(chapter(number, thing) for number, thing in enumerate(THINGS, 1))


class ShortOfTime(FakeContext):
    """An attempt with time for two requests."""

    asked = 0

    def seconds_left(self) -> float:
        self.asked += 1
        return 60.0 if self.asked <= 2 else 1.0


def parts(text: str, tokens: int = TOKENS) -> list[Part]:
    return parts_of(read_blocks([Passage(text=text)]), tokens)


def test_a_short_text_is_one_part() -> None:
    assert [part.place for part in parts("# Title\n\nA cell is a small thing.")] == [(0,)]


def test_parts_begin_at_headings_and_none_is_much_longer_than_asked_for() -> None:
    found = parts(BOOK)
    assert len(found) == len(THINGS)
    assert [part.text().splitlines()[-2 if "number 1." in part.text() else 0] for part in found[1:]] == [
        f"# The {thing}" for thing in THINGS[1:]
    ]
    assert all(len(part.text()) < 1.3 * TOKENS * 4 for part in found)
    assert not any(part.pieces[-1].is_heading for part in found)


@given(
    st.lists(
        st.sampled_from(["# Head", "- item", "A sentence.", "word " * 300, "a\tb", "", "x" * 3000]),
        max_size=60,
    )
)
def test_no_text_loses_a_word_or_its_order_in_parts(lines: list[str]) -> None:
    blocks = read_blocks([Passage(text="\n".join(lines))])
    letters = "".join("".join(block.text.split()) for block in blocks)
    found = parts_of(blocks, TOKENS)
    assert "".join("".join(piece.text.split()) for part in found for piece in part.pieces) == letters
    assert all(sum(len(piece.text) for piece in part.pieces) <= TOKENS * 4 for part in found)
    for part in found:
        halves = part.halves()
        assert not halves or [*halves[0].pieces, *halves[1].pieces] == list(part.pieces)


def test_nothing_is_lost_and_nothing_is_twice() -> None:
    words = " ".join(part.text() for part in parts(BOOK)).replace("#", "").split()
    assert [word for word in words if "-" in word] == [
        f"{number}-{count}" for number in range(1, 7) for count in range(9)
    ]


def test_a_part_from_amidst_a_section_begins_with_its_headings() -> None:
    text = "# Physics\n\n## Light\n\n" + " ".join(
        f"Light of colour {number} travels fast." for number in range(100)
    )
    assert all(part.text().startswith("# Physics\n# Light\n") for part in parts(text))


def test_a_sentence_without_end_is_cut_anyhow() -> None:
    found = parts("word " * 4000)
    assert sum(part.words() for part in found) >= 4000
    assert all(len(part.text()) <= 1.3 * TOKENS * 4 for part in found)


def test_marks_say_which_page_and_second_the_text_is_from() -> None:
    pages = [Passage(text=f"Page {page} says that water boils.", page=page) for page in (1, 2, 7)]
    text = parts_of(read_blocks(pages), TOKENS)[0].text()
    assert text.startswith("[page 1]\nPage 1 says that water boils.\n[page 2]\n")
    assert "[page 7]\nPage 7" in text
    cues = [Passage(text=f"Cue {second} tells something.", time_s=second / 2) for second in range(0, 90, 3)]
    marks = [
        line for line in parts_of(read_blocks(cues), 2500)[0].text().splitlines() if line.startswith("[time")
    ]
    assert marks[:2] == ["[time 0]", "[time 15]"]  # not one for every cue
    assert len(marks) == 3


def test_halves_keep_the_order_and_end_somewhere() -> None:
    (part,) = parts(chapter(1, "ribosome"), 1000)
    first, second = part.halves()
    assert (first.place, second.place) == ((0, 0), (0, 1))
    assert len(first.pieces) + len(second.pieces) == len(part.pieces)
    depth = 0
    while part.halves():
        part, depth = part.halves()[0], depth + 1
    assert 1 <= depth <= MAX_SPLITS


def test_a_long_file_is_asked_about_in_parts_and_summed_up_once(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    ctx = context(tmp_path, settings_for(fake, protocol, ai_chunk_tokens=TOKENS))
    description = analyze(ctx, file_of(BOOK))
    merged = fake.requests[-1]
    assert "notes about the parts" in merged.system
    assert merged.user.count("A model has read this file.") == len(THINGS)
    assert description.use.requests == len(THINGS) + 1
    assert not description.notes


def test_cards_come_from_every_part(tmp_path: Path, fake: FakeProvider) -> None:
    ctx = context(tmp_path, settings_for(fake, ai_chunk_tokens=TOKENS))
    deck = cards(ctx, analysis_of(BOOK))
    assert {found.front for found in deck.cards} == {f"What is a {thing}?" for thing in THINGS}
    assert deck.use.requests == len(THINGS)


def test_of_a_very_long_file_the_first_parts_are_sent_and_a_note_says_so(
    tmp_path: Path, fake: FakeProvider
) -> None:
    ctx = context(tmp_path, settings_for(fake, ai_chunk_tokens=TOKENS, ai_max_chunks=2))
    assert analyze(ctx, file_of(BOOK)).notes == ["ai: only the first 2 of 6 parts were sent"]
    assert cards(ctx, analysis_of(BOOK)).notes[0] == "ai: only the first 2 of 6 parts were sent"
    assert len(fake.requests) == 3 + 2


def test_a_part_whose_answer_was_cut_off_is_asked_about_in_halves(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    fake.will(says('{"cards": [{"type": "ba', finish="length"))
    deck = cards(context(tmp_path, settings_for(fake, protocol)), analysis_of(BOOK))
    assert [found.front for found in deck.cards] == [f"What is a {thing}?" for thing in THINGS]
    assert (deck.use.requests, deck.notes) == (3, [])
    whole, first, second = (seen.user for seen in fake.requests)
    assert len(first) + len(second) < 1.2 * len(whole)


def test_a_text_that_is_too_long_for_the_model_is_halved_as_well(tmp_path: Path, fake: FakeProvider) -> None:
    fake.will(status(400, "maximum context length is 4096", error_code="context_length_exceeded"))
    deck = cards(context(tmp_path, settings_for(fake)), analysis_of(BOOK))
    assert len(deck.cards) == len(THINGS)
    assert [seen.form for seen in fake.requests] == ["schema"] * 3


def test_a_model_that_takes_no_part_at_all_names_its_setting_and_nothing_of_it_is_kept(
    tmp_path: Path, fake: FakeProvider
) -> None:
    ctx = context(tmp_path, settings_for(fake))
    fake.will(*[status(413, "request entity too large") for _ in range(20)])
    with pytest.raises(Retry, match="too long for the model; check AI_CHUNK_TOKENS"):
        analyze(ctx)
    assert ctx.kept == {}  # or it would stay too long after the operator has corrected it


def test_when_every_answer_is_cut_off_the_setting_is_named(tmp_path: Path, fake: FakeProvider) -> None:
    fake.will(*[says("{", finish="length")] * 50)
    with pytest.raises(Retry, match="longer than 4000 tokens; check AI_MAX_OUTPUT_TOKENS"):
        analyze(context(tmp_path, settings_for(fake)), file_of(BOOK))
    assert len(fake.requests) <= 2 ** (MAX_SPLITS + 1)


def answering(fake: FakeProvider, **bad: Step) -> None:
    """One answer per part; those about the named things are as given."""

    def step(exchange: Exchange) -> None:
        named = [thing for thing in bad if f"A {thing} is" in exchange.seen.user]
        (bad[named[0]] if named else says(sensible_answer(exchange.seen)))(exchange)

    fake.will(*[step] * 20)


def test_a_part_that_is_refused_is_missing_and_the_rest_is_there(tmp_path: Path, fake: FakeProvider) -> None:
    answering(fake, nucleus=says("", refusal="No."), vacuole=says("{", finish="length"))
    ctx = context(tmp_path, settings_for(fake, ai_chunk_tokens=TOKENS))
    deck = cards(ctx, analysis_of(BOOK))
    fronts = [found.front for found in deck.cards]
    assert "What is a nucleus?" not in fronts
    assert "What is a ribosome?" in fronts
    assert (deck.notes, deck.degraded) == ([PARTLY_REFUSED, CUT_OFF], False)


def test_with_the_fallback_a_part_with_an_unusable_answer_is_missing_and_the_deck_is_degraded(
    tmp_path: Path, fake: FakeProvider
) -> None:
    answering(fake, nucleus=says("nonsense"))
    settings = settings_for(fake, ai_chunk_tokens=TOKENS, ai_fallback="offline")
    deck = cards(context(tmp_path, settings), analysis_of(BOOK))
    assert (deck.degraded, deck.notes, deck.provider) == (True, [PARTLY_UNUSABLE], "openai/small")
    assert "What is a vacuole?" in [found.front for found in deck.cards]


def test_a_summary_that_is_refused_is_made_of_the_parts(tmp_path: Path, fake: FakeProvider) -> None:
    fake.will(*[says(ANSWER | {"title": f"Part {number}"}) for number in range(6)], says("", refusal="No."))
    settings = settings_for(fake, ai_chunk_tokens=TOKENS, ai_parallel_requests=1)
    description = analyze(context(tmp_path, settings), file_of(BOOK))
    assert (description.title, description.topics, description.degraded) == ("Part 0", ["Biology"], False)


def test_a_file_that_takes_more_than_one_attempt_goes_on_uncharged_where_it_stopped(
    tmp_path: Path, fake: FakeProvider
) -> None:
    settings = settings_for(fake, ai_chunk_tokens=TOKENS, ai_parallel_requests=1)
    ctx = ShortOfTime(tmp_path, settings=settings)
    snoozes = 0
    while True:
        ctx.asked = 0
        try:
            deck = cards(ctx, analysis_of(BOOK))
        except Snooze:
            snoozes += 1
            continue
        break
    assert (len(deck.cards), snoozes) == (6, 2)
    assert len(fake.requests) == 6


def test_without_time_for_one_answer_the_attempt_is_charged(tmp_path: Path, fake: FakeProvider) -> None:
    with pytest.raises(Retry, match="no time left"):
        cards(context(tmp_path, settings_for(fake), seconds=5), analysis_of(BOOK))


class Forgetful(ShortOfTime):
    """Nothing can be kept: the database does not answer."""

    def recall(self, key: str) -> None:  # noqa: ARG002
        return None


def test_where_nothing_can_be_kept_going_on_is_charged_or_it_would_never_end(
    tmp_path: Path, fake: FakeProvider
) -> None:
    settings = settings_for(fake, ai_chunk_tokens=TOKENS)
    with pytest.raises(Retry, match="no time left"):
        cards(Forgetful(tmp_path, settings=settings), analysis_of(BOOK))
    assert len(fake.requests) == 2


def test_of_an_answer_with_very_many_cards_as_many_are_looked_at_as_were_asked_for(
    tmp_path: Path, fake: FakeProvider
) -> None:
    card = {"type": "basic", "front": "What is it?", "back": "nothing", "quote": "It is not in the file."}
    fake.will(says({"cards": [card] * 150}))
    deck = cards(context(tmp_path, settings_for(fake)))
    assert (deck.dropped["too many"], sum(deck.dropped.values())) == (150 - MOST_CARDS, 150)


def test_parts_that_a_model_talked_about_at_length_are_summed_up_shortly() -> None:
    talk = "word " * 4_000
    answer = FileAnswer(title=talk, summary=talk, topics=[talk] * 100, key_terms=[talk] * 100)
    assert len(merge([answer] * 40).material) < 40 * 6_000
