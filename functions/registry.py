"""Finds the handler of a job by the job's type: in `handlers/<type>.py`, or where CRONTICK_HANDLERS says.

A file's handler is imported when its first job comes, so a tick never pays for decoders that it does not use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import handlers
from functions.errors import HandlerUnavailable
from functions.handler_places import HasNoHandler, Place, open_place
from handlers.contract import Handler


@dataclass(frozen=True)
class Registered:
    """A handler of this deployment, and where a person finds it."""

    handler: Handler
    where: str


class Registry:
    """The handlers of this deployment. A type comes from the database: only what exists is imported."""

    def __init__(self, package: str = handlers.__name__, *, more: Sequence[str] = ()) -> None:
        """`more`: modules and packages besides the first one, which are opened when they are needed."""
        self._names = tuple(dict.fromkeys((package, *more)))
        self._places: dict[str, Place] = {}
        self._found: dict[str, Registered] = {}

    def find(self, job_type: str) -> Handler:
        """The handler of that type. Raises `HandlerUnavailable` if it is missing or cannot be imported."""
        return self.registered(job_type).handler

    def registered(self, job_type: str) -> Registered:
        """The same, with the place it was found in."""
        found = self._found.get(job_type)
        if found is None:
            found = self._found[job_type] = self._look_for(job_type)
        return found

    def names(self) -> list[str]:
        """The job types that have a handler here which can be used."""
        return [one.handler.job_type for one in self.listing()[0]]

    def listing(self) -> tuple[list[Registered], list[str]]:
        """All handlers by job type, and what is wrong with the others. Imports every one of them."""
        places, problems = self._open_places()
        found = []
        for job_type in sorted({job_type for place in places for job_type in place.types()}):
            try:
                found.append(self.registered(job_type))
            except HasNoHandler:
                continue
            except HandlerUnavailable as error:
                problems.append(str(error))
        return found, problems

    def problems(self) -> list[str]:
        """What is wrong with the places themselves and with handlers of one name, importing no more files."""
        places, problems = self._open_places()
        types = [job_type for place in places for job_type in place.types()]
        for job_type in sorted({one for one in types if types.count(one) > 1}):
            try:
                self.registered(job_type)
            except HasNoHandler:
                continue
            except HandlerUnavailable as error:
                problems.append(str(error))
        return problems

    def _look_for(self, job_type: str) -> Registered:
        places, problems = self._open_places()
        found: list[Registered] = []
        refused: list[HandlerUnavailable] = []
        for place in places:
            if job_type not in place.types():
                continue
            try:
                found += [Registered(handler, place.where(job_type)) for handler in place.load(job_type)]
            except HandlerUnavailable as error:
                refused.append(error)
        if len({id(one.handler) for one in found}) > 1:
            raise HandlerUnavailable(
                f"{job_type} has two handlers, {' and '.join(one.where for one in found)}: "
                "rename or remove one and deploy again"
            )
        if found:
            return found[0]
        if refused:
            raise max(refused, key=lambda error: not isinstance(error, HasNoHandler))
        raise HandlerUnavailable("; ".join((self._missing(job_type), *problems)))

    def _missing(self, job_type: str) -> str:
        return (
            f"no handler named {job_type} in this deployment; is a deploy under way? "
            f"(it would be {self._names[0]}/{job_type}.py)"
        )

    def _open_places(self) -> tuple[list[Place], list[str]]:
        """The places that can be opened, and what is wrong with the others, which are tried again each time."""
        places, problems = [], []
        for name in self._names:
            try:
                place = self._places[name] = self._places.get(name) or open_place(name)
                places.append(place)
            except HandlerUnavailable as error:
                problems.append(str(error))
        return places, problems
