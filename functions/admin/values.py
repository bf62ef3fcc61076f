"""The kinds of values that come in through paths, queries and bodies, and what none of them may hold."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from functions.operator_rows import HistoryHours

MAX_ID = 10**18 - 1  # below bigint's end, as the database's own checks
MAX_DEPTH = 64  # of nested JSON; Postgres and Python both give up on thousands

_DIGITS = re.compile(r"0|[1-9][0-9]{0,18}")


def _digits(value: object) -> object:
    """In a URL a number is its digits: no sign, blank, fraction, underscore or other script's numerals."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("should be a whole number in digits")
    return value


def _number(value: object) -> object:
    """For a choice among numbers, which pydantic does not look for in a text."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


def _whole(value: object) -> object:
    """In JSON 5.0 is a whole number, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _storable(text: str) -> str:
    if problem := _unstorable(text):
        raise ValueError(problem)
    return text


def _unstorable(text: str) -> str | None:
    if "\x00" in text:
        return "may not hold a NUL character"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half of a surrogate pair"
    return None


# In a body; the checks of the text or number before stand outside, or pydantic loses the limits in JSON Schema.
Number = Annotated[int, Field(ge=1, le=MAX_ID), BeforeValidator(_whole)]
Priority = Annotated[int, Field(ge=-1000, le=1000), BeforeValidator(_whole)]
Hundred = Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)]

# In a URL.
Identity = Annotated[int, Field(ge=1, le=MAX_ID), BeforeValidator(_digits)]
Limit = Annotated[int, Field(ge=1, le=200), BeforeValidator(_digits)]
Hours = Annotated[HistoryHours, BeforeValidator(_number)]
Size = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_digits)]
JobTypeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
OrgId = Annotated[str, Field(min_length=1, max_length=256, pattern=r"\S"), AfterValidator(_storable)]
Text = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_storable)]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True), Field(max_length=1000), AfterValidator(_storable)
]
Cursor = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_storable)]
Asset = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


def problem_of(value: Any, field: str = "", depth: int = 0) -> tuple[str, str] | None:
    """What in a JSON value could not be stored, as field and problem; None when it is fine."""
    if depth > MAX_DEPTH:
        return field, f"is nested deeper than {MAX_DEPTH} levels"
    match value:
        case str() if problem := _unstorable(value):
            return field, problem
        case float() if not math.isfinite(value):
            return field, "is a number that JSON does not have, or too large"
        case int() if abs(value) > 10**300:
            return field, "is too large a number"
        case dict():
            return _first(
                problem_of(key, field, depth) or problem_of(one, _joined(field, key), depth + 1)
                for key, one in value.items()
            )
        case list():
            return _first(
                problem_of(one, _joined(field, str(place)), depth + 1) for place, one in enumerate(value)
            )
    return None


def _joined(field: str, key: str) -> str:
    return f"{field}.{key}" if field else key


def _first(problems: Any) -> tuple[str, str] | None:
    return next((problem for problem in problems if problem), None)
