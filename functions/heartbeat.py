"""The heartbeat of a tick: keeps what it holds leased, reports progress, and drops what is its own no more."""

from __future__ import annotations

from dataclasses import dataclass

from functions import log
from functions.clock import Clock
from functions.errors import CrontickError
from functions.held_jobs import HeldJobs
from functions.job_queue import JobQueue
from functions.tick_report import TickReport
from functions.tick_time import TickTime

_SOON_SECONDS = 2.0  # after a failed one, and for reported progress, which travels no more often than this


@dataclass
class Heartbeat:
    """Due each third of a lease, so that one or two may fail."""

    queue: JobQueue
    held: HeldJobs
    report: TickReport
    clock: Clock
    time: TickTime
    lease_seconds: int

    def __post_init__(self) -> None:
        self._every = self.lease_seconds / 3
        self._last = self.time.began

    @property
    def due(self) -> float:
        return self._last + (min(_SOON_SECONDS, self._every) if self.held.has_progress() else self._every)

    def beat(self) -> None:
        """Extends everything that is held, if it is time to."""
        if self.clock.now() < self.due or not self.held:
            return
        try:
            verdicts = self.queue.extend(
                self.report.tick,
                self.held.leases(),
                lease_seconds=self.lease_seconds,
                time_left=self.time.for_one_call(),
            )
        except CrontickError as error:
            log.warning("heartbeat_failed", tick=self.report.tick, error=error)
            verdicts = []
        self._last = self.clock.now() - (0 if verdicts else self._every - _SOON_SECONDS)
        for verdict in verdicts:
            if verdict.verdict != "ok":
                self._drop(verdict.job_id, is_cancelled=verdict.verdict == "cancelled")

    def _drop(self, job_id: int, *, is_cancelled: bool) -> None:
        job = self.held.drop(job_id, "it was cancelled" if is_cancelled else "its lease was lost")
        if job and is_cancelled:
            self.report.add_cancelled(job)
        elif job:
            log.warning("lease_lost", tick=self.report.tick, job_id=job.job_id, type=job.type)
