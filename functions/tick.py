"""One tick: claim, run, resolve, until the time budget is spent or nothing is due.

One thread, the caller's, decides everything and makes all calls to the queue; each handler runs in a
thread of its own and hands its result in through an inbox. So there is nothing to lock, and a handler
that hangs is left behind: its late result is dropped, its sandboxed child dies of its own time limit.

    claimed ──► waiting ──► running ──► finished ──► resolved
                   └───────────┴── budget spent or SIGTERM: released, uncharged
"""

from __future__ import annotations

import queue as queues
import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from functions import log
from functions.clock import Clock, SystemClock
from functions.errors import CrontickError, QueueUnavailable
from functions.job_queue import JobQueue
from functions.queue_rows import ClaimedJob, JobResult, Lease, LeaseVerdict
from functions.results import Results
from functions.runner import Attempt, Runner, Start, start_thread
from functions.tick_options import TickOptions
from functions.tick_report import TickReport

_CLAIM_AGAIN_SECONDS = 5.0  # after a claim that did not fill its batch, while other jobs still run
_PROGRESS_SECONDS = 2.0  # reported progress is worth an early heartbeat, but no more often than this


def run_tick(
    queue: JobQueue,
    runner: Runner,
    options: TickOptions,
    *,
    stop: threading.Event,
    clock: Clock | None = None,
    budget: float = 45.0,
    concurrency: int = 4,
    lease_seconds: int = 120,
    shutdown_seconds: float = 8.0,
    start: Start = start_thread,
) -> TickReport:
    """Runs one tick. Raises `QueueUnavailable` if the first claim or the last resolve cannot be made.

    Nothing is lost then: the leases run out and the jobs are claimed again.
    """
    tick = _Tick(
        queue=queue,
        runner=runner,
        options=options,
        stop=stop,
        clock=clock or SystemClock(),
        start=start,
        budget=budget,
        slots=1 if options.delay_seconds else concurrency,
        lease_seconds=lease_seconds,
        shutdown_seconds=shutdown_seconds,
    )
    return tick.run()


