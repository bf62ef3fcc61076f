"""What a provider is asked to answer: one schema for all of them, and how leniently an answer is read.

The schema that is sent obeys the rules of strict structured output: every field required, nullable rather than
left out, no maps, no bounds, small enumerations. An answer is read more kindly: a missing list is an empty one, a
number out of range is clamped, a bad card is dropped alone. Nothing in it is believed: texts are cleaned and cut
here, what they claim about the file is checked by the card gates.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from handlers.outputs import SafetyFlag

LONGEST_LIST = 200  # of what an answer may list; what is kept is cut further
LONGEST_TEXT = 20_000  # characters, of what was read in one picture
_IN_SCHEMA = {"type", "description", "properties", "items", "anyOf", "enum", "const", "$defs", "$ref"}
_MAPS = {"properties", "$defs"}


def _listed(value: object) -> object:
    return value[:LONGEST_LIST] if isinstance(value, list) else [] if value is None else value


def _known_flags(value: object) -> object:
    known = get_args(SafetyFlag)
    return [flag for flag in value if flag in known] if isinstance(value, list) else []


def _fraction(value: object) -> float:
    """A number from 0 to 1; what is none says nothing, so it is the middle."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0.5
    return min(max(number, 0.0), 1.0) if math.isfinite(number) else 0.5


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e9 and math.isfinite(value) else None


def _page(value: object) -> int | None:
    number = _number(value)
    return int(number) if number else None


def _cards(value: object) -> object:
    """Each card by itself: one that is none becomes null. All of them: the answer is no answer."""
    if not isinstance(value, list):
        return value
    read = [_card(item) for item in value[:LONGEST_LIST]]
    return value if value and not any(read) else read


def _card(item: object) -> CardAnswer | None:
    try:
        return CardAnswer.model_validate(item)
    except ValidationError:
        return None


Texts = Annotated[list[str], BeforeValidator(_listed)]
Fraction = Annotated[float, BeforeValidator(_fraction)]
Page = Annotated[int | None, BeforeValidator(_page)]
Seconds = Annotated[float | None, BeforeValidator(_number)]


class Answer(BaseModel):
    """Base of every answer. What an answer says beyond its fields is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PictureText(Answer):
    """What stands written in one picture."""

    page: Page = Field(None, description="the number of the picture's page, if it was given")
    text: str = Field(description="the text in the picture, word for word, in reading order")


class FileAnswer(Answer):
    """What a file, or a part of one, is about."""

    title: str = Field(description="a short title, in the language of the file")
    language: str | None = Field(None, description="the language of the file, ISO 639-1, two letters")
    summary: str = Field(description="one to three sentences, in the language of the file")
    topics: Texts = Field(default=[], description="up to 8 subjects, most important first")
    key_terms: Texts = Field(default=[], description="up to 12 terms that the file explains or uses most")
    safety_flags: Annotated[list[SafetyFlag], BeforeValidator(_known_flags)] = Field(
        default=[], description="what a reader should be warned of; mostly empty"
    )
    picture_texts: Annotated[list[PictureText], BeforeValidator(_listed)] = Field(
        default=[], description="the text in each picture that came along; empty without pictures"
    )


class CardAnswer(Answer):
    """One proposed card."""

    type: Literal["basic", "cloze"]
    front: str = Field(description="the question; for cloze the sentence with […] in the answer's place")
    back: str = Field(description="the answer, as short as possible")
    hint: str | None = Field(None, description="a help that does not give the answer away, or null")
    tags: Texts = Field(default=[], description="one to three subjects")
    page: Page = Field(None, description="the number in the last [page N] before the quote, or null")
    time_s: Seconds = Field(None, description="the number in the last [time N] before the quote, or null")
    quote: str = Field(description="the sentence of the file that proves the answer, word for word")
    difficulty: Fraction = Field(0.5, description="0 easy to remember, 1 hard")
    confidence: Fraction = Field(0.5, description="0 to 1: how sure you are that the card is true")


class CardsAnswer(Answer):
    """The cards of a file or of a part of one; null stands for one that could not be read."""

    cards: Annotated[list[CardAnswer | SkipJsonSchema[None]], BeforeValidator(_cards)]


@cache
def strict_schema(model: type[Answer]) -> dict[str, Any]:
    """The JSON schema of an answer as strict structured output takes it."""
    return _strict(model.model_json_schema())


@cache
def schema_version(model: type[Answer]) -> str:
    """Changes with every word of the schema: an answer to another schema is not reused."""
    text = json.dumps(strict_schema(model), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _strict(schema: Mapping[str, Any], *, is_map: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in schema.items():
        if not is_map and name not in _IN_SCHEMA:
            continue
        if isinstance(value, dict):
            found[name] = _strict(value, is_map=not is_map and name in _MAPS)
        elif isinstance(value, list):
            found[name] = [_strict(item) if isinstance(item, dict) else item for item in value]
        else:
            found[name] = value
    if not is_map and "properties" in found:
        found |= {"required": list(found["properties"]), "additionalProperties": False}
    return found
