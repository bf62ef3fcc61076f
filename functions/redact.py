"""Cleans text on its way out: no secret in a log line or an error, nothing that jsonb cannot hold."""

from __future__ import annotations

import math
import re
from typing import Any

ERROR_CHARACTERS = 2_000

_SECRETS = (
    (
        re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]+"),
        r"\1?...",
    ),  # signed URLs carry their token in the query
    (re.compile(r"(https?://)[^\s/@'\"]+@"), r"\1...@"),
    (re.compile(r"\bsb_(secret|publishable)_[\w-]+"), r"sb_\1_..."),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "(a token)"),
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]+"), r"\1 ..."),
)


def redact(text: str) -> str:
    """The text without URL queries, keys and tokens, cut to what `jobs.last_error` should hold."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    text = without_unstorable(text)
    return text if len(text) <= ERROR_CHARACTERS else text[: ERROR_CHARACTERS - 3] + "..."


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
