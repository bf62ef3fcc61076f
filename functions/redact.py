"""Cleans text on its way out: no secret in a log line or an error, nothing that jsonb cannot hold."""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic import ValidationError

ERROR_CHARACTERS = 2_000

# Every repetition below is bounded or cannot fail once it began, so that no text makes them slow.
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)([^\s'\"<>]+)")
_SECRETS = (
    (re.compile(r"\?[\w.~%+-]{1,64}=[^\s'\"]*"), "?..."),  # the query of a relative URL
    (re.compile(r"\bsb_(secret|publishable)_[\w-]+"), r"sb_\1_..."),
    (re.compile(r"\bsk-[\w-]{16,}"), "sk-..."),
    (re.compile(r"\beyJ[\w.-]{8,}"), "(a token)"),
    (
        re.compile(
            r"(?i)(token|api[_-]?key|secret(?:[_-]key)?|password|passwd|signature|authorization|bearer|jwt)"
            r"([\\\"']{0,2}\s{0,3}[=:]\s{0,3}[\\\"']{0,2})((?:bearer|basic)\s{1,3})?[^\s\\'\",;&)}\]]+"
        ),
        r"\1\2\3...",
    ),
    (re.compile(r"(?i)\b(bearer)\s{1,3}[\w.~+/=-]+"), r"\1 ..."),
)


def redact(text: str) -> str:
    """The text without URL queries, keys and tokens, cut to what `jobs.last_error` should hold."""
    text = text[: 4 * ERROR_CHARACTERS]
    text = _URL.sub(_bare_url, text)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    text = without_unstorable(text)
    return text if len(text) <= ERROR_CHARACTERS else text[: ERROR_CHARACTERS - 3] + "..."


def message_of(error: BaseException) -> str:
    """What an exception says, without the values that pydantic would quote. Never raises."""
    try:
        return named_problems(error) if isinstance(error, ValidationError) else str(error)
    except Exception:
        return "(an exception that cannot be printed)"


def named_problems(error: ValidationError) -> str:
    """Which fields are wrong and how, without their values."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'value'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_input=False)[:10]
    )


def without_unstorable(text: str) -> str:
    """Drops NUL and lone surrogates: Postgres refuses the whole batch for one of them."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def storable(value: Any) -> Any:
    """A JSON value that jsonb accepts: clean strings, and null where a float is no number."""
    match value:
        case str():
            return without_unstorable(value)
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {without_unstorable(str(key)): storable(item) for key, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
        case _:
            return value


def _bare_url(match: re.Match[str]) -> str:
    """Scheme, host and path: what precedes an @ is a password, what follows a ? may be a token."""
    scheme, rest = match.groups()
    is_web = scheme.lower() in ("http://", "https://")
    userinfo = rest.rfind("@", 0, _first(rest, "/?#") if is_web else len(rest))
    if userinfo >= 0:
        rest = "...@" + rest[userinfo + 1 :]
    tail = _first(rest, "?#")
    if tail < len(rest) and (rest[tail] == "?" or "=" in rest[tail:]):
        rest = rest[: tail + 1] + "..."
    return scheme + rest


def _first(text: str, marks: str) -> int:
    """Where the first of the marks stands, or the text ends."""
    return min((place for mark in marks if (place := text.find(mark)) >= 0), default=len(text))
