"""The state of the queue as the model has it, and what moves on by itself: jobs that wait for others."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.database.state_machine.limits import Limits, Used

SECOND = 1_000_000
DAY = 86_400 * SECOND
MAX_ATTEMPTS = {"brief": 1}
DEFAULT_MAX_ATTEMPTS = 3
MAX_CRASHES = {"brief": 1, "picky": 3}
DEFAULT_MAX_CRASHES = 2
TIMEOUTS = {"brief": 30}
BACKOFF_SECONDS = {"picky": 3000}
DEFAULT_BACKOFF_SECONDS = 300
BACKOFF_CAP_SECONDS = {"picky": 1000}
DEFAULT_BACKOFF_CAP_SECONDS = 3600
LEASE_SECONDS = 120
UNFINISHED = ("waiting", "queued", "processing")
DEAD = ("failed", "cancelled")

Row = dict[str, Any]


@dataclass(frozen=True)
class Observation:
    """What one step answered, and the whole queue after it. Times are microseconds since 1970."""

    now: int
    day: str
    answer: Any
    refused: str | None
    jobs: dict[int, Row]
    runs: list[Row]
    usage: dict[tuple[str, str], tuple[int, int]]
    violations: list[str]
    ingest_failures: int

    @classmethod
    def of(cls, seen: Row) -> Observation:
        return cls(
            now=seen["now"],
            day=seen["day"],
            answer=seen["answer"],
            refused=seen["refused"],
            jobs={row["id"]: row for row in seen["jobs"]},
            runs=seen["runs"],
            usage={(row["org_id"], row["day"]): (row["jobs"], row["spend"]) for row in seen["usage"]},
            violations=seen["violations"],
            ingest_failures=seen["ingest_failures"],
        )


@dataclass
class Job:
    """A row of jobs; `turn` is kept while the job runs, for a release gives it back."""

    id: int
    org_id: str
    type: str
    payload: Row
    status: str
    turn: str
    priority: int
    run_at: int
    max_attempts: int
    key: str
    unique_for: str
    attempts: int = 0
    crashes: int = 0
    file_id: int | None = None
    waiting_for: int = 0
    worker_id: str | None = None
    lease_token: str | None = None
    lease_expires_at: int | None = None
    progress: Any = None
    output: Any = None
    has_error: bool = False
    public_error: str | None = None
    cancelled_by: int | None = None
    completed_at: int | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Which comes first: a point of priority is a head start of a minute."""
        return (self.run_at - 60 * SECOND * self.priority, self.id)

    def shown(self) -> Row:
        """The row as observe.sql shows it."""
        row = dict(vars(self))
        row["turn"] = self.turn if self.status == "queued" else None
        row["waiting_for"] = self.waiting_for if self.status == "waiting" else 0
        return row

    def end(self, status: str, now: int, *, has_error: bool) -> None:
        """Into a status that lasts."""
        self.status, self.completed_at, self.has_error = status, now, has_error
        self.drop_lease()

    def drop_lease(self) -> None:
        self.worker_id = self.lease_token = self.lease_expires_at = None


@dataclass(frozen=True)
class Lease:
    """What a worker was handed and may still believe in."""

    job_id: int
    lease_token: str
    worker_id: str


@dataclass
class File:
    """One uploaded version; `is_stored` stays true when it was replaced but nobody was told."""

    id: int
    path: str
    is_current: bool = True


