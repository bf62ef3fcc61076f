"""A provider that misbehaves on purpose: what becomes of the job, and what its operator reads."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from functions.redact import redact
from handlers.ai.models.outcome import PATIENCE_SECONDS
from handlers.ai.models.parts import REFUSED
from handlers.contract import Retry
from handlers.settings import HandlerSettings
from tests.fixtures.fake_openai import (
    FakeProvider,
    Step,
    breaks_off,
    drops,
    floods,
    says,
    sends,
    slow,
    status,
    trickles,
)
from tests.unit.ai_support import (
    ANSWER,
    KEY,
    Protocol,
    analysis_of,
    analyze,
    cards,
    context,
    file_of,
    settings_for,
)


def retry_after(folder: Path, fake: FakeProvider, protocol: Protocol, step: Step, **more: Any) -> Retry:
    fake.will(step)
    with pytest.raises(Retry) as caught:
        analyze(context(folder, settings_for(fake, protocol, **more)))
    return caught.value


MAY_PASS: dict[str, tuple[Step, float | None]] = {
    "seconds": (status(429, retry_after="7"), 7),
    "fractions": (status(429, retry_after="0.5"), 0.5),
    "much too long": (status(429, retry_after="999999"), 3600),
    "a date that is over": (status(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), None),
    "at once": (status(429, retry_after="0"), None),
    "less than nothing": (status(503, retry_after="-5"), None),
    "nonsense": (status(429, retry_after="soon"), None),
    "not said": (status(429), None),
    "words about the plan": (
        status(429, "You exceeded your current quota, check your plan and billing details", retry_after="20"),
        20,
    ),
    "words about the key": (status(429, "Rate limit reached for this API key", retry_after="20"), 20),
    "milliseconds without end": (
        lambda exchange: exchange.reply(429, b"{}", headers={"retry-after-ms": "9" * 5000}),
        3600,
    ),
    "500": (status(500), None),
    "503": (status(503, retry_after="30"), 30),
    "overloaded": (status(529, "Overloaded"), None),
    "hung up": (drops(), None),
    "broken off": (breaks_off(), None),
}


@pytest.mark.parametrize(("step", "after"), MAY_PASS.values(), ids=MAY_PASS)
def test_what_may_pass_is_tried_again_when_the_provider_says(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, step: Step, after: float | None
) -> None:
    assert retry_after(tmp_path, fake, protocol, step).after == after
    assert len(fake.requests) == 1  # the SDK does not try again by itself


def error_in_200(code: object, message: str = "Provider returned error", **headers: str) -> Step:
    """What OpenRouter answers when the provider behind it failed."""
    body = json.dumps({"error": {"code": code, "message": message}, "user_id": "u"}).encode()
    return lambda exchange: exchange.reply(200, body, headers=headers)


@pytest.mark.parametrize("code", [429, "502", None, "rate_limited", "9" * 40])
def test_an_error_that_comes_as_success_may_pass_like_any_other(
    tmp_path: Path, fake: FakeProvider, code: object
) -> None:
    error = retry_after(tmp_path, fake, "openai", error_in_200(code, **{"retry-after": "7"}))
    assert (error.after, "Provider returned error" in str(error)) == (7, True)
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("code", "setting"), [(401, "AI_API_KEY"), (402, "AI_API_KEY"), (404, "AI_BASE_URL")]
)
def test_an_error_that_comes_as_success_names_the_setting_of_its_code(
    tmp_path: Path, fake: FakeProvider, code: int, setting: str
) -> None:
    assert str(retry_after(tmp_path, fake, "openai", error_in_200(code))).endswith(f"; check {setting}")


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example.com", "ü" * 60, "."])
def test_a_host_that_cannot_exist_is_refused_with_the_settings(host: str) -> None:
    with pytest.raises(ValidationError, match="its host cannot exist"):
        HandlerSettings(ai_base_url=f"https://{host}/v1")


@pytest.mark.parametrize(
    "host", ["x" * 63 + ".example.com.", "127.0.0.1:11434", "[::1]:11434", "bücher.example"]
)
def test_a_host_that_may_exist_is_taken(host: str) -> None:
    assert HandlerSettings(ai_base_url=f"http://{host}/v1").ai_base_url == f"http://{host}/v1"


@pytest.mark.parametrize("step", [slow(5), trickles()], ids=["silent", "trickling"])
def test_an_answer_that_does_not_end_is_given_up(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, step: Step
) -> None:
    error = retry_after(tmp_path, fake, protocol, step, ai_timeout_seconds=0.2)
    assert "AI_TIMEOUT_SECONDS" in str(error)


def test_no_request_may_take_longer_than_the_attempt_has_left(tmp_path: Path, fake: FakeProvider) -> None:
    ctx = context(tmp_path, settings_for(fake, ai_timeout_seconds=600), seconds=20)
    analyze(ctx)
    assert fake.requests[0].headers["x-stainless-read-timeout"] == "17.0"


def test_an_answer_of_many_megabytes_is_not_read_to_its_end(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    assert "larger than 4 MB" in str(retry_after(tmp_path, fake, protocol, floods(6)))


OPERATORS_TROUBLE: dict[str, tuple[str, Step]] = {
    "401": ("AI_API_KEY", status(401, f"Incorrect API key provided: {KEY}")),
    "403": ("AI_API_KEY", status(403, f"{KEY} may not")),
    "gemini": ("AI_API_KEY", status(400, "API key not valid. Please pass a valid API key.")),
    "402": ("AI_API_KEY", status(402)),
    "no credit": ("AI_API_KEY", status(429, error_code="insufficient_quota")),
    "404 model": ("AI_MODEL", status(404, f"The model small does not exist for {KEY}")),
    "404 code": ("AI_MODEL", status(404, "no such thing", error_code="model_not_found")),
    "404 page": ("AI_BASE_URL", sends(b"<html>not found</html>", "text/html", 404)),
    "html": ("AI_BASE_URL", sends(b"<html>welcome</html>", "text/html")),
    "text": ("AI_BASE_URL", sends(b"hello", "text/plain")),
    "list": ("AI_BASE_URL", sends(b'["a list"]', "text/json")),
    "redirect": ("AI_BASE_URL", status(302, location="http://127.0.0.1:1/v1")),
    "405": ("AI_BASE_URL", status(405)),
}


@pytest.mark.parametrize(("setting", "step"), OPERATORS_TROUBLE.values(), ids=OPERATORS_TROUBLE)
def test_what_an_operator_has_to_correct_is_named_without_the_key(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, setting: str, step: Step
) -> None:
    error = retry_after(tmp_path, fake, protocol, step)
    assert str(error).endswith(f"; check {setting}")
    assert KEY not in str(error)
    assert redact(str(error)) == str(error)  # nor what looks like one, of which the log would hide half
    assert error.__cause__ is None  # what the SDK raised has the request in it


@pytest.mark.parametrize(("setting", "step"), OPERATORS_TROUBLE.values(), ids=OPERATORS_TROUBLE)
def test_with_the_offline_fallback_it_is_done_by_rules_at_once_and_says_so(
    tmp_path: Path, fake: FakeProvider, setting: str, step: Step
) -> None:
    fake.will(step)
    description = analyze(context(tmp_path, settings_for(fake, ai_fallback="offline")))
    assert (description.title, description.provider, description.degraded) == ("Cells", "offline", True)
    assert description.notes == [f"ai: offline rules instead, {setting} has to be corrected"]


@pytest.mark.parametrize(
    ("missing", "setting"),
    [
        ({"ai_api_key": None, "ai_base_url": None}, "AI_API_KEY"),
        ({"ai_model": None}, "AI_MODEL"),
        ({"ai_base_url": "http://127.0.0.1:9"}, "AI_BASE_URL"),  # nobody listens
        ({"ai_base_url": "http://no-such-host.invalid/v1"}, "AI_BASE_URL"),
    ],
    ids=["no key", "no model", "nobody listens", "no such host"],
)
def test_a_missing_setting_and_a_place_that_cannot_be_reached_are_named(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, missing: dict[str, Any], setting: str
) -> None:
    with pytest.raises(Retry, match=f"^ai: .*; check {setting}$"):
        analyze(context(tmp_path, settings_for(fake, protocol, **missing)))
    ctx = context(tmp_path, settings_for(fake, protocol, ai_fallback="offline", **missing))
    deck = cards(ctx)
    assert (deck.degraded, deck.provider, len(deck.cards) > 0) == (True, "offline", True)
    assert setting in deck.notes[0]
    assert fake.requests == []


def test_a_package_that_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    monkeypatch.delitem(sys.modules, "handlers.ai.models.anthropic_service", raising=False)
    with pytest.raises(Retry, match=r"uv sync --extra anthropic.*AI_PROVIDER"):
        analyze(context(tmp_path, settings_for(fake, "anthropic")))


def test_a_provider_without_a_key_is_asked_where_it_has_an_address_of_its_own(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    assert not analyze(context(tmp_path, settings_for(fake, protocol, ai_api_key=None))).degraded


def test_no_key_or_header_of_the_environment_goes_to_the_provider(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ORG_ID", "PROJECT_ID", "API_KEY", "ADMIN_KEY", "AUTH_TOKEN", "BASE_URL"):
        monkeypatch.setenv(f"OPENAI_{name}", "http://elsewhere.example")
        monkeypatch.setenv(f"ANTHROPIC_{name}", "http://elsewhere.example")
    for name in ("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, "X-Other: elsewhere\nAuthorization: Bearer elsewhere\nX-Api-Key: elsewhere")
    analyze(context(tmp_path, settings_for(fake, protocol)))
    headers = {name.lower(): value for name, value in fake.requests[0].headers.items()}
    assert not [name for name, value in headers.items() if "elsewhere" in value]
    keys = {"openai": ("authorization", f"Bearer {KEY}"), "anthropic": ("x-api-key", KEY)}
    assert keys[protocol] in headers.items()


def test_overload_is_waited_for_until_the_last_attempt_and_then_done_by_rules(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    settings = settings_for(fake, protocol, ai_fallback="offline")
    fake.will(status(429, retry_after="60"), status(429, retry_after="60"))
    with pytest.raises(Retry):
        analyze(context(tmp_path, settings))
    description = analyze(context(tmp_path, settings, is_last_attempt=True))
    assert (description.provider, description.degraded) == ("offline", True)
    assert description.notes == ["ai: offline rules instead, the provider did not answer"]


@pytest.mark.parametrize("ask", [analyze, cards])
def test_a_model_that_takes_no_text_is_an_error_and_no_refusal(
    tmp_path: Path, fake: FakeProvider, ask: Callable[..., Any]
) -> None:
    fake.will(*[status(400, "this model makes images") for _ in range(3)])
    with pytest.raises(Retry, match="check AI_MODEL"):
        ask(context(tmp_path, settings_for(fake)))


def test_an_answer_that_unpacks_to_very_much_does_not_fill_the_memory(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    packed = gzip.compress(b" " * 200 * 1024**2)
    fake.will(lambda exchange: exchange.reply(200, packed, headers={"content-encoding": "gzip"}))
    with pytest.raises(Retry, match="larger than"):
        analyze(context(tmp_path, settings_for(fake, protocol)))


def test_a_packed_answer_of_usual_size_is_read(tmp_path: Path, fake: FakeProvider) -> None:
    said = json.dumps({"choices": [{"message": {"content": json.dumps(ANSWER)}}]}).encode()
    fake.will(lambda exchange: exchange.reply(200, gzip.compress(said), headers={"content-encoding": "gzip"}))
    assert analyze(context(tmp_path, settings_for(fake))).title == "Cells"


def test_who_is_told_to_wait_very_long_falls_back_at_once(tmp_path: Path, fake: FakeProvider) -> None:
    fake.will(status(429, retry_after=str(PATIENCE_SECONDS + 1)))
    assert analyze(context(tmp_path, settings_for(fake, ai_fallback="offline"))).degraded


@pytest.mark.parametrize(
    "step",
    [
        says("", refusal="I cannot help with that."),
        says("", finish="content_filter"),
        status(400, "The response was filtered", error_code="content_filter"),
        status(400, "Output blocked by content filtering policy"),
        status(400, "Your prompt was flagged as potentially violating our usage policy"),
        status(403, "Your chosen model requires moderation and your input was flagged"),
    ],
    ids=["refusal", "filtered answer", "filtered request", "filtered output", "flagged", "moderated"],
)
def test_a_refusal_is_final_done_by_rules_and_not_asked_again(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol, step: Step
) -> None:
    ctx = context(tmp_path, settings_for(fake, protocol))
    fake.will(step)
    first, second = analyze(ctx), analyze(ctx)
    for description in (first, second):
        assert (description.notes, description.degraded, description.provider) == (
            [REFUSED],
            False,
            "offline",
        )
        assert description.summary
    deck = cards(ctx, analysis_of(notes=list(first.notes)))
    assert (deck.provider, REFUSED in deck.notes, deck.degraded) == ("offline", True, False)
    assert len(fake.requests) == 1


def test_cards_that_are_refused_are_made_by_rules(
    tmp_path: Path, fake: FakeProvider, protocol: Protocol
) -> None:
    fake.will(says("", refusal="No."))
    deck = cards(context(tmp_path, settings_for(fake, protocol)))
    assert (deck.provider, deck.notes[0], deck.degraded) == ("offline", REFUSED, False)
    assert deck.use.requests == 1


def test_a_file_without_text_and_pictures_is_not_sent_anywhere(tmp_path: Path, fake: FakeProvider) -> None:
    description = analyze(context(tmp_path, settings_for(fake)), file_of(""))
    assert (description.provider, description.degraded, fake.requests) == ("offline", False, [])
