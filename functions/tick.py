"""One tick: claim, run, resolve, until the time budget is spent or nothing is due.

One thread, the caller's, decides everything and makes all calls to the queue; each handler runs in a
thread of its own and hands its result in through an inbox. So there is nothing to lock, and a handler
that hangs is left behind: its late result is dropped, its sandboxed child dies of its own time limit.

    claimed ──► waiting ──► running ──► finished ──► resolved
                   └───────────┴── budget spent or SIGTERM: released, uncharged
"""

from __future__ import annotations

import contextvars
import queue as queues
import threading
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from functions import log
from functions.claims import ASK_AGAIN_SECONDS, Claims
from functions.clock import Clock, SystemClock
from functions.errors import AnswerUnknown, CrontickError, QueueUnavailable
from functions.heartbeat import Heartbeat
from functions.held_jobs import HeldJobs
from functions.job_queue import JobQueue
from functions.log_labels import labelled
from functions.observer import NOBODY, Observer
from functions.queue_rows import ClaimedJob, JobResult
from functions.results import AGAIN_SECONDS, Results
from functions.room import THIS_PROCESS, Room
from functions.runner import Attempt, Runner, Start, start_thread
from functions.tick_options import TickOptions
from functions.tick_report import TickReport
from functions.tick_time import TickTime


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
    max_attempts: int | None = None,
    start: Start = start_thread,
    room: Room = THIS_PROCESS,
    observer: Observer = NOBODY,
) -> TickReport:
    """Runs one tick. Raises `QueueUnavailable` if the first claim or the last resolve cannot be made.

    Nothing is lost then: the leases run out and the jobs are claimed again.
    """
    clock = clock or SystemClock()
    tick = _Tick(
        queue=queue,
        runner=runner,
        options=options,
        clock=clock,
        time=TickTime(clock, stop, budget, shutdown_seconds=shutdown_seconds, lease_seconds=lease_seconds),
        start=start,
        slots=1 if options.delay_seconds else concurrency,
        lease_seconds=lease_seconds,
        max_attempts=max_attempts,
        room=room,
        observer=observer,
    )
    return tick.run()


