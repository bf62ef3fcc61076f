"""What `inspect_project()` and `worker_answers()` tell, typed. Any fact may be unknown; asking for it then says why."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from functions.doctor.findings import Unknown

T = TypeVar("T")


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Fact(_Row, Generic[T]):
    """A value, or why there is none."""

    value: T | None = None
    unknown: str = "this database does not tell it; are its migrations those of this version?"

    @model_validator(mode="before")
    @classmethod
    def _value_or_reason(cls, said: Any) -> Any:
        if isinstance(said, Fact):
            return said
        if isinstance(said, dict) and "unknown" in said:
            return {"unknown": str(said["unknown"])}
        is_absent = said is None or said == {}  # the latter is what Fact() itself is made from
        return {} if is_absent else {"value": said}

    def get(self) -> T:
        """The value. Raises `Unknown` with the reason."""
        if self.value is None:
            raise Unknown(self.unknown)
        return self.value


class Database(_Row):
    name: str
    version: str
    replica: bool
    read_only: bool
    bytes: int
    connections: int
    max_connections: int


class Caller(_Row):
    role: str | None
    statement_timeout_ms: int


class Extension(_Row):
    name: str
    version: str
    schema_name: str = Field(alias="schema")


class Function(_Row):
    name: str
    anon: bool
    authenticated: bool
    service_role: bool


class Table(_Row):
    name: str
    row_security: bool
    anon: bool
    members_write: bool
    service_role: bool


class Trigger(_Row):
    name: str
    enabled: bool
    definition: str


class QueueSettings(_Row):
    processing_enabled: bool
    paused_reason: str | None
    paused_seconds: int | None
    lease_seconds: int
    http_timeout_ms: int


class Scheduler(_Row):
    processes: int
    visible: bool
    runs_in: str | None
    details_bytes: int | None


class Run(_Row):
    status: str | None
    message: str | None
    seconds_ago: int | None


class Schedule(_Row):
    """A row of cron.job. `kind`: tick, maintenance, or other (whose only fault is that it shows a secret)."""

    jobid: int
    name: str | None
    schedule: str
    active: bool
    database: str
    username: str
    kind: str
    command: str | None
    shows_secret: bool
    runs: list[Run]
    overdue_seconds: int | None

    @property
    def label(self) -> str:
        return self.name or f"number {self.jobid}"


class Secret(_Row):
    """A secret of Vault by its looks."""

    name: str
    present: bool
    length: int | None
    padded: bool
    scheme: str | None
    host: str | None
    is_api_key: bool


class WorkerSecrets(_Row):
    endpoint: Secret
    secret: Secret


class Secrets(_Row):
    workers: list[WorkerSecrets]
    alert_webhook: Secret


class Route(_Row):
    name: str
    bucket: str
    active: bool
    path_pattern: str
    mime_pattern: str
    types: list[str]


class Bucket(_Row):
    id: str
    public: bool | None
    file_size_limit: int | None
    allowed_mime_types: list[str] | None


class Due(_Row):
    type: str
    jobs: int
    oldest_seconds: int


class Expired(_Row):
    jobs: int
    oldest_seconds: int | None


class Ended(_Row):
    done: int
    failed: int


class IngestFailures(_Row):
    uploads: int
    error: str | None


class Queue(_Row):
    due: list[Due]
    expired: Expired
    ended: Ended
    failed_types: list[str]
    ingest_failures: IngestFailures


class Snapshot(_Row):
    pid: int
    seconds: int
    application: str | None
    user: str | None
    state: str | None


class Bloat(_Row):
    table: str
    live: int
    dead: int
    bytes: int


class Facts(_Row):
    """All facts of one call. `now` is the database's clock."""

    now: datetime
    database: Fact[Database] = Fact()
    caller: Fact[Caller] = Fact()
    extensions: Fact[list[Extension]] = Fact()
    functions: Fact[list[Function]] = Fact()
    tables: Fact[list[Table]] = Fact()
    triggers: Fact[list[Trigger]] = Fact()
    settings: Fact[QueueSettings] = Fact()
    scheduler: Fact[Scheduler] = Fact()
    schedules: Fact[list[Schedule]] = Fact()
    maintenance: Fact[list[str]] = Fact()
    secrets: Fact[Secrets] = Fact()
    routes: Fact[list[Route]] = Fact()
    recurring_types: Fact[list[str]] = Fact()
    buckets: Fact[list[Bucket]] = Fact()
    queue: Fact[Queue] = Fact()
    snapshots: Fact[list[Snapshot]] = Fact()
    bloat: Fact[list[Bloat]] = Fact()


class Ping(_Row):
    """What the worker says of itself."""

    version: str
    time: datetime
    budget_seconds: float
    lease_seconds: int | None = None
    job_types: list[str]
    unusable: list[str] = []
    backend: str
    project: str | None = None


class WorkerAnswer(_Row):
    """What came of the database's call to the worker: `answer` is None unless a worker of ours gave it."""

    ok: bool
    status: int | None
    seconds: float
    error: str | None
    host: str | None
    answer: Ping | None
    at: datetime
