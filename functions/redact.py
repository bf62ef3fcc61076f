"""Cleans text on its way out: no secret in a log line or an error, nothing that jsonb cannot hold."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

ERROR_CHARACTERS = 2_000

# Every repetition below is bounded or cannot fail once it began, so that no text makes them slow.
_URL = re.compile(r"(?i)([a-z][a-z0-9+.-]{1,20}://)([^\s'\"<>]+)")
_NAME = (
    r"(?i)(token|api[_-]?key|secret(?:[_-]key)?|password|passwd|signature|authorization|cookie|bearer|jwt)"
)
_IS = r"([\\\"']{0,6}\s{0,3}(?:[=:]|%3[ad])\s{0,3}|[\"']\s{0,3},\s{0,3})"  # the latter in a pair
_SCHEME = r"((?:bearer|basic)\s{1,3})?"
_APART = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"  # or after a line break that was escaped
_JWT_APART = r"(?:(?<![a-z])|(?<=\\[nrt]))"
_SECRETS = (
    (re.compile(r"\?[\w.~%+-]{1,64}=[^\s'\"]*"), "?..."),  # the query of a relative URL
    (re.compile(r"sb_(secret|publishable)_[\w-]+"), r"sb_\1_..."),
    (re.compile(r"whsec_[\w+/=-]+"), "whsec_..."),
    (re.compile(_APART + r"sk-[\w-]{16,}"), "sk-..."),
    (re.compile(_JWT_APART + r"eyJ[\w.-]{8,}"), "(a token)"),
    # A quoted value to its closing quote, however often both were escaped; then those without quotes.
    (
        re.compile(_NAME + _IS + r"(b?)(\\{0,4}[\"'])" + _SCHEME + r"(?:(?!\4)(?:\\.|[^\\\n]))+"),
        r"\1\2\3\4\5...",
    ),
    (re.compile(_NAME + _IS + _SCHEME + r"[^\s\\'\",;&)}\]]+"), r"\1\2\3..."),
    (re.compile(r"(?i)(bearer)\s{1,3}[\w.~+/=-]+"), r"\1 ..."),
)
_SHORTEST_SECRET = 8  # a shorter one would be found in ordinary words


class _Hidden:
    """Values of this process's own that no text may hold, whatever they look like."""

    values: tuple[str, ...] = ()


def hide(secrets: Iterable[str]) -> None:
    """From now on `redact` takes these out wherever they stand, also quoted for a URL or for JSON."""
    written = {
        form for secret in secrets for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])
    }
    _Hidden.values = tuple(
        sorted((one for one in written if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)
    )


def redact(text: str) -> str:
    """The text without URL queries, keys and tokens, cut to what `jobs.last_error` should hold."""
    for secret in _Hidden.values:
        text = text.replace(secret, "...")
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