@dataclass
class Model:
    jobs: dict[int, Job] = field(default_factory=dict)
    parents: dict[int, dict[int, str | None]] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)  # what was settled for a lease token
    new_runs: list[tuple[int, int, str, str, str]] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    usage: defaultdict[tuple[str, str], Used] = field(default_factory=lambda: defaultdict(Used))
    is_paused: bool = False
    now: int = 0

    def live(self) -> list[Job]:
        """Running jobs whose lease has not run out."""
        return [job for job in self.processing() if (job.lease_expires_at or 0) >= self.now]

    def processing(self) -> list[Job]:
        return sorted(
            (job for job in self.jobs.values() if job.status == "processing"), key=lambda job: job.id
        )

    def has_several_unfinished(self) -> bool:
        return sum(job.status in UNFINISHED for job in self.jobs.values()) > 2

    def used_on(self, day: str) -> dict[str, Used]:
        return {org_id: used for (org_id, on), used in self.usage.items() if on == day}

    def unfinished(self, org_id: str, job_type: str, key: str) -> Job | None:
        return next(
            (
                job
                for job in self.jobs.values()
                if job.status in UNFINISHED and is_of(job, org_id, job_type, key)
            ),
            None,
        )

    def for_ever(self, org_id: str, job_type: str, key: str) -> Job | None:
        return next(
            (
                job
                for job in self.jobs.values()
                if job.unique_for == "ever" and is_of(job, org_id, job_type, key)
            ),
            None,
        )

    def children(self, job_ids: Iterable[int]) -> list[Job]:
        wanted = set(job_ids)
        return [self.jobs[child] for child in sorted(self.parents) if wanted & self.parents[child].keys()]

    def settle_children(self, job_ids: Iterable[int]) -> None:
        """Jobs whose parents are all done are queued; those with a dead parent go with it, and so do their own."""
        gone = []
        settled = [child for child in self.children(job_ids) if child.status == "waiting"]
        statuses = {job.id: job.status for job in self.jobs.values()}
        for child in settled:
            parents = sorted(self.parents[child.id])
            dead = [parent for parent in parents if statuses[parent] in DEAD]
            child.waiting_for = sum(statuses[parent] != "done" for parent in parents)
            child.cancelled_by = min(dead, default=None)
            child.turn = "later" if child.run_at > self.now else "ready"
            child.has_error = False
            if dead:
                child.end("cancelled", self.now, has_error=True)
                gone.append(child.id)
            elif child.waiting_for == 0:
                child.status, child.run_at = "queued", max(child.run_at, self.now)
        if gone:
            self.settle_children(gone)

    def end_attempt(self, job: Job, outcome: str) -> None:
        """The audit row of an attempt, written before the job moves on."""
        assert job.lease_token is not None
        assert job.worker_id is not None
        self.runs[job.lease_token] = outcome
        self.new_runs.append((job.id, job.attempts, job.lease_token, job.worker_id, outcome))

    def cancel(self, job_ids: Iterable[int], outcome: str, day: str) -> None:
        """Ends what is unfinished among these; the caller settles their children."""
        for job in (self.jobs[job_id] for job_id in sorted(job_ids)):
            if job.status not in UNFINISHED:
                continue
            if job.status == "processing":
                self.end_attempt(job, outcome)
                if self.limits.are_on():
                    self.usage[job.org_id, day].jobs += 1
            job.end("cancelled", self.now, has_error=True)

    def is_outdated(self, job: Job) -> bool:
        return any(file.id == job.file_id and not file.is_current for file in self.files)

    def pass_time(self, seconds: int) -> None:
        for job in self.jobs.values():
            job.run_at -= seconds * SECOND
            if job.lease_expires_at is not None:
                job.lease_expires_at -= seconds * SECOND
            if job.completed_at is not None:
                job.completed_at -= seconds * SECOND


def is_of(job: Job, org_id: str, job_type: str, key: str) -> bool:
    return (job.org_id, job.type, job.key) == (org_id, job_type, key)


def default_key(org_id: str, job_type: str, payload: Row) -> str:
    """SHA-256 over what makes work the same; jsonb writes small objects as json.dumps does."""
    return hashlib.sha256("\x1f".join((org_id, job_type, json.dumps(payload))).encode()).hexdigest()


def clamp(value: int | None, low: int, high: int, otherwise: int) -> int:
    return min(max(otherwise if value is None else value, low), high)
