"""What is asked of a provider, and how its answers are read: the schema, the ladder, the one repair."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from handlers.ai.models.answer_text import NoAnswerError, OneLine, read_answer
from handlers.ai.models.answers import Answer, CardsAnswer, FileAnswer, strict_schema
from handlers.ai.models.parts import NO_PICTURES
from handlers.ai.provider import ExtractedFile, Picture
from handlers.contract import Retry
from tests.fixtures.fake_openai import FakeProvider, card, says, sends, status
from tests.unit.ai_support import ANSWER, Protocol, analyze, cards, context, file_of, settings_for

PICTURE = Picture(b"\xff\xd8\xff\xe0 not really")
READ = ANSWER | {"picture_texts": [{"page": None, "text": "An acid gives protons."}]}
GOOD = card(
    "What is a ribosome?", "a machine that makes proteins", "A ribosome is a machine that makes proteins"
)


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every schema of an object in a schema."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for value in schema.values() for found in objects(value)]


@pytest.mark.parametrize("model", [FileAnswer, CardsAnswer])
def test_the_schema_obeys_the_rules_of_strict_output(model: type[Answer]) -> None:
    schema = strict_schema(model)
    found = objects(schema)
    assert len(found) == 2
    for one in found:
        assert one["required"] == list(one["properties"])
        assert one["additionalProperties"] is False
    for word in ("default", "minimum", "maximum", "maxLength", "title"):
        assert f'"{word}":' not in json.dumps([one.get("properties") for one in found]).replace(
            '"title": {"description"', ""
        )


def test_a_bad_card_is_dropped_alone_and_counted(tmp_path: Path, fake: FakeProvider) -> None:
    quote = "A ribosome is a machine that makes proteins from amino acids."
    bad = [{"type": "poem"}, None, "text", {"front": "no type"}]
    fake.will(says({"cards": [*bad, GOOD | {"quote": quote}]}))
    deck = cards(context(tmp_path, settings_for(fake)))
    assert [found.front for found in deck.cards] == ["What is a ribosome?"]
    assert deck.dropped == {"malformed": 4}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ANSWER),
        f"Sure! Here it is:\n```json\n{json.dumps(ANSWER)}\n```\nAnything else?",
        f"<think>{{not this}}</think>{json.dumps(ANSWER)}",
        json.dumps(ANSWER | {"topics": None, "safety_flags": ["nonsense"], "extra": {"a": 1}}),
    ],
    ids=["bare", "fenced", "thought about", "with nulls and more"],
)
def test_the_first_json_object_counts_whatever_stands_around_it(text: str) -> None:
    assert read_answer(text, FileAnswer).title == "Cells"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "I cannot.",
        "{" * 100_000,
        '{"a":' * 100_000,
        '{"title": "a"',
        '{"title": 9' + "9" * 9_999 + "}",
    ],
    ids=["nothing", "list", "prose", "braces", "nested", "cut off", "huge number"],
)
def test_what_is_no_answer_is_told_from_one_whatever_it_is(text: str) -> None:
    with pytest.raises(NoAnswerError):
        read_answer(text, FileAnswer)


def test_an_answer_is_clamped_and_cleaned() -> None:
    said = {
        "front": "a\x00\ud800b",
        "difficulty": 1e999,
        "confidence": -3,
        "page": -1,
        "time_s": "x",
        "hint": "",
    }
    found = read_answer(json.dumps({"cards": [GOOD | said]}), CardsAnswer).cards[0]
    assert found is not None
    assert (found.front, found.difficulty, found.confidence) == ("ab", 0.5, 0.0)
    assert (found.page, found.time_s) == (None, None)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Cells <script>alert(1)</script> live", "Cells alert(1) live"),
        ("See https://evil.example/?q=1 now", "See now"),
        ("![x](http://evil.example/p.png) A [cell](http://evil.example)", "x A cell"),
        ("javascript:alert www.evil.example data:text/html,x", ""),
        (
            "Use <b> and https://good.example/a as the file does",
            "Use <b> and https://good.example/a as the file does",
        ),
        ("one\ntwo\tthree", "one two three"),
        ("a < b and b > a", "a < b and b > a"),
    ],
)
def test_links_and_markup_stay_only_where_the_file_has_them(said: str, kept: str) -> None:
    one_line = OneLine("The tag <b> is explained at https://good.example/a here.")
    assert one_line(said, 200) == kept


def test_a_long_answer_full_of_links_is_read_in_no_time() -> None:
    one_line = OneLine("http://a.example " * 100_000)
    started = time.process_time()
    for _ in range(600):
        one_line("see http://b.example now " * 800, 500)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("forms", "asked"),
    [
        (("schema", "object", "prompt"), ["schema"]),
        (("object", "prompt"), ["schema", "object"]),
        (("prompt",), ["schema", "object", "prompt"]),
    ],
)
def test_the_ladder_goes_down_to_what_the_provider_understands_and_stays_there(
    tmp_path: Path, fake: FakeProvider, forms: tuple[str, ...], asked: list[str]
) -> None:
    fake.forms = forms
    ctx = context(tmp_path, settings_for(fake))
    assert analyze(ctx).use.requests == 1  # what was refused was not paid
    assert [seen.form for seen in fake.requests] == asked
    cards(ctx)
    assert [seen.form for seen in fake.requests] == [*asked, asked[-1]]
    assert ("JSON schema" in fake.requests[-1].system) == (asked[-1] != "schema")


def test_a_provider_that_ignores_the_schema_is_told_it_in_words_from_then_on(
    tmp_path: Path, fake: FakeProvider
) -> None:
    fake.will(says("It is about cells."), says(ANSWER))
    ctx = context(tmp_path, settings_for(fake))
    analyze(ctx)
    cards(ctx)
    assert [seen.form for seen in fake.requests] == ["schema", "object", "object"]
    assert "JSON schema" in fake.requests[2].system


def test_anthropic_has_no_rung_between_a_schema_and_none(tmp_path: Path, fake: FakeProvider) -> None:
    fake.forms = ("prompt",)
    assert not analyze(context(tmp_path, settings_for(fake, "anthropic"))).degraded
    assert [seen.form for seen in fake.requests] == ["schema", "prompt"]


def test_a_request_that_no_form_makes_welcome_is_an_error_with_the_providers_words(
    tmp_path: Path, fake: FakeProvider
) -> None:
    fake.will(*[status(400, "the moon is full")] * 3)
    with pytest.raises(Retry, match=r"the moon is full.*AI_MODEL"):
        analyze(context(tmp_path, settings_for(fake)))


BAD = {
    "cut off": '{"title": "Cells", "summ',
    "prose": "It is about cells.",
    "violation": json.dumps({"title": 5, "summary": None}),
    "empty": "",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_an_answer_that_does_not_fit_gets_one_repair_with_what_is_wrong(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, bad: str
) -> None:
    fake.will(says(bad), says(ANSWER))
    description = analyze(context(tmp_path, settings_for(fake, protocol)))
    assert (description.title, description.use.requests) == ("Cells", 2)
    before, answered, repair = fake.requests[1].turns
    assert before == fake.requests[0].turns[0]
    assert answered["role"] == "assistant"
    assert "That does not fit: " in repair["content"]
    assert '"required"' in repair["content"]  # the provider may have ignored the schema before


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_after_the_repair_it_is_over_and_both_were_paid(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, bad: str
) -> None:
    settings = settings_for(fake, protocol, ai_price_input=10)
    fake.will(says(bad), says(bad))
    ctx = context(tmp_path, settings)
    with pytest.raises(Retry, match="does not fit, not even repaired"):
        analyze(ctx)
    assert sum(ctx.costs) == pytest.approx(2 * 100 * 10 / 1e6)
    assert len(fake.requests) == 2


def test_with_the_offline_fallback_unusable_answers_are_replaced_by_rules(
    tmp_path: Path, fake: FakeProvider
) -> None:
    fake.will(says("no"), says("no"))
    description = analyze(context(tmp_path, settings_for(fake, ai_fallback="offline")))
    assert (description.degraded, description.provider, description.use.requests) == (True, "offline", 2)


def test_an_envelope_without_an_answer_is_unusable(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    for body in (
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b'{"content": 5}',
        b'{"choices": 1}',
    ):
        fake.will(sends(body, "application/json"))
        with pytest.raises(Retry, match="the provider's answer has no"):
            analyze(context(tmp_path, settings_for(fake, protocol)))


def test_a_picture_goes_along_and_what_is_read_in_it_becomes_text(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    source = ExtractedFile("image", "slide.png", pictures=[PICTURE], width=800, height=600)
    fake.will(says(READ))
    description = analyze(context(tmp_path, settings_for(fake, protocol)), source)
    assert fake.requests[0].pictures == 1
    assert [passage.text for passage in description.readings] == ["An acid gives protons."]


def test_a_model_that_takes_no_pictures_is_asked_about_the_text_alone(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    refusal = status(400, "This model does not support image input")
    fake.will(refusal)
    description = analyze(context(tmp_path, settings_for(fake, protocol)), file_of(pictures=[PICTURE]))
    assert [seen.pictures for seen in fake.requests] == [1, 0]
    assert (description.notes, description.degraded) == ([NO_PICTURES], False)
    fake.will(refusal)
    alone = analyze(
        context(tmp_path, settings_for(fake, protocol)), ExtractedFile("image", "a.png", pictures=[PICTURE])
    )
    assert (alone.notes, alone.provider) == ([NO_PICTURES], "offline")
