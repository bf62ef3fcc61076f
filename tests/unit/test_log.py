"""One line per event, for machines and for people, and never a secret."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from functions import log
from functions.redact import redact, storable


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
    assert event == {"severity": "INFO", "message": "job_done", "job_id": 7, "seconds": 1.235}


def test_on_a_terminal_it_is_a_line_for_people() -> None:
    stream = Terminal()
    log.configure(stream=stream)
    log.warning("job_retry", job_id=7)
    assert stream.getvalue().endswith("warning job_retry job_id=7\n")


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
        ("nul \x00 and surrogate \ud800", "nul  and surrogate "),
        ("an ordinary sentence", "an ordinary sentence"),
    ],
)
def test_errors_carry_no_secrets(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_errors_are_cut_to_two_thousand_characters() -> None:
    assert len(redact("x" * 5000)) == 2000


def test_what_jsonb_refuses_is_removed_wherever_it_stands() -> None:
    value = {"a\x00": ["b\x00", {"c": "\ud800d"}, float("nan"), float("inf"), 1.5, None, True, 3]}
    assert storable(value) == {"a": ["b", {"c": "d"}, None, None, 1.5, None, True, 3]}
