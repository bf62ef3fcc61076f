"""Whatever is logged is one line of JSON that Cloud Logging takes: 256 KiB at most."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from functions import log
from functions.log_lines import JsonFormatter, chain

LONGEST_LINE = 256 * 1024


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.configure(stream=stream)
    yield stream
    log.configure()


def event(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    assert len(line.encode()) < LONGEST_LINE
    found: dict[str, Any] = json.loads(line)
    return found


def of_500_errors() -> ValueError:
    error = ValueError("the first")
    for number in range(500):
        try:
            raise ValueError(f"error {number} \x01" + "\x01" * 5000) from error
        except ValueError as one:
            error = one
    return error


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["itself"] = [value]
    return value


@pytest.mark.parametrize(
    "say",
    [
        lambda: log.info("\x01" * 3_000_000),
        lambda: log.info("said", **{f"field_{n}": "\U0001f600" * 2000 for n in range(300)}),
        lambda: log.info("said", **{f"field_{n}" + "\x01" * 500: n for n in range(1000)}),
        lambda: log.info("said", rows=["\x01" * 2000] * 5000),
        lambda: log.error("said", exception=of_500_errors()),
        lambda: log.error("said", exception=ExceptionGroup("many", [of_500_errors()] * 500)),
        lambda: log.info("said", text="a\u2028b\u2029c\x85d\x1ee\r\nf \ud800"),
        lambda: log.info("said", number=10**5000),
        lambda: log.info("said", value=endless()),
        lambda: log.info("said", value=Unprintable()),
    ],
    ids=[
        "message",
        "fields",
        "names",
        "rows",
        "chain",
        "group",
        "line-breaks",
        "number",
        "endless",
        "unprintable",
    ],
)
def test_a_line_stays_one_and_is_never_too_long(say: Callable[[], None], stream: io.StringIO) -> None:
    say()
    assert event(stream)


def test_a_message_that_does_not_fit_its_arguments_is_logged_without_them() -> None:
    record = logging.LogRecord(
        "handlers.added", 30, "", 0, "took %d seconds", ("a-very-private-value",), None
    )
    assert json.loads(JsonFormatter().format(record))["message"] == "took %d seconds"


def test_of_a_long_stack_the_end_is_kept(stream: io.StringIO) -> None:
    log.error("said", exception=of_500_errors())
    stack = event(stream)["stack_trace"]
    assert stack.startswith("...")
    assert "ValueError: error 499" in stack


def test_the_exceptions_of_a_group_are_logged_with_it(stream: io.StringIO) -> None:
    log.error(
        "said", exception=ExceptionGroup("two of three", [ValueError("no page"), KeyError("token=hidden")])
    )
    stack = event(stream)["stack_trace"]
    assert "ValueError: no page" in stack
    assert "KeyError: 'token=..." in stack


def test_a_chain_holds_groups_causes_and_contexts_once_each() -> None:
    cause, inside = ValueError("cause"), ValueError("inside")
    inside.__context__ = cause
    group = ExceptionGroup("group", [inside])
    group.__cause__ = cause
    assert list(chain(group)) == [group, inside, cause]
