"""What `worker_answers()` tells: how the database's call of the worker went, and what the worker said."""

from __future__ import annotations

from datetime import datetime

from functions.doctor.facts import Row


class Ping(Row):
    """What the worker says of itself."""

    version: str
    time: datetime
    budget_seconds: float
    lease_seconds: int | None = None
    job_types: list[str]
    unusable: tuple[str, ...] = ()
    backend: str
    project: str | None = None


class WorkerAnswer(Row):
    """What came of the database's call to the worker: `answer` is None unless a worker of ours gave it."""

    ok: bool
    status: int | None
    seconds: float
    error: str | None
    host: str | None
    answer: Ping | None
    at: datetime
