"""The rows that operators are shown, in the shape of the SQL contract: jobs, files, the overview, the audit trail.

Beside `queue_rows.py`, which holds what travels between a tick and the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from functions.health_rows import QueueHealth
from functions.queue_rows import Row

JobList = Literal["all", "pending", "active", "failed", "by_file", "by_org"]
JobStatus = Literal["waiting", "queued", "processing", "done", "failed", "cancelled"]
FileState = Literal["waiting", "processing", "done", "failed", "cancelled", "deleted", "superseded"]
Operation = Literal["enqueue", "retry", "cancel", "retry_failed", "cancel_jobs", "pause", "resume", "tick"]
HistoryHours = Literal[1, 6, 24, 168]


class JobRow(Row):
    """A job as a list shows it."""

    id: int
    org_id: str
    type: str
    status: JobStatus
    priority: int
    run_at: datetime
    attempts: int
    max_attempts: int
    crashes: int
    progress: Any = None  # whatever JSON a worker reports
    file_id: int | None = None
    path: str | None = None  # of its file
    last_error: str | None = None  # its first 500 characters
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updated_at: datetime
    lease_expires_at: datetime | None = None
    lease_left_seconds: float | None = None  # negative: the worker is gone
    running_seconds: float | None = None
    position: int | None = None  # in the list `pending`, counted from 1
    waits_for: str | None = None  # a sentence; none: only for those before it


class JobPage(Row):
    """One page of jobs. It may be short and yet have a next one: a page looks at some thousand rows at most."""

    jobs: list[JobRow]
    next: str | None = None


class RelatedJob(Row):
    """A parent or a child in a flow; `ref` is what the flow calls the parent."""

    id: int
    type: str
    status: JobStatus
    ref: str | None = None


class RunRow(Row):
    """One attempt and what became of it."""

    attempt: int
    outcome: str
    error: str | None = None
    duration_ms: int | None = None
    cost: float | None = None
    started_at: datetime | None = None
    finished_at: datetime
    worker_id: UUID


class FileOfJob(Row):
    """The file version that a job is about."""

    id: int
    bucket_id: str
    path: str
    mime_type: str | None = None
    size: int | None = None
    deleted_at: datetime | None = None


class JobDetails(JobRow):
    """A job with all that is known of it. A payload or output above 64 kB comes as {"too_large": bytes}."""

    payload: Any = None
    output: Any = None
    public_error: str | None = None
    idempotency_key: str | None = None
    worker_id: UUID | None = None
    waiting_for: int = 0  # parents that are not done
    parents: list[RelatedJob] = Field(default_factory=list)
    children: list[RelatedJob] = Field(default_factory=list)
    runs: list[RunRow] = Field(default_factory=list)  # the last 50, the latest first
    file: FileOfJob | None = None


class HistoryBucket(Row):
    """What became of the attempts that ended in one stretch of time; durations of those that ended well."""

    at: datetime
    done: int
    failed: int
    retried: int
    crashed: int
    p50_ms: int | None = None
    p95_ms: int | None = None


class History(Row):
    """The last hours in stretches of equal length, the oldest first."""

    bucket_seconds: int
    buckets: list[HistoryBucket]


class TypeBacklog(Row):
    """Where the jobs of one type stand; `avg_ms` is an average over the latest attempts of all types."""

    type: str
    waiting: int
    queued: int
    due: int
    processing: int
    failed: int
    oldest_due_seconds: int | None = None
    avg_ms: float | None = None


class OrgBacklog(Row):
    """Where the jobs of one organisation stand."""

    org_id: str
    queued: int
    due: int
    processing: int
    failed: int


class FoundProblem(Row):
    """Something that needs a person."""

    condition: str
    text: str


class QueueOverview(Row):
    """Everything that a dashboard shows at a glance."""

    health: QueueHealth
    history: History
    by_type: list[TypeBacklog]
    by_org: list[OrgBacklog]
    active: list[JobRow]
    problems: list[FoundProblem]
    at: datetime


class JobOfFile(Row):
    """A job as the list of files shows it."""

    id: int
    type: str
    status: JobStatus


class FileVersion(Row):
    """What a list of files and one file have in common."""

    id: int
    org_id: str
    bucket_id: str
    path: str
    mime_type: str | None = None
    size: int | None = None
    status: FileState
    created_at: datetime
    title: str | None = None
    thumbnail: bool = False
    jobs: list[JobOfFile] = Field(default_factory=list)


class FileRow(FileVersion):
    """A file as a list shows it: `cards` counts them."""

    cards: int = 0


class FilePage(Row):
    """One page of files. Like a page of jobs, it may be short and yet have a next one."""

    files: list[FileRow]
    next: str | None = None


class AnalysisOfFile(Row):
    """What analyze_file found out."""

    kind: str | None = None
    title: str | None = None
    language: str | None = None
    summary: str | None = None
    topics: list[str] = Field(default_factory=list)
    pages: int | None = None
    notes: list[str] = Field(default_factory=list)
    provider: str | None = None
    degraded: bool = False
    cost: float | None = None


class ThumbnailOfFile(Row):
    """A stored picture: the longer edge in pixels is its `size`."""

    size: int
    bucket_id: str
    path: str
    width: int
    height: int


class CardOfFile(Row):
    """A card as an operator sees it."""

    id: UUID
    type: str
    question: str
    answer: str
    hint: str | None = None
    tags: list[str] = Field(default_factory=list)
    position: int = 0


class FileDetails(FileVersion):
    """A file version with its analysis, its thumbnails and its first 200 cards."""

    version: str | None = None
    deleted_at: datetime | None = None
    superseded_at: datetime | None = None
    problem: str | None = None
    analysis: AnalysisOfFile | None = None
    thumbnails: list[ThumbnailOfFile] = Field(default_factory=list)
    cards: list[CardOfFile] = Field(default_factory=list)


class OperationRow(Row):
    """One line of the audit trail."""

    id: int
    at: datetime
    actor: str
    action: str
    job_id: int | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class OperationPage(Row):
    """One page of the audit trail, the latest first."""

    operations: list[OperationRow]
    next: str | None = None
