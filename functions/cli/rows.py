"""The rows that commands read, as the tables and views of the migrations have them.

A column that a model does not name is not fetched; one that a newer database adds does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

FINAL = frozenset({"done", "failed", "cancelled"})


class Row(BaseModel):
    """Base of what PostgREST returns: frozen, and unbothered by columns that it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FileJob(Row):
    """One job of a file, as the view `file_status` sums it up."""

    job_id: int
    type: str
    status: str
    attempts: int = 0
    progress: Any = None
    error: str | None = None  # for the file's owner; `functions.cli.files` puts the operators' in its place
    seconds: float | None = None

    @property
    def done_share(self) -> float | None:
        """How much of a running job is done, 0 to 1, if its handler said so."""
        value = self.progress.get("done") if isinstance(self.progress, dict) else self.progress
        return float(value) if isinstance(value, int | float) else None


class FileStatus(Row):
    """One uploaded object version and the jobs of its flow."""

    file_id: int
    org_id: str
    bucket_id: str
    path: str
    version: str
    mime_type: str | None = None
    size: int | None = None
    status: str
    jobs: list[FileJob] = Field(default_factory=list)
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def error(self) -> str | None:
        """The first error among its jobs that are not done."""
        return next((f"{j.type}: {j.error}" for j in self.jobs if j.error and j.status != "done"), None)


class Analysis(Row):
    """A row of `file_analyses`, without the text itself."""

    file_id: int
    kind: str
    title: str | None = None
    language: str | None = None
    summary: str | None = None
    topics: list[str] = Field(default_factory=list)
    key_terms: list[str] = Field(default_factory=list)
    pages: int | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    notes: list[str] = Field(default_factory=list)
    provider: str | None = None
    mime_mismatch: bool = False
    degraded: bool = False


class Thumbnail(Row):
    """A row of `thumbnails`: where the picture lies."""

    file_id: int
    bucket_id: str
    path: str
    width: int
    height: int


class CardSource(Row):
    """Where in its file a card comes from."""

    page: int | None = None
    time_s: float | None = None
    quote: str | None = None


class Card(Row):
    """A row of `cards`."""

    file_id: int
    type: str
    front: str
    back: str
    hint: str | None = None
    tags: list[str] = Field(default_factory=list)
    source: CardSource = CardSource()
    difficulty: float | None = None


class ExportedCard(Card):
    """A row of `cards` with all that leaves the project with it."""

    id: UUID
    confidence: float | None = None
    quality: float | None = None
    position: int = 0
    edited_at: datetime | None = None
    fsrs_state: int = 1
    fsrs_step: int | None = None
    fsrs_stability: float | None = None
    fsrs_difficulty: float | None = None
    due: datetime
    last_review: datetime | None = None
    created_at: datetime
    updated_at: datetime


class JobRow(Row):
    """A row of `jobs`: the times that `file_status` does not carry."""

    id: int
    file_id: int
    type: str
    created_at: datetime
    run_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None


class JobError(Row):
    """Of a row of `jobs`: the error in the words meant for operators."""

    id: int
    last_error: str | None = None


class StoredAt(Row):
    """Where a file lies."""

    bucket_id: str
    path: str


class PutBack(Row):
    """A queued job that was tried or claimed before, with the reason why it is queued again."""

    id: int
    org_id: str
    type: str
    attempts: int
    last_error: str
    run_at: datetime
    file: StoredAt | None = Field(None, exclude=True)  # embedded by PostgREST, so not a column


class DeadLetter(Row):
    """A failed job, and the file that it was about if there is one."""

    id: int
    org_id: str
    type: str
    attempts: int
    last_error: str | None = None
    completed_at: datetime
    file: StoredAt | None = Field(None, exclude=True)  # embedded by PostgREST, so not a column


class JobRun(Row):
    """A row of `job_runs`: one attempt and what became of it."""

    job_id: int
    attempt: int
    outcome: str
    error: str | None = None
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True)
class FileResult:
    """Everything that is known about one file after its jobs."""

    status: FileStatus
    analysis: Analysis | None = None
    thumbnails: list[Thumbnail] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    jobs: list[JobRow] = field(default_factory=list)
    runs: dict[int, list[JobRun]] = field(default_factory=dict)
