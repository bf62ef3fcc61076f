"""Gets an answer of the right shape out of a provider, whatever it understands of structured output.

    schema   the strict JSON schema goes along; the provider guarantees the shape
    object   any JSON object is guaranteed, the schema stands in the instructions
    prompt   nothing is guaranteed: the first JSON object in the text counts

Refused forms lead one rung down, and what worked at a place is where the next request to it begins. An answer
that does not fit gets one repair, with what is wrong with it; after that there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from handlers.ai.models.answer_text import NoAnswerError, read_answer
from handlers.ai.models.answers import Answer
from handlers.ai.models.pricing import total
from handlers.ai.models.service import Finish, Question, Repair, Reply, Rung, Service
from handlers.ai.models.trouble import FormRefused, Misconfigured, NoPictures, TooLong, Trouble, Unusable
from handlers.outputs import AiUse

_works: dict[str, Rung] = {}  # by place; of this process


@dataclass(frozen=True)
class Answered:
    """What a question came to. Without an `answer` it was refused, or cut off and has to be asked in halves.

    `trouble` ended it instead: even then what was used until then has been paid.
    """

    answer: Answer | None = None
    finish: Finish = "complete"
    use: AiUse = field(default_factory=AiUse)
    trouble: Trouble | None = None
    is_too_long: bool = False  # the question is, so it was not answered at all and nothing was paid


def ask(service: Service, question: Question, seconds: Callable[[], float]) -> Answered:
    """Asks, and asks again after a bad answer. `seconds` says how long the next request may take."""
    uses: list[AiUse] = []
    try:
        return replace(_ask(service, question, seconds, uses), use=total(uses))
    except TooLong:
        return Answered(finish="cut", use=total(uses), is_too_long=not uses)
    except Trouble as trouble:
        return Answered(trouble=trouble, use=total(uses))


def forget_places() -> None:
    """Begins everywhere with the strictest rung again."""
    _works.clear()


def _ask(service: Service, question: Question, seconds: Callable[[], float], uses: list[AiUse]) -> Answered:
    rung, reply = _descend(service, question, seconds)
    uses.append(reply.use)
    problem = None
    for is_last in (False, True):
        if reply.finish != "complete":
            return Answered(finish=reply.finish)
        try:
            answer = read_answer(reply.text, question.answer)
        except NoAnswerError as error:
            problem = str(error)
        else:
            _works[service.place] = rung
            return Answered(answer)
        if is_last:
            break
        rung = _works[service.place] = _below(service.rungs, rung)  # it may have ignored the schema
        repair = Repair(said=reply.text, problem=problem)
        rung, reply = _descend(service, question, seconds, repair)
        uses.append(reply.use)
    raise Unusable(f"the provider's answer does not fit, not even repaired: {problem}")


def _descend(
    service: Service, question: Question, seconds: Callable[[], float], repair: Repair | None = None
) -> tuple[Rung, Reply]:
    """The answer on the first rung that the provider understands, from the one that worked before."""
    rungs = service.rungs
    begin = rungs.index(_works[service.place]) if service.place in _works else 0
    for rung in rungs[begin:]:
        try:
            reply = service.ask(question, rung, repair=repair, seconds=seconds())
        except TooLong:
            raise
        except FormRefused as error:
            if isinstance(error, NoPictures) and question.pictures:
                raise
            refused = error
            continue
        return rung, reply
    raise Misconfigured("AI_MODEL", f"the provider refuses the request, whatever its form: {refused}")


def _below(rungs: Sequence[Rung], rung: Rung) -> Rung:
    return rungs[min(rungs.index(rung) + 1, len(rungs) - 1)]