@dataclass
class _Tick:
    queue: JobQueue
    runner: Runner
    options: TickOptions
    clock: Clock
    time: TickTime
    start: Start
    slots: int
    lease_seconds: int
    max_attempts: int | None
    room: Room
    observer: Observer

    def __post_init__(self) -> None:
        self.report = TickReport(tick=uuid4())
        self.results = Results(
            self.queue, self.report, self.clock, max_attempts=self.max_attempts, observer=self.observer
        )
        self.inbox: queues.SimpleQueue[tuple[Attempt, JobResult]] = queues.SimpleQueue()
        self.held = HeldJobs(self.room)
        self.longest: dict[str, float] = {}  # seconds per job type, as seen in this tick
        self.heartbeat = Heartbeat(
            self.queue, self.held, self.report, self.clock, self.time, self.lease_seconds
        )
        self.claims = Claims(
            self.queue,
            self.options,
            self.report,
            self.clock,
            self.time,
            self.room,
            self.lease_seconds,
            self.observer,
        )
        self.next_start = self.time.began
        self.is_last_call = False

    def run(self) -> TickReport:
        with labelled(tick=self.report.tick), self.observer.step("tick") as step:
            self._run()
            self.report.log(seconds=self.clock.now() - self.time.began)
            step.note(tick=str(self.report.tick), count=self.report.processed)
        return self.report

    def _run(self) -> None:
        try:
            if not self.time.notice_stop():
                self.held.add(self.claims.first())
            elif self.options.start is not None:
                raise QueueUnavailable("this instance is stopping and has not taken the job; call again")
            while self.held or self.results:
                self._step()
        finally:
            self._let_go()

    def _step(self) -> None:
        self._notice_stop()
        self._start_jobs()
        for attempt, result in self.clock.wait(self.inbox, self._seconds_to_next_event()):
            self._receive(attempt, result)
        self._stop_overdue()
        self.heartbeat.beat()
        self._resolve()
        self._claim_more()

    def _notice_stop(self) -> None:
        if self.time.notice_stop():
            self.claims.is_over = True
            self.held.end_by(self.time.ends)

    def _claim_more(self) -> None:
        """Claims again when a slot would stay empty."""
        self._notice_stop()
        if not self.held.waiting and len(self.held.running) < self.slots:
            self.held.add(self.claims.more(self.held.ids() + self.results.ids()))

    def _start_jobs(self) -> None:
        now, held = self.clock.now(), self.held
        if self.time.stopping or now >= self.time.ends:
            self._release_waiting()
        while held.waiting and len(held.running) < self.slots and now >= self.next_start:
            if self.time.ends - now < self.longest.get(held.waiting[0].type, 0.0):
                self.claims.is_over = True  # or what is released here would be claimed again at once
                self._release_waiting()
                return
            attempt = held.start_next(self._attempt_at)
            if attempt is None:
                self.next_start = now + ASK_AGAIN_SECONDS
                return
            self._start(attempt)

    def _attempt_at(self, job: ClaimedJob) -> Attempt:
        return self.runner.attempt(job, tick_ends=self.time.ends)

    def _start(self, attempt: Attempt) -> None:
        try:
            self.start(partial(self._run_in_thread, attempt, contextvars.copy_context()))
        except RuntimeError as error:  # no thread to be had: the jobs are better off with another worker
            log.error("thread_not_started", tick=self.report.tick, job_id=attempt.job.job_id, error=error)
            self.claims.is_over = True
            self.held.finish(attempt)
            why = f"its worker has no thread left: {error}"
            self.results.add(attempt.job, attempt.result("release", error=why))
            self._release_waiting()

    def _run_in_thread(self, attempt: Attempt, tick: contextvars.Context) -> None:
        self.inbox.put((attempt, tick.run(self._run_observed, attempt)))

    def _run_observed(self, attempt: Attempt) -> JobResult:
        with labelled(**attempt.job.labels()), self.observer.step("job", attempt.job) as step:
            result = attempt.run()
            step.came_to(result)
            return result

    def _release_waiting(self) -> None:
        self._release(self.held.take_waiting())

    def _release(self, jobs: list[ClaimedJob]) -> None:
        for job in jobs:
            self.results.add(job, JobResult(job.job_id, job.lease_token, "release"))

    def _seconds_to_next_event(self) -> float:
        if not self.held:
            return max((self.results.again or 0.0) - self.clock.now(), 0.0)
        moments = [self.time.ends, self.heartbeat.due]
        moments += [attempt.context.deadline for attempt in self.held.running.values()]
        if self.results.due is not None:
            moments.append(self.results.due)
        if len(self.held.running) < self.slots:
            if self.held.waiting:
                moments.append(self.next_start)
            elif not self.claims.is_over:
                moments.append(self.claims.next)
        return max(min(moments) - self.clock.now(), 0.0)

    def _receive(self, attempt: Attempt, result: JobResult) -> None:
        if not self.held.finish(attempt):
            log.debug("late_result_dropped", job_id=attempt.job.job_id, type=attempt.job.type)
            if result.cost:  # the money is spent, whatever the result is worth
                self.results.add(attempt.job, attempt.result("release"))
            return
        seconds = (result.duration_ms or 0) / 1000
        self.longest[attempt.job.type] = max(self.longest.get(attempt.job.type, 0.0), seconds)
        self.next_start = self.clock.now() + self.options.delay_seconds
        self.results.add(attempt.job, result)

    def _stop_overdue(self) -> None:
        """Gives up on handlers whose time is over; they hear of it at their next call of the context."""
        for attempt in self.held.take_overdue(self.clock.now()):
            result = attempt.give_up(stopping=self.time.stopping, budget=self.time.budget)
            self.observer.abandoned(attempt.job, result)
            self.results.add(attempt.job, result)

    def _resolve(self) -> None:
        """Resolves a batch when it is complete or has waited long enough; children become claimable then."""
        is_last_batch = not self.held and self.results.again is None
        if not self.results or not (self.results.is_due() or is_last_batch):
            return
        if self.is_last_call:
            raise QueueUnavailable(
                f"{len(self.results)} results could not be resolved in time; their jobs will be claimed again"
            )
        self.is_last_call = self.time.is_over()
        try:
            self.results.resolve_batch(self.time.for_one_call())
        except CrontickError as error:
            if not (self.held or self._may_wait_for(error)):
                raise
            log.warning("resolve_failed", tick=self.report.tick, error=error)
            self.results.postpone()
        else:
            if not self.results:
                self.claims.next = self.clock.now()

    def _may_wait_for(self, error: CrontickError) -> bool:
        """Whether the database may be back while what is done still is ours: better than to do it again."""
        may_pass = isinstance(error, QueueUnavailable) and not isinstance(error, AnswerUnknown)
        is_late = self.time.is_over(after=AGAIN_SECONDS) or self.results.have_waited(self.lease_seconds)
        return may_pass and not is_late

    def _let_go(self) -> None:
        """If something raised while jobs were held: gives them back, should the database let us."""
        if not self.held:
            return
        self._release(self.held.drop_all("its tick ended"))
        try:
            while self.results and not self.time.is_over():
                self.results.resolve_batch(self.time.for_one_call())
        except CrontickError as error:
            log.warning("release_failed", tick=self.report.tick, error=error)
