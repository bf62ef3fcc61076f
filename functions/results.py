"""Finished jobs on their way to the database: collected for a moment, then resolved in one call."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, replace

from functions import log
from functions.clock import Clock
from functions.errors import QueueTooSlow, RequestRefused
from functions.job_queue import JobQueue
from functions.observer import NOBODY, Observer
from functions.queue_rows import ClaimedJob, JobResult
from functions.redact import redact
from functions.repetition import TimeLeft
from functions.tick_report import TickReport

_COMPANY_SECONDS = 1.0  # a result waits this long for others
_BATCH = 50
_BATCH_BYTES = 4_000_000  # what Postgres applies well within a statement's 8 s
AGAIN_SECONDS = 2.0
_NOT_ABOUT_THE_RESULTS = ("42", "PGRST")  # missing grants or functions: no other batch would pass


@dataclass(frozen=True)
class _Finished:
    job: ClaimedJob
    result: JobResult
    size: int  # bytes, as sent
    was_refused: bool = False


class Results:
    """The results of one tick that are not resolved yet.

    A batch that the database refuses, or takes too long for, is halved until what is wrong stands alone.
    """

    def __init__(
        self,
        queue: JobQueue,
        report: TickReport,
        clock: Clock,
        *,
        max_attempts: int | None = None,
        observer: Observer = NOBODY,
    ) -> None:
        """With `max_attempts` no job is tried more often, whatever its type allows."""
        self._queue = queue
        self._report = report
        self._clock = clock
        self._max_attempts = max_attempts
        self._observer = observer
        self._pending: deque[_Finished] = deque()
        self._due: float | None = None
        self._oldest = 0.0  # when the first of them came
        self.again: float | None = None  # when to try again, after trouble
        self._most = self._ceiling = _BATCH

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def due(self) -> float | None:
        """When the oldest one has waited long enough."""
        return self._due

    def ids(self) -> list[int]:
        return [one.job.job_id for one in self._pending]

    def add(self, job: ClaimedJob, result: JobResult) -> None:
        result = self._given_up(job, result)
        size = len(json.dumps(result.as_json(), ensure_ascii=False).encode())
        self._pending.append(_Finished(job, result, size))
        if self._due is None:
            self._oldest = self._clock.now()
            self._due = self._oldest + _COMPANY_SECONDS

    def is_due(self) -> bool:
        return self._due is not None and (self._clock.now() >= self._due or self._is_full())

    def postpone(self) -> None:
        """The database did not answer: keep everything and try again a little later."""
        self._due = self.again = self._clock.now() + AGAIN_SECONDS

    def have_waited(self, seconds: float) -> bool:
        """Whether there is one that could not be resolved for so long."""
        return bool(self._pending) and self._clock.now() - self._oldest >= seconds

    def resolve_batch(self, time_left: TimeLeft) -> None:
        """One call, and all that it resolved is forgotten; whatever is left is still due.

        Raises if the call did not come through; then nothing is forgotten.
        """
        batch = self._next_batch()
        try:
            with self._observer.step("resolve") as step:
                step.note(count=len(batch))
                verdicts = self._queue.resolve(
                    self._report.tick, [one.result for one in batch], time_left=time_left
                )
        except (QueueTooSlow, RequestRefused) as error:
            self._try_fewer(batch, error)
            return
        self.again = None
        for one, verdict in zip(batch, verdicts, strict=True):
            self._pending.popleft()
            self._report.add(one.job, one.result, verdict)
            self._observer.resolved(one.job, one.result, verdict)
        self._most = min(self._most * 2, self._ceiling)
        self._forget_if_empty()

    def _next_batch(self) -> list[_Finished]:
        batch: list[_Finished] = []
        size = 0
        for one in self._pending:
            size += one.size
            if batch and (len(batch) >= self._most or size > _BATCH_BYTES):
                break
            batch.append(one)
        return batch

    def _try_fewer(self, batch: list[_Finished], error: QueueTooSlow | RequestRefused) -> None:
        if isinstance(error, RequestRefused) and (error.sqlstate or "").startswith(_NOT_ABOUT_THE_RESULTS):
            raise error
        if len(batch) > 1:
            self._most = len(batch) // 2
        if isinstance(error, QueueTooSlow):
            if len(batch) == 1:
                self._pending.rotate(-1)  # the others first
                raise error
            self._ceiling = self._most
        elif len(batch) == 1:
            self._give_up(self._pending.popleft(), error)

    def _give_up(self, one: _Finished, refusal: RequestRefused) -> None:
        """The database refuses this very result: the attempt fails, with the refusal as its error."""
        if one.was_refused:
            log.error("resolve_refused", job_id=one.job.job_id, type=one.job.type, error=refusal)
            self._forget_if_empty()
            return  # its lease runs out, which is counted as a crash
        error = redact(f"the result was refused: {refusal}")
        failed = JobResult(
            one.job.job_id,
            one.job.lease_token,
            "retry",
            error=error,
            duration_ms=one.result.duration_ms,
            cost=one.result.cost,
        )
        failed = self._given_up(one.job, failed)
        self._pending.appendleft(_Finished(one.job, failed, len(error), was_refused=True))

    def _given_up(self, job: ClaimedJob, result: JobResult) -> JobResult:
        """The result, or the end of a job whose attempts are used up by the setting."""
        most = self._max_attempts
        if result.outcome != "retry" or most is None or job.attempts < most:
            return result
        error = (
            f"{result.error or 'it failed'} (given up after attempt {job.attempts}: JOB_MAX_ATTEMPTS={most})"
        )
        return replace(result, outcome="failed", error=error, retry_in=None)

    def _forget_if_empty(self) -> None:
        if not self._pending:
            self._due = None
            self._most = self._ceiling = _BATCH

    def _is_full(self) -> bool:
        return len(self._pending) >= _BATCH or sum(one.size for one in self._pending) >= _BATCH_BYTES
