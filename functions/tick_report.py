"""What a tick answers to its caller, and one log line per job on the way there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from functions import log
from functions.log_labels import labelled
from functions.queue_rows import ClaimedJob, DeadLetter, JobResult, ResolveVerdict, Started

_EVENTS = {
    "done": "job_done",
    "retry": "job_retry",
    "failed": "job_failed",
    "snooze": "job_snoozed",
    "release": "job_released",
}


@dataclass(frozen=True)
class JobReport:
    """One job of a tick. `status` and `attempts` are the database's, after the job was resolved."""

    id: int
    status: str
    attempts: int
    last_error: str | None
    reused_from: int | None = None  # the job whose result for the same content this one took

    def as_json(self) -> dict[str, Any]:
        said = {
            "id": self.id,
            "status": self.status,
            "attempts": self.attempts,
            "lastError": self.last_error,
        }
        return said | ({"reusedFrom": self.reused_from} if self.reused_from else {})


@dataclass
class TickReport:
    """The counts and the jobs of one tick; released jobs are not in it, because nothing happened to them."""

    tick: UUID
    status: Literal["ok", "paused"] = "ok"
    succeeded: int = 0
    failed: int = 0  # attempts that ended in an error, also when the job will be tried again
    released: int = 0
    results: list[JobReport] = field(default_factory=list)
    started: Started | None = None  # the job that the caller asked for, where it named one

    @property
    def processed(self) -> int:
        return len(self.results)

    def as_json(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "status": self.status,
            "processed": self.processed,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "results": [job.as_json() for job in self.results],
        }
        if one := self.started:
            answer["job"] = {"id": one.job_id, "created": one.created}
            if one.job is None:  # it was not to be had, and this is why
                answer["job"] |= {"status": one.status, "waitsFor": one.waits_for}
        return answer

    def add(self, job: ClaimedJob, result: JobResult, verdict: ResolveVerdict) -> None:
        """Notes what became of one result."""
        with labelled(**job.labels()):
            self._add(job, result, verdict)

    def _add(self, job: ClaimedJob, result: JobResult, verdict: ResolveVerdict) -> None:
        facts = self._facts(job) | {"duration_ms": result.duration_ms}
        if verdict.verdict == "lost":
            log.warning("lease_lost", **facts)
            return
        if verdict.verdict == "superseded":
            log.info("job_superseded", **facts)
            self._append(job, verdict, "superseded: the file was overwritten, moved or deleted meanwhile")
            return
        if verdict.verdict == "error":
            log.error("job_not_applied", **facts, error=verdict.error)
            self.failed += 1
            self._append(job, verdict, verdict.error)
            return
        say = log.warning if result.outcome in ("retry", "failed") else log.info
        event = "job_reused" if result.reused_from else _EVENTS[result.outcome]
        say(event, **facts, status=verdict.status, error=result.error, reused_from=result.reused_from)
        if result.outcome == "release":
            self.released += 1
            return
        self.succeeded += result.outcome == "done"
        self.failed += result.outcome in ("retry", "failed")
        self._append(job, verdict, result.error, reused_from=result.reused_from)

    def add_cancelled(self, job: ClaimedJob) -> None:
        """Notes a job that was cancelled while we held it."""
        log.info("job_cancelled", **self._facts(job))
        self.results.append(JobReport(job.job_id, "cancelled", job.attempts, None))

    def add_dead_letter(self, dead: DeadLetter) -> None:
        """Notes the end of a job that we never held: its last worker is gone and said nothing."""
        with labelled(**dead.labels()):
            log.error(
                "job_died",
                tick=self.tick,
                job_id=dead.job_id,
                type=dead.type,
                attempts=dead.attempts,
                crashes=dead.crashes,
                error=dead.error,
            )

    def log(self, *, seconds: float) -> None:
        log.info(
            "tick_done",
            tick=self.tick,
            status=self.status,
            succeeded=self.succeeded,
            failed=self.failed,
            released=self.released,
            seconds=seconds,
        )

    def _append(
        self, job: ClaimedJob, verdict: ResolveVerdict, error: str | None, *, reused_from: int | None = None
    ) -> None:
        attempts = job.attempts if verdict.attempts is None else verdict.attempts
        self.results.append(JobReport(job.job_id, verdict.status or "unknown", attempts, error, reused_from))

    def _facts(self, job: ClaimedJob) -> dict[str, Any]:
        return {"tick": self.tick, "job_id": job.job_id, "type": job.type, "attempts": job.attempts}
