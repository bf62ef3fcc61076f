"""Reads a provider's answer as what it is: text of unknown origin that should hold one JSON object.

A file may have talked a model into anything, so an answer is treated like a file: bounded, cleaned of what
jsonb refuses and of what no reader sees, and without links and markup that the file itself does not have.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any, TypeVar

from pydantic import ValidationError

from handlers.ai.models.answers import LONGEST_TEXT, Answer
from handlers.ai.text.clean import clean_text

MAX_ANSWER_BYTES = 4 * 1024 * 1024  # an answer of AI_MAX_OUTPUT_TOKENS has some 16 kB
_READ_PER_CHARACTER = 8  # what is removed may be longer than what stays
TRIES = 20  # braces that may begin the object, in an answer that talks around it

AnswerModel = TypeVar("AnswerModel", bound=Answer)

_LINK = re.compile(r"!?\[([^\]\n]{0,200})\]\([^)\s]{1,2000}\)")
_URL = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,15}:/{1,2}|\bwww\.|\b(?:javascript|data|mailto):)[^\s<>\"')\]]+", re.I
)
_TAG = re.compile(r"<[/!?]?[a-z][^<>]{0,2000}>", re.I)


class NoAnswerError(ValueError):
    """The text is not what was asked for; says what is wrong with it, for the repair."""


def read_answer(text: str, model: type[AnswerModel]) -> AnswerModel:
    """The first JSON object in the text that has the right shape. Raises `NoAnswerError`."""
    text = text.rpartition("</think>")[2]  # models that think aloud end it so
    problem = "there is no JSON object in it"
    decoder = json.JSONDecoder()
    for match in islice(re.finditer(r"\{", text), TRIES):
        try:
            value, _ = decoder.raw_decode(text, match.start())
            return model.model_validate(_cleaned(value))
        except ValidationError as error:
            raise NoAnswerError(_problems(error)) from None
        except (ValueError, RecursionError):
            problem = "its JSON is damaged or incomplete"
    raise NoAnswerError(problem)


class OneLine:
    """Texts of an answer as single lines; links and tags stay only where the file itself has them."""

    def __init__(self, source: str) -> None:
        self._of_source = {match[0] for pattern in (_LINK, _URL, _TAG) for match in pattern.finditer(source)}

    def __call__(self, text: str, longest: int) -> str:
        """The text, cut to `longest` characters."""
        text = text[: _READ_PER_CHARACTER * longest]
        text = _LINK.sub(lambda match: match[0] if match[0] in self._of_source else match[1], text)
        for pattern in (_URL, _TAG):
            text = pattern.sub(lambda match: match[0] if match[0] in self._of_source else " ", text)
        line = " ".join(text.split())
        return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean_text(value[:LONGEST_TEXT])
        case dict():
            return {name: _cleaned(item) for name, item in value.items()}
        case list():
            return [_cleaned(item) for item in value]
        case _:
            return value


def _problems(error: ValidationError) -> str:
    """Which fields are wrong and how, in the words of the schema."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the object'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)[:8]
    )
