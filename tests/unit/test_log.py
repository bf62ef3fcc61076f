"""One line per event, for machines and for people, and never a secret."""

from __future__ import annotations

import io
import json
import logging
import random
import time
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from functions import log
from functions.redact import message_of, redact, storable

LABELS = "logging.googleapis.com/labels"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_its_fields() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    log.info("job_done", job_id=7, seconds=1.23456, error=None)
    (event,) = events(stream)
    assert event.pop("time").endswith("+00:00")
    assert event == {
        "severity": "INFO",
        "message": "job_done",
        "job_id": 7,
        "seconds": 1.235,
        LABELS: {"job_id": "7"},
    }


def test_on_a_terminal_it_is_a_line_for_people() -> None:
    stream = Terminal()
    log.configure(stream=stream)
    log.warning("job_retry", job_id=7)
    assert stream.getvalue()[8:] == " \x1b[33mwarning \x1b[0m job_retry            job_id=7\n"


def test_the_level_decides_what_is_logged() -> None:
    stream = io.StringIO()
    log.configure("WARNING", stream)
    log.info("job_done")
    log.error("tick_crashed")
    assert [event["message"] for event in events(stream)] == ["tick_crashed"]


def test_an_exception_adds_its_traceback_in_the_same_line() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    log.error("tick_crashed", exception=ValueError("Bearer abcdef"))
    (event,) = events(stream)
    assert "ValueError" in event["stack_trace"]
    assert "abcdef" not in event["stack_trace"]


def test_what_handlers_log_with_the_standard_library_is_an_event_too() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    logging.getLogger("handlers.analyze_file").warning("ocr_unavailable", extra={"pages": 3})
    (event,) = events(stream)
    assert (event["message"], event["pages"], event["severity"]) == ("ocr_unavailable", 3, "WARNING")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "terminal"])
def test_a_sentence_that_a_handler_logs_carries_no_secret_either(stream: io.StringIO) -> None:
    log.configure(stream=stream)
    logging.getLogger("handlers.mine").warning("fetching %s", "https://a.co/f?token=hidden \ud800")
    assert "fetching https://a.co/f?..." in stream.getvalue()
    assert "hidden" not in stream.getvalue()
    stream.getvalue().encode()


def test_a_number_that_json_lacks_is_text() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    log.info("job_done", seconds=float("nan"), size=float("-inf"))

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    event = json.loads(stream.getvalue(), parse_constant=refuse)
    assert (event["seconds"], event["size"]) == ("nan", "-inf")


class Patient(BaseModel):
    age: int


def invalid(value: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Patient.model_validate({"age": value})
    return caught.value


def test_what_a_model_refused_is_named_by_its_field_and_never_by_its_value() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    name = "eoD".swapcase()[::-1]  # a traceback shows the lines of the source
    try:
        try:
            raise invalid(f"John {name}")
        except ValidationError as error:
            raise LookupError("no such patient") from error
    except LookupError as error:
        log.error("handler_raised", exception=error, error=invalid(f"Jane {name}"))
    (event,) = events(stream)
    assert event["error"].startswith("age: Input should be a valid integer")
    assert name not in stream.getvalue()
    lines = event["stack_trace"].splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "Traceback (most recent call last):",
        f"ValidationError: {message_of(invalid('x'))}",
        "",
        "which led to:",
        "",
        "Traceback (most recent call last):",
        "LookupError: no such patient",
    ]


def test_exceptions_that_lead_to_each_other_are_logged_once() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    first, second = ValueError("one"), ValueError("two")
    first.__cause__, second.__context__ = second, first
    log.error("tick_crashed", exception=first)
    assert events(stream)[0]["stack_trace"].count("ValueError: one") == 1


