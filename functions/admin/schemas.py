"""What the routes answer besides the rows of `functions.operator_rows`, for the OpenAPI document.

The tests hold the answers against it; nothing is checked on its way out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.health_rows import NotRetried, QueueHealth
from functions.operator_rows import FoundProblem, JobRow, JobStatus


class Answer(BaseModel):
    """Base of what the database answers as it is; a newer one may add keys."""

    model_config = ConfigDict(extra="allow")


class Error(BaseModel):
    """Every error there is; 401 and 403 have the code alone."""

    code: Annotated[str, Field(description="For programs: snake_case, and stable")]
    message: Annotated[str | None, Field(description="For people: what is wrong and what to do")] = None
    field: Annotated[str | None, Field(description="Which part of the request it is about")] = None


class Alive(BaseModel):
    """All that `?live` asks."""

    status: Literal["alive"]


class Health(BaseModel):
    """503, with the same body, while the status is `stopped`."""

    status: Literal["ok", "degraded", "paused", "stopped"]
    problems: list[FoundProblem]
    health: QueueHealth


class TypeStatistics(Answer):
    """A row of `job_stats`."""

    type: str
    status: JobStatus
    count: int
    avg_seconds: float | None
    oldest_at: datetime | None
    newest_at: datetime | None


class Jobs(BaseModel):
    """One page of jobs. It may be short and yet have a next one."""

    jobs: list[JobRow]
    next: Annotated[str | None, Field(description="The `cursor` of the next page; null at the end")]


class Statistics(BaseModel):
    """The answer to action=stats."""

    stats: list[TypeStatistics]


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


class Me(BaseModel):
    actor: str
    kind: Literal["user", "secret"]


class Config(Answer):
    supabase_url: str | None
    publishable_key: str | None
    local: bool
    environment: str | None
