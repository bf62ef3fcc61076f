"""The jobs that a tick holds: claimed, waiting for a slot or running, and kept leased by its heartbeat."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from functions.queue_rows import ClaimedJob, Lease
from functions.room import Room
from functions.runner import Attempt


class HeldJobs:
    """A job is in one of the two, and with one lease. What runs is in the process's room."""

    def __init__(self, room: Room) -> None:
        self.waiting: deque[ClaimedJob] = deque()
        self.running: dict[int, Attempt] = {}
        self._room = room

    def __len__(self) -> int:
        return len(self.waiting) + len(self.running)

    def ids(self) -> list[int]:
        return [job.job_id for job in self.waiting] + list(self.running)

    def leases(self) -> list[Lease]:
        """What the heartbeat tells the database, with the progress reported since the last one."""
        leases = [Lease(job.job_id, job.lease_token) for job in self.waiting]
        return leases + [
            Lease(attempt.job.job_id, attempt.job.lease_token, attempt.context.take_progress())
            for attempt in self.running.values()
        ]

    def has_progress(self) -> bool:
        return any(attempt.context.has_progress for attempt in self.running.values())

    def add(self, jobs: Iterable[ClaimedJob]) -> None:
        """Takes claimed jobs in. One that is held already has a new lease: the old attempt is for nothing."""
        for job in jobs:
            self.drop(job.job_id, "it was claimed again, under another lease")
            self.waiting.append(job)

    def start_next(self, attempt_at: Callable[[ClaimedJob], Attempt]) -> Attempt | None:
        """Moves the next waiting job to the running ones, unless the process has no room for it now."""
        job = self.waiting[0]
        if not self._room.enter(self, alone=job.alone):
            return None
        attempt = self.running[job.job_id] = attempt_at(self.waiting.popleft())
        return attempt

    def finish(self, attempt: Attempt) -> bool:
        """Takes out a job that ended, unless that attempt at it counts no more."""
        if self.running.get(attempt.job.job_id) is not attempt:
            return False
        self._end(attempt)
        return True

    def drop(self, job_id: int, why: str) -> ClaimedJob | None:
        """Lets go of a job, if it is held; its handler hears of it at its next call of the context."""
        if attempt := self.running.get(job_id):
            attempt.context.abandon(why)
            self._end(attempt)
            return attempt.job
        job = next((job for job in self.waiting if job.job_id == job_id), None)
        self.waiting = deque(other for other in self.waiting if other is not job)
        self._want_no_more()
        return job

    def drop_all(self, why: str) -> list[ClaimedJob]:
        return [job for job_id in self.ids() if (job := self.drop(job_id, why))]

    def take_waiting(self) -> list[ClaimedJob]:
        jobs = list(self.waiting)
        self.waiting.clear()
        self._want_no_more()
        return jobs

    def take_overdue(self, now: float) -> list[Attempt]:
        """The attempts whose time is over."""
        overdue = [attempt for attempt in self.running.values() if now >= attempt.context.deadline]
        for attempt in overdue:
            self._end(attempt)
        return overdue

    def end_by(self, moment: float) -> None:
        """No attempt may run longer than this."""
        for attempt in self.running.values():
            attempt.context.deadline = min(attempt.context.deadline, moment)

    def _end(self, attempt: Attempt) -> None:
        del self.running[attempt.job.job_id]
        self._room.leave()

    def _want_no_more(self) -> None:
        if not (self.waiting and self.waiting[0].alone):
            self._room.give_up(self)
