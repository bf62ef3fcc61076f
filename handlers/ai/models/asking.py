"""Asks a provider for one job: several questions at once, none of them twice, everything counted.

Each answer is kept as soon as it is there, under a key of all that it depends on. So a retry after the third of
five parts asks for two, and the same content under another name for none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from handlers.ai.models.answers import schema_version
from handlers.ai.models.at_once import at_once
from handlers.ai.models.ladder import Answered, ask
from handlers.ai.models.pricing import priced, total
from handlers.ai.models.prompts import PROMPT_VERSION
from handlers.ai.models.service import Question, Service
from handlers.ai.models.trouble import Misconfigured, NoPictures, OutOfTime, Trouble, Unavailable, Unusable
from handlers.ai.settings import AiSettings
from handlers.contract import Context
from handlers.outputs import AiUse

RESERVE_SECONDS = 3.0  # of an attempt: for what comes after the last answer
LEAST_SECONDS = 5.0  # with less left no request is begun
_WORST_FIRST = (Misconfigured, Unavailable, Unusable, OutOfTime)


class Asker:
    """`use` grows with every request that was really made; `progressed` says whether it is safe to go on later."""

    def __init__(self, service: Service, settings: AiSettings, ctx: Context) -> None:
        self.use = AiUse()
        self._service = service
        self._settings = settings
        self._ctx = ctx
        self._newest: str | None = None  # key of an answer that this attempt paid for

    def ask(self, questions: Sequence[Question]) -> list[Answered]:
        """The answers in the order of the questions. Raises the worst `Trouble`, after keeping the rest.

        With AI_FALLBACK=offline a few unusable answers among usable ones are handed out as they are.
        """
        keyed = {self._key(question): question for question in questions}  # the same one twice is asked once
        answers = {key: found for key, question in keyed.items() if (found := self._recall(key, question))}
        missing = [key for key in keyed if key not in answers]
        raised: BaseException | None = None
        threads = self._settings.ai_parallel_requests
        asked = [keyed[key] for key in missing]
        for index, answered in at_once(self._ask_one, asked, threads=threads, is_end=_is_end):
            if isinstance(answered, BaseException):
                raised = raised or answered
                continue
            answers[missing[index]] = answered
            try:
                self._pay(missing[index], answered)
            except BaseException as error:  # the job was taken away; what is under way is paid all the same
                raised = raised or error
        if raised:
            raise raised
        self._settle([answered.trouble for answered in answers.values()])
        return [answers[self._key(question)] for question in questions]

    @property
    def progressed(self) -> bool:
        """Whether this attempt's answers will be there for the next one."""
        return self._newest is not None and self._ctx.recall(self._newest) is not None

    def _ask_one(self, question: Question) -> Answered:
        return ask(self._service, question, self._seconds)

    def _seconds(self) -> float:
        left = self._ctx.seconds_left() - RESERVE_SECONDS
        if left < LEAST_SECONDS:
            raise OutOfTime("there is no time left for the provider's next answer")
        return min(left, self._settings.ai_timeout_seconds)

    def _pay(self, key: str, answered: Answered) -> None:
        use = priced(answered.use, self._settings)
        self.use = total([self.use, use])
        try:
            if answered.trouble is None and not answered.is_too_long:
                answer = answered.answer.model_dump(mode="json") if answered.answer else None
                self._ctx.keep(key, {"finish": answered.finish, "answer": answer})
                self._newest = key
        finally:
            if use.cost:
                self._ctx.report_cost(use.cost)

    def _recall(self, key: str, question: Question) -> Answered | None:
        kept = self._ctx.recall(key)
        if not isinstance(kept, dict):
            return None
        try:
            answer = question.answer.model_validate(kept["answer"]) if kept["answer"] is not None else None
            return Answered(answer, kept["finish"])
        except (KeyError, ValidationError):
            return None

    def _settle(self, troubles: Sequence[Trouble | None]) -> None:
        found = [trouble for trouble in troubles if trouble and not isinstance(trouble, NoPictures)]
        are_unusable = all(isinstance(trouble, Unusable) for trouble in found)
        if self._settings.ai_fallback == "offline" and are_unusable and len(found) < len(troubles):
            return
        for kind in (*_WORST_FIRST, Trouble):
            for trouble in found:
                if isinstance(trouble, kind):
                    raise trouble

    def _key(self, question: Question) -> str:
        pictures = [hashlib.sha256(picture.jpeg).hexdigest() for picture in question.pictures]
        asked: list[Any] = [question.instructions, question.material, pictures]
        text = json.dumps(asked).encode()
        settings = self._settings
        return json.dumps(
            {
                "asked": hashlib.sha256(text).hexdigest(),
                "schema": schema_version(question.answer),
                "prompts": PROMPT_VERSION,
                "provider": settings.ai_provider,
                "place": self._service.place,
                "max_output_tokens": settings.ai_max_output_tokens,
            },
            sort_keys=True,
        )


def _is_end(answered: Answered) -> bool:
    """Whether the other questions would come to nothing as well."""
    return answered.trouble is not None and not isinstance(answered.trouble, NoPictures | Unusable)
