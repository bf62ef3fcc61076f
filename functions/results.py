"""Finished jobs on their way to the database: collected for a moment, then resolved in one call."""

from __future__ import annotations

import dataclasses

from functions import log
from functions.clock import Clock
from functions.errors import RequestRefused
from functions.job_queue import JobQueue
from functions.queue_rows import ClaimedJob, JobResult, ResolveVerdict
from functions.redact import redact
from functions.tick_report import TickReport

_COMPANY_SECONDS = 1.0  # a result waits this long for others
_BATCH = 50
_AGAIN_SECONDS = 2.0

Finished = tuple[ClaimedJob, JobResult]


class Results:
    """The results of one tick that are not resolved yet."""

    def __init__(self, queue: JobQueue, report: TickReport, clock: Clock) -> None:
        self._queue = queue
        self._report = report
        self._clock = clock
        self._pending: list[Finished] = []
        self._due: float | None = None

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def due(self) -> float | None:
        """When the oldest one has waited long enough."""
        return self._due

    def add(self, job: ClaimedJob, result: JobResult) -> None:
        self._pending.append((job, result))
        if self._due is None:
            self._due = self._clock.now() + _COMPANY_SECONDS

    def is_due(self) -> bool:
        return self._due is not None and (self._clock.now() >= self._due or len(self._pending) >= _BATCH)

    def postpone(self) -> None:
        """The database did not answer: keep everything and try again a little later."""
        self._due = self._clock.now() + _AGAIN_SECONDS

    def resolve(self) -> None:
        """Resolves all of them. What is resolved is forgotten at once, what is not stays for another try."""
        while self._pending:
            batch = self._pending[:_BATCH]
            verdicts = self._resolve_batch(batch)
            del self._pending[: len(batch)]
            for (job, result), verdict in zip(batch, verdicts, strict=True):
                if verdict is not None:
                    self._report.add(job, result, verdict)
        self._due = None

    def _resolve_batch(self, batch: list[Finished]) -> list[ResolveVerdict | None]:
        """One call for all; one call each when the database refuses the whole because of one."""
        try:
            return list(self._queue.resolve(self._report.tick, [result for _, result in batch]))
        except RequestRefused as error:
            if len(batch) == 1:
                return [self._resolve_as_retry(*batch[0], error)]
            return [self._resolve_batch([finished])[0] for finished in batch]

    def _resolve_as_retry(
        self, job: ClaimedJob, result: JobResult, refusal: RequestRefused
    ) -> ResolveVerdict | None:
        """The database refuses this very result: the attempt fails, with the refusal as its error."""
        error = redact(f"the result was refused: {refusal}")
        without_output = dataclasses.replace(result, outcome="retry", output=None, error=error, retry_in=None)
        try:
            verdict = self._queue.resolve(self._report.tick, [without_output])[0]
        except RequestRefused as again:
            log.error("resolve_refused", job_id=job.job_id, type=job.type, error=again)
            return None  # its lease runs out, which is counted as a crash
        self._report.add(job, without_output, verdict)
        return None
