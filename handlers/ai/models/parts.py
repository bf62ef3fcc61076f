"""Asks about every part of a file, and about the halves of a part whose answer was cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handlers.ai.models.asking import Asker
from handlers.ai.models.chunks import Part
from handlers.ai.models.ladder import Answered
from handlers.ai.models.service import Question
from handlers.ai.models.trouble import Misconfigured, NoPictures
from handlers.ai.settings import AiSettings

REFUSED = "ai: the provider refused this file"
PARTLY_REFUSED = "ai: the provider refused a part of this file"
CUT_OFF = "ai: an answer about a part of this file was too long, so that part is missing"
PARTLY_UNUSABLE = "ai: an answer about a part of this file could not be used, so that part is missing"
NO_PICTURES = "ai: the model takes no pictures"


@dataclass(frozen=True)
class Gathered:
    """The answers in the order of the file, and what is missing among them."""

    answers: Sequence[Answered]
    notes: Sequence[str]
    is_refused: bool  # all of it
    is_blind: bool  # the model does not take the pictures
    degraded: bool  # asked again, there could be more


def ask_about(
    parts: Sequence[Part], question_of: Callable[[Part], Question], asker: Asker, settings: AiSettings
) -> Gathered:
    """All answers. Raises `Misconfigured` where not one question or answer is short enough."""
    waiting = list(parts)
    ended: list[tuple[Part, Answered]] = []
    while waiting:
        asked, waiting = waiting, []
        for part, answered in zip(asked, asker.ask([question_of(part) for part in asked]), strict=True):
            halves = part.halves() if answered.finish == "cut" else ()
            waiting += halves
            if not halves:
                ended.append((part, answered))
    ended.sort(key=lambda one: one[0].place)
    return _gathered([answered for _, answered in ended], settings)


def _gathered(answers: Sequence[Answered], settings: AiSettings) -> Gathered:
    usable = [answered for answered in answers if answered.answer]
    refused = [answered for answered in answers if answered.finish == "refused"]
    cut = [answered for answered in answers if answered.finish == "cut"]
    blind = [answered for answered in answers if isinstance(answered.trouble, NoPictures)]
    bad = [answered for answered in answers if answered.trouble and answered not in blind]
    if cut and not usable and not refused:
        if all(answered.is_too_long for answered in cut):
            raise Misconfigured("AI_CHUNK_TOKENS", "even a small part of the file is too long for the model")
        raise Misconfigured(
            "AI_MAX_OUTPUT_TOKENS", f"every answer is longer than {settings.ai_max_output_tokens} tokens"
        )
    notes = [
        *([PARTLY_REFUSED] if refused and len(refused) < len(answers) else []),
        *([CUT_OFF] if cut else []),
        *([PARTLY_UNUSABLE] if bad else []),
    ]
    is_refused = bool(refused) and not usable
    return Gathered(usable, notes, is_refused=is_refused, is_blind=bool(blind), degraded=bool(bad))
