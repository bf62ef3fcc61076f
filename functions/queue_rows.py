"""The rows that travel between a tick and the database, in the shape of the SQL contract.

What comes in is validated here and nowhere else; keys that a newer database adds are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

OnConflict = Literal["return", "replace", "debounce"]
UniqueFor = Literal["unfinished", "ever"]
OutcomeName = Literal["done", "retry", "failed", "snooze", "release"]


class Row(BaseModel):
    """Base of every row that an rpc answers with."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ClaimedJob(Row):
    """One job as `claim_jobs` hands it out: ours until the lease expires, and only with this token."""

    job_id: int
    org_id: str | None
    type: str
    payload: Any
    attempts: int  # this one included
    max_attempts: int
    lease_token: str
    lease_expires_at: datetime
    timeout_seconds: float | None = None  # set by an operator in job_types; wins over the handler's own
    alone: bool = False  # it may have killed its last worker: run it with nothing beside it
    file_id: int | None = None  # of the upload that it is about
    trace_parent: str | None = None  # W3C trace context of the transaction that enqueued it
    parents: dict[str, Any] = Field(default_factory=dict)

    def labels(self) -> dict[str, object]:
        """What log lines say of it (`functions.log_labels`)."""
        return {
            "job_id": self.job_id,
            "type": self.type,
            "org_id": self.org_id,
            "attempt": self.attempts,
            "file_id": self.file_id,
        }


class DeadLetter(Row):
    """A job that was given up because its workers died of it, or seemed to: none of them could tell."""

    job_id: int
    org_id: str | None = None
    type: str
    attempts: int
    max_attempts: int
    crashes: int
    file_id: int | None = None
    error: str

    def labels(self) -> dict[str, object]:
        """As those of a claimed job."""
        return {"job_id": self.job_id, "type": self.type, "org_id": self.org_id, "file_id": self.file_id}


class Claim(Row):
    """What a claim found: jobs for this worker, and the end of one that was another's, told this once."""

    jobs: list[ClaimedJob] = Field(default_factory=list)
    dead_letter: DeadLetter | None = None


class LeaseVerdict(Row):
    """What became of a lease at a heartbeat; on anything but `ok` the work is to be dropped."""

    job_id: int
    verdict: Literal["ok", "lost", "cancelled"]


class ResolveVerdict(Row):
    """What became of one result: `status` and `attempts` are the job's in the database, afterwards."""

    job_id: int | None = None  # none for an element that could not be read; the order tells
    verdict: Literal["ok", "lost", "superseded", "error"]
    status: str | None = None
    attempts: int | None = None
    run_at: datetime | None = None
    error: str | None = None


class Enqueued(Row):
    """The job that an enqueue made, or the unfinished one with the same key that it found."""

    job_id: int
    created: bool
    status: str
    changed: bool | None = None  # only told where a change was asked for: `on_conflict`


class Started(Enqueued):
    """A job that was enqueued to be run at once: claimed for us, or why it was not to be had."""

    waits_for: str | None = None
    job: ClaimedJob | None = None


class ContentResult(Row):
    """A stored result, and the job that made it."""

    job_id: int
    output: Any


class NewJob(TypedDict, total=False):
    """One element of `enqueue_jobs`: `org_id` and `type` are required, the rest has defaults."""

    org_id: str
    type: str
    payload: dict[str, Any]
    run_at: str
    priority: int
    max_attempts: int
    idempotency_key: str
    on_conflict: OnConflict
    unique_for: UniqueFor
    ref: str  # a name for this job inside the batch
    after: list[str | int]  # what has to be done first: refs of this batch, ids of jobs that exist


@dataclass(frozen=True)
class Lease:
    """A job we hold, as the heartbeat reports it."""

    job_id: int
    lease_token: str
    progress: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        return _without_none(job_id=self.job_id, lease_token=self.lease_token, progress=self.progress)


@dataclass(frozen=True)
class JobResult:
    """What a job came to, as `resolve_jobs` takes it."""

    job_id: int
    lease_token: str
    outcome: OutcomeName
    output: Any = None
    error: str | None = None
    retry_in: float | None = None  # seconds
    duration_ms: int | None = None
    public_error: str | None = None  # what the file's owner may read; `error` is for operators
    cost: float | None = None  # money that the attempt spent
    content_sha256: str | None = (
        None  # the output may be reused for the same content, under this and the next
    )
    handler_version: str | None = None
    reused_from: int | None = None  # the job whose output this is
    raised: BaseException | None = field(default=None, repr=False, compare=False)  # for observers, not sent

    def as_json(self) -> dict[str, Any]:
        return _without_none(**{name: value for name, value in vars(self).items() if name != "raised"})


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
