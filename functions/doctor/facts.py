"""What `inspect_project()` tells, typed. Any fact may be unknown; asking for it then says why."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from functions.doctor.findings import Unknown
from functions.redact import named_problems

T = TypeVar("T")

_COUNTED = 1000  # as in inspect_queue


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Fact(Row, Generic[T]):
    """A value, or why there is none."""

    value: T | None = None
    unknown: str = "this database does not tell it; are its migrations those of this version?"

    @model_validator(mode="wrap")
    @classmethod
    def _value_or_reason(cls, said: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(said, cls) or said is None or said == {}:  # the latter is what Fact() is made from
            return read({})
        if isinstance(said, dict) and "unknown" in said:
            return read({"unknown": str(said["unknown"])})
        try:
            return read({"value": said})
        except ValidationError as error:
            return read({"unknown": f"it is told in another version's words: {named_problems(error)}"})

    def get(self) -> T:
        """The value. Raises `Unknown` with the reason."""
        if self.value is None:
            raise Unknown(self.unknown)
        return self.value


class Database(Row):
    name: str
    version: str
    replica: bool
    read_only: bool
    bytes: int
    connections: int
    max_connections: int


class Caller(Row):
    role: str | None
    statement_timeout_ms: int


class Extension(Row):
    name: str
    version: str
    schema_name: str = Field(alias="schema")


class Function(Row):
    name: str
    anon: bool
    authenticated: bool
    service_role: bool


class Table(Row):
    name: str
    row_security: bool
    anon: bool
    members_write: bool
    service_role: bool


class Trigger(Row):
    name: str
    enabled: bool
    definition: str


class QueueSettings(Row):
    processing_enabled: bool
    paused_reason: str | None
    paused_seconds: int | None
    lease_seconds: int
    http_timeout_ms: int


class Scheduler(Row):
    processes: int
    visible: bool
    runs_in: str | None
    details_bytes: int | None


class Run(Row):
    status: str | None
    message: str | None
    seconds_ago: int | None


class Schedule(Row):
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


class Secret(Row):
    """A secret of Vault by its looks."""

    name: str
    present: bool
    length: int | None
    padded: bool
    scheme: str | None
    host: str | None
    is_api_key: bool


class WorkerSecrets(Row):
    endpoint: Secret
    secret: Secret


class Secrets(Row):
    workers: list[WorkerSecrets]
    alert_webhook: Secret


class Route(Row):
    name: str
    bucket: str
    active: bool
    path_pattern: str
    mime_pattern: str
    types: list[str]


class Bucket(Row):
    id: str
    public: bool | None
    file_size_limit: int | None
    allowed_mime_types: list[str] | None


class Due(Row):
    """Due jobs of a type, counted no further than about a thousand."""

    type: str
    jobs: int
    oldest_seconds: int

    @property
    def counted(self) -> str:
        return f"{self.jobs} job(s)" if self.jobs < _COUNTED else f"at least {_COUNTED} jobs"


class Expired(Row):
    jobs: int
    oldest_seconds: int | None


class Ended(Row):
    done: int
    failed: int


class IngestFailures(Row):
    uploads: int
    error: str | None


class Queue(Row):
    due: list[Due]
    expired: Expired
    ended: Ended
    failed_types: list[str]
    ingest_failures: IngestFailures


class Snapshot(Row):
    pid: int
    seconds: int
    application: str | None
    user: str | None
    state: str | None


class Bloat(Row):
    table: str
    live: int
    dead: int
    bytes: int


class Facts(Row):
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
