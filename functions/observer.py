"""What tells the outside how a tick goes: one small seam, and nobody behind it unless the settings say so.

The tick and what it is made of call these methods and know nothing of Sentry or OpenTelemetry, which
`functions.reports` puts behind them. None of them raises, and none waits, but for `flush`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Literal, Protocol

from functions.queue_rows import ClaimedJob, DeadLetter, JobResult, ResolveVerdict

StepName = Literal["tick", "claim", "job", "resolve"]


class Step(Protocol):
    """A part of a tick while it lasts."""

    def note(self, **facts: str | int | float) -> None:
        """Facts about it, as `count=3`; never a payload."""
        ...

    def came_to(self, result: JobResult) -> None:
        """What the attempt ended with, where the step is a job."""
        ...


class Observer(Protocol):
    """Threads share one: a job's step is entered in the thread of its handler."""

    def step(self, name: StepName, job: ClaimedJob | None = None) -> AbstractContextManager[Step]:
        """Surrounds a part of the tick; an exception that passes through it is part of what is seen."""
        ...

    def abandoned(self, job: ClaimedJob, result: JobResult) -> None:
        """The attempt is over though its handler may still run."""
        ...

    def resolved(self, job: ClaimedJob, result: JobResult, verdict: ResolveVerdict) -> None:
        """The database took the result, or said why not."""
        ...

    def found_dead(self, dead: DeadLetter) -> None:
        """The database gave a job up whose workers died."""
        ...

    def trouble(self, error: BaseException) -> None:
        """The function itself failed, and not a job."""
        ...

    def flush(self, seconds: float) -> None:
        """Sends what is left, before the answer: afterwards there may be no processor time."""
        ...

    def close(self) -> None:
        """Ends its threads and connections."""
        ...


class Unseen:
    """A step that nobody looks at, and the observer that nobody is."""

    def note(self, **facts: str | int | float) -> None: ...

    def came_to(self, result: JobResult) -> None: ...

    @contextmanager
    def step(self, name: StepName, job: ClaimedJob | None = None) -> Iterator[Step]:  # noqa: ARG002
        yield self

    def abandoned(self, job: ClaimedJob, result: JobResult) -> None: ...

    def resolved(self, job: ClaimedJob, result: JobResult, verdict: ResolveVerdict) -> None: ...

    def found_dead(self, dead: DeadLetter) -> None: ...

    def trouble(self, error: BaseException) -> None: ...

    def flush(self, seconds: float) -> None: ...

    def close(self) -> None: ...


NOBODY = Unseen()


class All:
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    @contextmanager
    def step(self, name: StepName, job: ClaimedJob | None = None) -> Iterator[Step]:
        with ExitStack() as stack:
            yield _Steps([stack.enter_context(one.step(name, job)) for one in self._observers])

    def abandoned(self, job: ClaimedJob, result: JobResult) -> None:
        for one in self._observers:
            one.abandoned(job, result)

    def resolved(self, job: ClaimedJob, result: JobResult, verdict: ResolveVerdict) -> None:
        for one in self._observers:
            one.resolved(job, result, verdict)

    def found_dead(self, dead: DeadLetter) -> None:
        for one in self._observers:
            one.found_dead(dead)

    def trouble(self, error: BaseException) -> None:
        for one in self._observers:
            one.trouble(error)

    def flush(self, seconds: float) -> None:
        for one in self._observers:
            one.flush(seconds / len(self._observers))

    def close(self) -> None:
        for one in self._observers:
            one.close()


class _Steps:
    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    def note(self, **facts: str | int | float) -> None:
        for one in self._steps:
            one.note(**facts)

    def came_to(self, result: JobResult) -> None:
        for one in self._steps:
            one.came_to(result)
