"""What operators are told of the queue as a whole: its health, and what a sweep or a bulk retry came to.

Apart from `queue_rows.py`, so that a tick does without.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from functions.queue_rows import Row


class IngestFailure(Row):
    """An upload for which no jobs could be written; the upload itself was let through."""

    bucket_id: str | None = None
    path: str | None = None
    error: str | None = None
    created_at: datetime | None = None


class CronRun(Row):
    """One run of a scheduled tick, as `cron.job_run_details` tells it."""

    jobname: str | None = None
    status: str | None = None
    return_message: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


class CronSchedule(Row):
    """One schedule of ours in pg_cron, and how its last run ended."""

    jobname: str
    schedule: str | None = None
    active: bool = True
    last_start: datetime | None = None
    last_status: str | None = None
    last_message: str | None = None


class Snapshot(Row):
    """A transaction that keeps vacuum from removing dead rows."""

    pid: int
    seconds: int
    application: str | None = None
    query: str | None = None


class QueueHealth(Row):
    """What an operator wants to know first."""

    processing_enabled: bool
    paused_reason: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    due: int = 0
    oldest_due_seconds: float | None = None
    expired_leases: int = 0
    failed_over_10_min: int = 0
    ingest_failures: list[IngestFailure] = Field(default_factory=list)
    recent_ticks: list[CronRun] = Field(default_factory=list)
    suspects: int = 0  # queued jobs that were running when their worker died
    later: int = 0  # queued jobs whose time has not come
    waiting_for_limits: int = 0  # pairs of type and organisation, of about a hundred that were looked at
    oldest_snapshot: Snapshot | None = None
    dead_rows: int = 0  # of `jobs`, that vacuum has yet to remove
    cron_schedules: list[CronSchedule] = Field(default_factory=list)


class FileSweep(Row):
    """What one call of a sweep over the stored objects did; all but `checked`, which counts objects, are files."""

    checked: int = 0
    enqueued: int = 0
    retired: int = 0  # their object is gone or was overwritten
    failed: int = 0  # the reasons stand in `ingest_failures`
    finished: bool = False  # all objects were seen; the next call starts over
    busy: bool = False  # another call is at it, and this one did nothing


class NotRetried(Row):
    """A dead letter that cannot come back, and why."""

    job_id: int
    reason: str


class Retried(Row):
    """What became of a bulk retry: how many came back, some that could not, how many dead letters are left."""

    retried: int
    skipped: list[NotRetried] = Field(default_factory=list)
    left: int = 0
