"""Nothing is paid twice, and what is paid is counted, whatever becomes of the attempt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from functions.errors import LeaseLost
from handlers.ai.models.model_provider import ModelProvider
from handlers.ai.settings import AiSettings
from handlers.contract import Retry
from handlers.outputs import AiUse
from handlers.testing import FakeContext
from tests.fixtures.fake_openai import FakeProvider, says, status
from tests.unit.ai_support import (
    ANSWER,
    NOTE,
    Protocol,
    analysis_of,
    analyze,
    cards,
    context,
    file_of,
    settings_for,
)
from tests.unit.test_ai_provider_parts import BOOK, TOKENS


def test_the_same_content_under_another_name_is_not_paid_again(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    ctx = context(tmp_path, settings_for(fake, protocol, ai_price_input=1))
    first = analyze(ctx, file_of(NOTE))
    source = file_of(NOTE)
    second = analyze(ctx, type(source)(**{**vars(source), "file_name": "another-name.md"}))
    assert (first.title, second.title) == ("About a ribosome", "About a ribosome")
    assert (first.use.requests, second.use) == (1, AiUse())
    assert (len(fake.requests), len(ctx.costs)) == (1, 1)


def test_the_file_name_is_not_told_to_the_provider(tmp_path: Path, fake: FakeProvider) -> None:
    analyze(context(tmp_path, settings_for(fake)))
    assert "cells.md" not in str(fake.requests[0].body)


def test_a_retry_after_the_third_of_five_parts_asks_for_two(tmp_path: Path, fake: FakeProvider) -> None:
    settings = settings_for(fake, ai_chunk_tokens=TOKENS, ai_max_chunks=5, ai_parallel_requests=1)
    ctx = context(tmp_path, settings)
    fake.will(*[says({"cards": []})] * 3, status(500))
    with pytest.raises(Retry):
        cards(ctx, analysis_of(BOOK))
    assert len(ctx.kept) == 3
    assert cards(ctx, analysis_of(BOOK)).use.requests == 2
    assert len({seen.user for seen in fake.requests}) == 5


def test_answers_that_come_after_anothers_failure_are_kept_too(tmp_path: Path, fake: FakeProvider) -> None:
    settings = settings_for(fake, ai_chunk_tokens=TOKENS, ai_parallel_requests=6)
    ctx = context(tmp_path, settings)
    fake.will(status(500))
    with pytest.raises(Retry):
        cards(ctx, analysis_of(BOOK))
    assert len(ctx.kept) == len(fake.requests) - 1


def test_after_a_failure_no_further_part_is_begun(tmp_path: Path, fake: FakeProvider) -> None:
    settings = settings_for(fake, ai_chunk_tokens=TOKENS, ai_parallel_requests=1)
    fake.will(status(500))
    with pytest.raises(Retry):
        cards(context(tmp_path, settings), analysis_of(BOOK))
    assert len(fake.requests) == 1


def test_a_cut_off_answer_is_not_paid_again_either(tmp_path: Path, fake: FakeProvider) -> None:
    ctx = context(tmp_path, settings_for(fake))
    fake.will(says("{", finish="length"), status(500), status(500))
    with pytest.raises(Retry):
        cards(ctx, analysis_of(BOOK))
    cards(ctx, analysis_of(BOOK))
    whole = fake.requests[0].user
    assert [seen.user == whole for seen in fake.requests].count(True) == 1


def test_the_same_text_twice_in_one_file_is_asked_about_once(tmp_path: Path, fake: FakeProvider) -> None:
    section = "## Again\n\n" + "The same sentence stands here again and again. " * 16 + "\n\n"
    ctx = context(tmp_path, settings_for(fake, ai_chunk_tokens=TOKENS))
    cards(ctx, analysis_of(section * 4))
    assert len({seen.user for seen in fake.requests}) == len(fake.requests) < 4


@pytest.mark.parametrize(
    "change",
    [
        {"ai_model": "large"},
        {"ai_max_output_tokens": 5000},
        {"ai_base_url": "http://localhost:{port}/v1"},
    ],
    ids=["model", "longest answer", "place"],
)
def test_another_model_or_place_answers_anew(
    tmp_path: Path, fake: FakeProvider, change: dict[str, Any]
) -> None:
    ctx = context(tmp_path, settings_for(fake))
    analyze(ctx)
    port = fake.base_url.split(":")[2].split("/")[0]
    change = {
        name: value.format(port=port) if isinstance(value, str) else value for name, value in change.items()
    }
    analyze(FakeContext(tmp_path, settings=settings_for(fake, **change), kept=ctx.kept))
    assert len(fake.requests) == 2


def test_another_key_gets_the_answers_that_are_there(tmp_path: Path, fake: FakeProvider) -> None:
    ctx = context(tmp_path, settings_for(fake))
    analyze(ctx)
    analyze(FakeContext(tmp_path, settings=settings_for(fake, ai_api_key=None), kept=ctx.kept))
    assert len(fake.requests) == 1


def test_what_was_kept_by_something_else_is_not_believed(tmp_path: Path, fake: FakeProvider) -> None:
    ctx = context(tmp_path, settings_for(fake))
    analyze(ctx)
    (key,) = ctx.kept
    for nonsense in ("text", {"answer": {"title": 1}, "finish": "complete"}, {}, {"answer": ANSWER}):
        assert analyze(FakeContext(tmp_path, settings=ctx.settings, kept={key: nonsense})).use.requests == 1


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        ({"ai_price_input": 10.0, "ai_price_output": 50.0}, 0.002),
        ({"ai_price_input": 10.0}, 0.001),
        ({"ai_price_output": 50.0}, 0.001),
        ({}, None),
    ],
    ids=["both", "sent only", "answered only", "none"],
)
def test_tokens_become_money_at_the_configured_prices(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, prices: dict[str, float], cost: float | None
) -> None:
    ctx = context(tmp_path, settings_for(fake, protocol, **prices))
    use = analyze(ctx).use
    assert (use.requests, use.tokens_in, use.tokens_out) == (1, 100, 20)
    assert use.cost == (pytest.approx(cost) if cost else None)
    assert ctx.costs == ([pytest.approx(cost)] if cost else [])


@pytest.mark.parametrize("tokens", [(-5, 7), (10**12, 7)])
def test_nonsense_in_the_providers_count_costs_nothing(
    tmp_path: Path, fake: FakeProvider, tokens: tuple[int, int]
) -> None:
    fake.will(says(ANSWER, tokens=tokens))
    assert analyze(context(tmp_path, settings_for(fake))).use == AiUse(requests=1, tokens_out=7)


class Cancelled(FakeContext):
    """A job that is taken away while the provider answers."""

    def keep(self, key: str, value: Any) -> None:
        super().keep(key, value)
        raise LeaseLost("cancelled")


def test_what_is_under_way_when_a_job_is_taken_away_is_kept_too(tmp_path: Path, fake: FakeProvider) -> None:
    settings = settings_for(fake, ai_chunk_tokens=TOKENS, ai_parallel_requests=6)
    ctx = Cancelled(tmp_path, settings=settings)
    with pytest.raises(LeaseLost):
        cards(ctx, analysis_of(BOOK))
    assert len(ctx.kept) == len(fake.requests) == 6


def test_a_job_that_is_taken_away_still_keeps_and_reports_what_it_paid(
    tmp_path: Path, fake: FakeProvider
) -> None:
    ctx = Cancelled(tmp_path, settings=settings_for(fake, ai_price_input=10))
    with pytest.raises(LeaseLost):
        analyze(ctx)
    assert len(ctx.kept) == 1
    assert ctx.costs == pytest.approx([0.001])


VERSIONED: dict[str, Any] = {
    "ai_model": "large",
    "ai_base_url": "http://elsewhere/v1",
    "ai_chunk_tokens": 999,
    "ai_max_chunks": 9,
    "ai_max_output_tokens": 999,
    "ai_send_pictures": False,
    "ai_provider": "anthropic",
}


@pytest.mark.parametrize("name", VERSIONED)
def test_whole_results_are_not_reused_under_settings_that_change_them(name: str) -> None:
    version: Callable[[AiSettings], str] = lambda settings: ModelProvider(settings).version  # noqa: E731
    settings = AiSettings(ai_provider="openai", ai_model="small")
    assert version(settings) == version(settings.model_copy(update={"ai_fallback": "offline"}))
    assert version(settings) != version(settings.model_copy(update={name: VERSIONED[name]}))
