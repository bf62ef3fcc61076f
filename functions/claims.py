"""When a tick claims, and what it asks for: the way of jobs into it."""

from __future__ import annotations

from dataclasses import dataclass

from functions import log
from functions.clock import Clock
from functions.errors import CrontickError
from functions.job_queue import JobQueue
from functions.observer import NOBODY, Observer
from functions.queue_rows import ClaimedJob, NewJob
from functions.room import Room
from functions.tick_options import TickOptions
from functions.tick_report import TickReport
from functions.tick_time import TickTime

ASK_AGAIN_SECONDS = 0.2  # while a job of this process has it to itself, or waits for that
_CLAIM_AGAIN_SECONDS = 5.0  # after a claim that did not fill its batch, while other jobs still run


@dataclass
class Claims:
    """The claims of one tick."""

    queue: JobQueue
    options: TickOptions
    report: TickReport
    clock: Clock
    time: TickTime
    room: Room
    lease_seconds: int
    observer: Observer = NOBODY

    def __post_init__(self) -> None:
        self.next = self.time.began
        self.is_over = False  # this tick claims nothing more

    def first(self) -> list[ClaimedJob]:
        """The first claim takes whatever is due, however long it usually runs: it has the whole budget."""
        if self.options.start is not None:
            jobs = self._start(self.options.start)
        else:
            jobs = [] if self.room.is_closed else self._claim((), fits_in=None)
        if not (jobs or self.options.force) and self.queue.is_paused(time_left=self.time.for_one_call()):
            self.report.status = "paused"
        return jobs

    def more(self, held: list[int]) -> list[ClaimedJob]:
        """Claims again if it is time to. Trouble with that ends the claiming, not the tick."""
        if self.is_over or not self.next <= self.clock.now() < self.time.ends:
            return []
        if self.room.is_closed:
            self.next = self.clock.now() + ASK_AGAIN_SECONDS
            return []
        try:
            return self._claim(held, fits_in=max(int(self.time.ends - self.clock.now()), 1))
        except CrontickError as error:
            self.is_over = True
            log.warning("claim_failed", tick=self.report.tick, error=error)
            return []

    def _start(self, job: NewJob) -> list[ClaimedJob]:
        """The one job that the caller wants to be run, if it can be had."""
        self.is_over = True
        with self.observer.step("claim") as step:
            started = self.report.started = self.queue.start_job(
                self.report.tick,
                job,
                lease_seconds=self.lease_seconds,
                force=self.options.force,
                time_left=self.time.for_one_call(),
            )
            jobs = [started.job] if started.job else []
            step.note(count=len(jobs))
        return jobs

    def _claim(self, held: list[int] | tuple[()], *, fits_in: int | None) -> list[ClaimedJob]:
        options = self.options
        with self.observer.step("claim") as step:
            claim = self.queue.claim(
                self.report.tick,
                batch_size=options.limit,
                lease_seconds=self.lease_seconds,
                types=options.types,
                force=options.force,
                held=held,
                fits_in=fits_in,
                time_left=self.time.for_one_call(),
            )
            step.note(count=len(claim.jobs))
        if claim.dead_letter:
            self.report.add_dead_letter(claim.dead_letter)
            self.observer.found_dead(claim.dead_letter)
        jobs = claim.jobs
        full = len(jobs) >= options.limit or any(job.alone for job in jobs)
        self.next = self.clock.now() + (0.0 if full else _CLAIM_AGAIN_SECONDS)
        self.is_over = not options.drain or options.delay_seconds > 0
        return jobs
