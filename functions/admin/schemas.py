"""What the routes answer, for the OpenAPI document and for the tests that hold the answers against it.

The rows come from the database as they are; these models only describe them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.admin.models import JobStatus


class Answer(BaseModel):
    """Base of all answers; a newer database may add keys."""

    model_config = ConfigDict(extra="allow")


class Error(BaseModel):
    """Every error there is; 401 and 403 have the code alone."""

    code: Annotated[str, Field(description="For programs: snake_case, and stable")]
    message: Annotated[str | None, Field(description="For people: what is wrong and what to do")] = None
    field: Annotated[str | None, Field(description="Which part of the request it is about")] = None


class Problem(Answer):
    condition: str
    text: str


class Health(Answer):
    status: Literal["alive", "ok", "degraded", "paused", "stopped"]
    problems: list[Problem] = []
    health: Annotated[dict[str, Any] | None, Field(description="queue_health() as it is")] = None


class Bucket(Answer):
    at: datetime
    done: int
    failed: int
    retried: int
    crashed: int
    p50_ms: float | None
    p95_ms: float | None


class History(Answer):
    bucket_seconds: int
    buckets: list[Bucket]


class ByType(Answer):
    type: str
    waiting: int
    queued: int
    due: int
    processing: int
    failed: int
    oldest_due_seconds: float | None
    avg_ms: float | None


class ByOrg(Answer):
    org_id: str
    queued: int
    due: int
    processing: int
    failed: int


class JobRow(Answer):
    id: int
    org_id: str | None
    type: str
    status: JobStatus
    priority: int
    run_at: datetime | None
    attempts: int
    max_attempts: int
    crashes: int
    progress: Any
    file_id: int | None
    path: str | None
    last_error: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    lease_expires_at: datetime | None
    lease_left_seconds: float | None
    running_seconds: float | None


class TypeStatistics(Answer):
    type: str
    status: JobStatus
    count: int
    avg_seconds: float | None
    oldest_at: datetime | None
    newest_at: datetime | None


class Jobs(Answer):
    """`stats` for action=stats, else `jobs` and `next`."""

    jobs: list[JobRow] = []
    stats: list[TypeStatistics] = []
    next: Annotated[str | None, Field(description="The `cursor` of the next page; null at the end")] = None


class Relative(Answer):
    id: int
    type: str
    status: JobStatus
    ref: str | None = None


class Run(Answer):
    attempt: int
    outcome: str
    error: str | None
    duration_ms: int | None
    cost: float | None
    started_at: datetime | None
    finished_at: datetime | None
    worker_id: str | None


class JobFile(Answer):
    id: int
    bucket_id: str
    path: str
    mime_type: str | None
    size: int | None
    deleted_at: datetime | None


class Job(JobRow):
    payload: Any
    output: Any
    public_error: str | None
    idempotency_key: str | None
    worker_id: str | None
    waiting_for: int
    parents: list[Relative]
    children: list[Relative]
    runs: list[Run]
    file: JobFile | None


class Overview(Answer):
    health: dict[str, Any]
    history: History
    by_type: list[ByType]
    by_org: list[ByOrg]
    active: list[JobRow]
    problems: list[Problem]
    at: datetime


class Changed(Answer):
    dry_run: Annotated[bool | None, Field(description="True: nothing was written")] = None


class Enqueued(Changed):
    job_id: Annotated[int | None, Field(description="Null for a job that a dry run would make")]
    created: bool
    status: str


class RetriedJob(Changed):
    job_id: int
    status: str
    revived: int


class CancelledJob(Changed):
    job_id: int
    cancelled: Annotated[bool, Field(description="False: it had ended already")]
    status: str


class NotRetried(Answer):
    job_id: int
    reason: str


class Retried(Changed):
    retried: int
    skipped: list[NotRetried]
    left: int


class CancelledJobs(Changed):
    cancelled: int
    left: int


class Switch(Changed):
    processing_enabled: bool
    paused_reason: str | None


class Triggered(BaseModel):
    success: bool
    jobId: int | None  # noqa: N815 - the wire's
    message: str
    created: bool
    status: str
    dryRun: bool | None = None  # noqa: N815 - the wire's


class TickReport(Answer):
    """What `cron_tick` answered."""

    status: str
    processed: int
    succeeded: int
    failed: int
    results: list[dict[str, Any]]


class FileJob(Answer):
    id: int
    type: str
    status: JobStatus


class FileRow(Answer):
    id: int
    org_id: str
    bucket_id: str
    path: str
    mime_type: str | None
    size: int | None
    status: str
    created_at: datetime
    title: str | None
    cards: int
    thumbnail: bool
    jobs: list[FileJob]


class Files(Answer):
    files: list[FileRow]
    next: str | None


class Thumbnail(Answer):
    size: int | str
    bucket_id: str
    path: str
    width: int | None
    height: int | None


class File(Answer):
    id: int
    org_id: str
    bucket_id: str
    path: str
    analysis: dict[str, Any] | None
    thumbnails: list[Thumbnail]
    cards: list[dict[str, Any]]


class Operation(Answer):
    id: int
    at: datetime
    actor: str
    action: str
    job_id: int | None
    details: Any


class Operations(Answer):
    operations: list[Operation]
    next: str | None


class Me(BaseModel):
    actor: str
    kind: Literal["user", "secret"]


class Config(Answer):
    supabase_url: str | None
    publishable_key: str | None
    local: bool
    environment: str | None