def test_a_field_cannot_pretend_to_be_the_severity() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    log.error("tick_crashed", severity="DEBUG")
    assert events(stream)[0]["severity"] == "ERROR"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET https://a.supabase.co/x?token=abc failed", "GET https://a.supabase.co/x?... failed"),
        ("https://user:pass@host/x", "https://...@host/x"),
        ("key sb_secret_abc_def-1", "key sb_secret_..."),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ..."),
        ("jwt eyJhbGciOiJI.eyJyb2xlIjoi.sig", "jwt (a token)"),
        ("HTTPS://a.co/x?token=hidden", "HTTPS://a.co/x?..."),
        ("https://a.co/x?hidden", "https://a.co/x?..."),
        ("https://a.co/x#access_token=hidden", "https://a.co/x#..."),
        ("see https://a.co/guide#errors", "see https://a.co/guide#errors"),
        ("https://a.co/@scope/a@2.png", "https://a.co/@scope/a@2.png"),
        ("https://user:hid@den@host/x", "https://...@host/x"),
        ("postgres://u:hid/den?@h:5432/db", "postgres://...@h:5432/db"),
        ("/object/sign/a.pdf?token=hidden not found", "/object/sign/a.pdf?... not found"),
        ("https://h/p?q=it's&token=hidden", "https://h/p?...'s&token=..."),
        ("apikey=hidden&x=1", "apikey=...&x=1"),
        ("{'apikey': 'hidden', 'a': 1}", "{'apikey': '...', 'a': 1}"),
        ('{"api_key": "hidden"}', '{"api_key": "..."}'),
        ('"{\\"password\\":\\"hidden\\"}"', '"{\\"password\\":\\"...\\"}"'),
        ("x-job-runner-secret: hidden", "x-job-runner-secret: ..."),
        ("SUPABASE_SECRET_KEY=hidden", "SUPABASE_SECRET_KEY=..."),
        ("Authorization: Basic aGlkZGVu", "Authorization: Basic ..."),
        ("{'authorization': 'Bearer hidden'}", "{'authorization': 'Bearer ...'}"),
        ("bearer=hidden", "bearer=..."),
        ("key sk-proj-hidden-hidden-hidden", "key sk-..."),
        ("nul \x00 and surrogate \ud800", "nul  and surrogate "),
        ("CRON_SECRET is not set: copy it", "CRON_SECRET is not set: copy it"),
        ("What?! A token, you say", "What?! A token, you say"),
        ("an ordinary sentence", "an ordinary sentence"),
    ],
)
def test_errors_carry_no_secrets(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_errors_are_cut_to_two_thousand_characters() -> None:
    assert len(redact("x" * 5000)) == 2000


def test_a_secret_at_the_place_of_the_cut_stays_one() -> None:
    for length in range(1_900, 2_010):
        assert "hidden" not in redact("x" * length + " token=hidden-hidden-hidden and more " + "y" * 8000)


@pytest.mark.parametrize(
    "unit",
    ["eyJ-", "http://a", "bearer ", "token ", "token='", "?a", "a.a", "x-", "sk-a", "://", "a@", "\\'"],
)
def test_no_text_makes_redacting_slow(unit: str) -> None:
    took = []
    for size in (20_000, 2_000_000):
        text = unit * (size // len(unit))
        began = time.perf_counter()
        redact(text)
        took.append(time.perf_counter() - began)
    assert max(took) < 0.1  # what is quadratic takes seconds


def test_redacting_takes_any_text() -> None:
    rng = random.Random(1)
    pieces = ["http://", "?", "#", "@", "/", "token", "=", ":", "'", "eyJ", "bearer", " ", "a", "\x00"]
    for _ in range(2_000):
        assert isinstance(redact("".join(rng.choices(pieces, k=30))), str)


def test_what_jsonb_refuses_is_removed_wherever_it_stands() -> None:
    value = {"a\x00": ["b\x00", {"c": "\ud800d"}, float("nan"), float("inf"), 1.5, None, True, 3]}
    assert storable(value) == {"a": ["b", {"c": "d"}, None, None, 1.5, None, True, 3]}
