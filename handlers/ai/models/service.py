"""One request to an AI provider and one answer, whoever it is: what `openai_service` and `anthropic_service` do.

Everything above (chunks, the ladder, what was paid for already) knows only this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from handlers.ai.models.answers import Answer
from handlers.ai.provider import Picture
from handlers.outputs import AiUse

Rung = Literal["schema", "object", "prompt"]  # strict schema; any JSON object; no promise at all
Finish = Literal["complete", "cut", "refused"]  # "cut": the longest answer that was asked for was too short


@dataclass(frozen=True)
class Question:
    """What is asked: our instructions apart from the material, which is data and never an order."""

    instructions: str
    material: str  # delimited by a name that the material cannot know
    answer: type[Answer]
    pictures: Sequence[Picture] = ()

    def without_pictures(self) -> Question:
        return replace(self, pictures=())


@dataclass(frozen=True)
class Repair:
    """The second and last turn: what was answered, and what is wrong with it."""

    said: str
    problem: str


@dataclass(frozen=True)
class Reply:
    """What came back. `text` should be JSON; `use` is what the provider counted for this request."""

    text: str
    finish: Finish
    use: AiUse


class Service(Protocol):
    """A provider's API, with its base URL, model and key."""

    @property
    def place(self) -> str:
        """Base URL and model: what works at one place need not at another."""
        ...

    @property
    def rungs(self) -> Sequence[Rung]:
        """The forms of a request that it may understand, the strictest first."""
        ...

    def ask(self, question: Question, rung: Rung, *, repair: Repair | None, seconds: float) -> Reply:
        """Sends one request and waits at most `seconds` for the answer. Raises `Trouble`."""
        ...

    def close(self) -> None:
        """Closes its connections."""
        ...
