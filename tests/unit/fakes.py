"""Stand-ins that unit tests put in the place of time, the queue, the registry, the sandbox and threads."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from functions.clock import Item, taken
from functions.errors import HandlerUnavailable
from functions.job_queue import JobQueue
from functions.queue_rows import Claim, ClaimedJob, DeadLetter, JobResult, Lease, LeaseVerdict, ResolveVerdict
from functions.registry import Registry
from functions.repetition import TimeLeft
from functions.supabase_client import SupabaseClient
from handlers.contract import Decoded, Handler

URL = "http://supabase.test"
KEY = "sb_secret_for_tests"
STATUS = {"done": "done", "retry": "queued", "failed": "failed", "snooze": "queued", "release": "queued"}


def client() -> SupabaseClient:
    return SupabaseClient(URL, KEY)


class FakeClock:
    """Time that only moves when somebody waits, and then at once."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._actions: list[tuple[float, Callable[[], None]]] = []
        self._waited_until = 0.0
        self._idle_waits = 0

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Does something once the time is this many seconds from now."""
        self._actions.append((self.time + seconds, action))
        self._actions.sort(key=lambda one: one[0])

    def wait(self, inbox: queue.SimpleQueue[Item], seconds: float) -> list[Item]:
        if not inbox.empty():
            return taken(inbox)
        target = self.time + seconds
        self._idle_waits = 0 if target > self._waited_until else self._idle_waits + 1
        self._waited_until = target
        assert self._idle_waits < 10, "the tick spins without waiting"
        if self._actions and self._actions[0][0] <= target:
            target, action = self._actions.pop(0)
            self.time = max(self.time, target)
            action()
        self.time = max(self.time, target)
        return []


class FakeQueue(JobQueue):
    """Hands out prepared batches and remembers what it was told.

    Errors can be put in a method's way (None: not this time), and its calls can take time.
    """

    def __init__(
        self, *batches: Sequence[ClaimedJob], clock: FakeClock | None = None, **seconds: float
    ) -> None:
        super().__init__(client())
        self._clock = clock
        self._seconds = seconds  # how long a call of each method takes
        self.time_left: dict[str, list[float]] = {}  # what each method was given
        self.batches = list(batches)
        self.dead_letters: list[DeadLetter] = []  # what the next claims find
        self.paused = False
        self.calls: list[tuple[UUID, int | None]] = []  # who extended or resolved, and for how long
        self.claims: list[dict[str, Any]] = []
        self.resolved: list[JobResult] = []
        self.resolve_calls: list[list[JobResult]] = []
        self.extended: list[list[Lease]] = []
        self.verdicts: dict[int, ResolveVerdict] = {}
        self.lease_verdicts: dict[int, str | None] = {}  # None: the answer leaves that job out
        self.errors: dict[str, list[Exception | None]] = {}
        self.refused: Callable[[Sequence[JobResult]], Exception | None] = lambda _: None
        self.when_called: Callable[[str], None] = lambda _: None
        self.when_resolved: Callable[[], None] = lambda: None

    def claim(self, worker_id: UUID, *, time_left: TimeLeft | None = None, **asked: Any) -> Claim:
        self._called("claim", time_left)
        self.claims.append({"worker_id": worker_id, **asked})
        jobs = list(self.batches.pop(0)) if self.batches else []
        return Claim(jobs=jobs, dead_letter=self.dead_letters.pop(0) if self.dead_letters else None)

    def extend(
        self,
        worker_id: UUID,
        leases: Sequence[Lease],
        *,
        lease_seconds: int,
        time_left: TimeLeft | None = None,
    ) -> list[LeaseVerdict]:
        self.calls.append((worker_id, lease_seconds))
        self._called("extend", time_left)
        self.extended.append(list(leases))
        verdicts = {one.job_id: "ok" for one in leases} | self.lease_verdicts
        return [
            LeaseVerdict.model_validate({"job_id": job_id, "verdict": said})
            for job_id, said in verdicts.items()
            if said
        ]

    def resolve(
        self, worker_id: UUID, results: Sequence[JobResult], *, time_left: TimeLeft | None = None
    ) -> list[ResolveVerdict]:
        self.calls.append((worker_id, None))
        self.resolve_calls.append(list(results))
        self._called("resolve", time_left)
        if error := self.refused(results):
            raise error
        self.resolved += results
        self.when_resolved()
        return [
            self.verdicts.get(one.job_id)
            or ResolveVerdict(job_id=one.job_id, verdict="ok", status=STATUS[one.outcome], attempts=1)
            for one in results
        ]

    def is_paused(self, *, time_left: TimeLeft | None = None) -> bool:
        self._called("is_paused", time_left)
        return self.paused

    def outcomes(self) -> dict[int, str]:
        return {one.job_id: one.outcome for one in self.resolved}

    def _called(self, method: str, time_left: TimeLeft | None) -> None:
        assert time_left, "the tick bounds each of its calls"
        self.time_left.setdefault(method, []).append(time_left())
        self.when_called(method)
        if self._clock:
            self._clock.advance(self._seconds.get(method, 0.0))
        planned = self.errors.get(method) or [None]
        error = planned.pop(0)
        if error is not None:
            raise error


class FakeRegistry(Registry):
    """Handlers by name, without files."""

    def __init__(self, **handlers: Handler) -> None:
        super().__init__()
        self._handlers = handlers

    def find(self, job_type: str) -> Handler:
        if job_type not in self._handlers:
            raise HandlerUnavailable(f"no handler named {job_type}")
        return self._handlers[job_type]


class FakeSandbox:
    """Answers decoders from a function."""

    def __init__(self, answer: Callable[..., Decoded] | None = None) -> None:
        self.answer = answer or (lambda **_: Decoded(facts={}, files={}))

    def run(
        self,
        decoder: str,
        source: Path,
        *,
        timeout: float,
        memory_mb: int,
        seconds: float | None,
        options: dict[str, Any],
    ) -> Decoded:
        return self.answer(
            decoder=decoder,
            source=source,
            timeout=timeout,
            memory_mb=memory_mb,
            seconds=seconds,
            options=options,
        )


class HeldThreads:
    """Threads that do not run until the test lets them: how a handler that hangs looks to the tick."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        self.held.append(work)

    def run_next(self) -> None:
        self.held.pop(0)()