@dataclass
class _Tick:
    queue: JobQueue
    runner: Runner
    options: TickOptions
    stop: threading.Event
    clock: Clock
    start: Start
    budget: float
    slots: int
    lease_seconds: int
    shutdown_seconds: float

    def __post_init__(self) -> None:
        self.report = TickReport(tick=uuid4())
        self.results = Results(self.queue, self.report, self.clock)
        self.inbox: queues.SimpleQueue[tuple[Attempt, JobResult]] = queues.SimpleQueue()
        self.waiting: deque[ClaimedJob] = deque()
        self.running: dict[int, Attempt] = {}
        self.longest: dict[str, float] = {}  # seconds per job type, as seen in this tick
        self.began = self.beat = self.next_start = self.next_claim = self.clock.now()
        self.ends = self.began + self.budget
        self.stopping = False
        self.claiming = True  # False: this tick claims nothing more

    def run(self) -> TickReport:
        if not self.stop.is_set():
            self._claim()
            if not self.waiting and not self.options.force and self.queue.is_paused():
                self.report.status = "paused"
        try:
            while self.waiting or self.running or self.results:
                self._step()
        finally:
            for attempt in self.running.values():
                attempt.context.abandon("its tick ended")
        self.report.log(seconds=self.clock.now() - self.began)
        return self.report

    def _step(self) -> None:
        self._notice_stop()
        self._start_jobs()
        if item := self.clock.wait(self.inbox, self._seconds_to_next_event()):
            self._receive(*item)
        self._stop_overdue()
        self._heartbeat()
        self._resolve()
        self._claim_more()

    def _notice_stop(self) -> None:
        if self.stop.is_set() and not self.stopping:
            self.stopping = True
            self.claiming = False
            self.ends = min(self.ends, self.clock.now() + self.shutdown_seconds)
            for attempt in self.running.values():
                attempt.context.deadline = min(attempt.context.deadline, self.ends)

    def _claim_more(self) -> None:
        """Claims again when a slot would stay empty. Trouble with that ends the claiming, not the tick."""
        free = not self.waiting and len(self.running) < self.slots
        if not (free and self.claiming and self.next_claim <= self.clock.now() < self.ends):
            return
        try:
            self._claim()
        except CrontickError as error:
            self.claiming = False
            log.warning("claim_failed", tick=self.report.tick, error=error)
        self._start_jobs()

    def _claim(self) -> None:
        jobs = self.queue.claim(
            self.report.tick,
            batch_size=self.options.limit,
            lease_seconds=self.lease_seconds,
            types=self.options.types,
            force=self.options.force,
        )
        self.waiting.extend(jobs)
        full = len(jobs) >= self.options.limit
        self.next_claim = self.clock.now() + (0.0 if full else _CLAIM_AGAIN_SECONDS)
        self.claiming = self.options.drain and not self.options.delay_seconds

    def _start_jobs(self) -> None:
        now = self.clock.now()
        if self.stopping or now >= self.ends:
            self._release_waiting()
        while self.waiting and len(self.running) < self.slots and now >= self.next_start:
            if self.ends - now < self.longest.get(self.waiting[0].type, 0.0):
                self.claiming = False  # or what is released here would be claimed again at once
                self._release_waiting()
                return
            job = self.waiting.popleft()
            attempt = self.running[job.job_id] = self.runner.attempt(job, tick_ends=self.ends)
            self.start(partial(self._run_in_thread, attempt))

    def _run_in_thread(self, attempt: Attempt) -> None:
        self.inbox.put((attempt, attempt.run()))

    def _release_waiting(self) -> None:
        for job in self.waiting:
            self.results.add(job, JobResult(job.job_id, job.lease_token, "release"))
        self.waiting.clear()

    def _seconds_to_next_event(self) -> float:
        moments = [self.ends, self._next_beat()]
        moments += [attempt.context.deadline for attempt in self.running.values()]
        if self.results.due is not None:
            moments.append(self.results.due)
        if self.waiting and len(self.running) < self.slots:
            moments.append(self.next_start)
        if self.claiming and not self.waiting and len(self.running) < self.slots:
            moments.append(self.next_claim)
        if self._idle():
            return 0.0
        return max(min(moments) - self.clock.now(), 0.0)

    def _receive(self, attempt: Attempt, result: JobResult) -> None:
        if self.running.get(attempt.job.job_id) is not attempt:
            log.debug("late_result_dropped", job_id=attempt.job.job_id, type=attempt.job.type)
            return
        seconds = self.clock.now() - attempt.started
        self.longest[attempt.job.type] = max(self.longest.get(attempt.job.type, 0.0), seconds)
        self.next_start = self.clock.now() + self.options.delay_seconds
        del self.running[attempt.job.job_id]
        self.results.add(attempt.job, result)

    def _stop_overdue(self) -> None:
        """Gives up on handlers whose time is over; they hear of it at their next call of the context."""
        now = self.clock.now()
        for attempt in [one for one in self.running.values() if now >= one.context.deadline]:
            del self.running[attempt.job.job_id]
            self.results.add(attempt.job, attempt.give_up(stopping=self.stopping, budget=self.budget))

    def _next_beat(self) -> float:
        eager = any(attempt.context.has_progress for attempt in self.running.values())
        every = self.lease_seconds / 3
        return self.beat + (min(_PROGRESS_SECONDS, every) if eager else every)

    def _heartbeat(self) -> None:
        """Extends everything we hold, and drops what is ours no more."""
        if self.clock.now() < self._next_beat() or not (self.waiting or self.running):
            return
        leases = [Lease(job.job_id, job.lease_token) for job in self.waiting]
        leases += [
            Lease(attempt.job.job_id, attempt.job.lease_token, attempt.context.take_progress())
            for attempt in self.running.values()
        ]
        try:
            verdicts = self.queue.extend(self.report.tick, leases, lease_seconds=self.lease_seconds)
        except CrontickError as error:
            log.warning("heartbeat_failed", tick=self.report.tick, error=error)
            verdicts = []
        self.beat = self.clock.now() - (0 if verdicts else self.lease_seconds / 3 - _PROGRESS_SECONDS)
        for verdict in verdicts:
            if verdict.verdict != "ok":
                self._drop(verdict)

    def _drop(self, verdict: LeaseVerdict) -> None:
        attempt = self.running.pop(verdict.job_id, None)
        job = attempt.job if attempt else next(job for job in self.waiting if job.job_id == verdict.job_id)
        if attempt:
            attempt.context.abandon(f"it was {verdict.verdict}")
        else:
            self.waiting.remove(job)
        if verdict.verdict == "cancelled":
            self.report.add_cancelled(job)
        else:
            log.warning("lease_lost", tick=self.report.tick, job_id=job.job_id, type=job.type)

    def _resolve(self) -> None:
        """Resolves when the batch is complete or has waited long enough; children become claimable then."""
        if not self.results or not (self._idle() or self.results.is_due()):
            return
        try:
            self.results.resolve()
            self.next_claim = self.clock.now()
        except QueueUnavailable as error:
            if self._idle():
                raise
            log.warning("resolve_failed", tick=self.report.tick, error=error)
            self.results.postpone()

    def _idle(self) -> bool:
        return not (self.running or self.waiting)
