"""What a handler is given and what it may say: the one import of every file in `handlers/`.

A handler is a plain function in `handlers/<job type>.py`, marked with `@handler`. It gets a typed
payload and a `Context`, and returns a pydantic model: the job's output, which `resolve_jobs` applies
to the tables in the same transaction that marks the job done. What else it may say, it raises:

    Outcome
    ├── Reject      this can never succeed: the job fails now, with a sentence its owner understands
    ├── Retry       this may pass: try again after a while, one attempt charged
    └── Snooze      not yet: come back later, no attempt charged

Any other exception is a retry with the type's usual backoff. A job can run twice (a worker may die
after the work and before the answer), so whatever a handler does beyond its output has to be safe to
repeat: uploads overwrite the same path, requests carry the job's id as their key.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict

from handlers.settings import HandlerSettings

Payload = TypeVar("Payload", bound=BaseModel)
Model = TypeVar("Model", bound=BaseModel)
Reuse = Literal["content", "parents"]
Version = str | Callable[[Any, HandlerSettings], str]  # Any: the handler's payload
HandlerFunction = Callable[["Job[Any]", "Context"], BaseModel]

DEFAULT_TIMEOUT_SECONDS = 60


class Outcome(Exception):  # noqa: N818 - an outcome is said, not suffered
    """Base of what a handler may say instead of returning."""


class Reject(Outcome):
    """The job can never succeed: a damaged file, an unsupported kind. `Retry` is for what may pass.

    The reason is shown to the file's owner, so it is a sentence without internals.
    """


class Retry(Outcome):
    """The job failed for a reason that may pass. `after` says when to try again, as seconds or a
    `timedelta`; without it the type's backoff does."""

    def __init__(self, reason: str, *, after: float | timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = None if after is None else _seconds("after", after)


class Snooze(Outcome):
    """It is not time yet: run again in `seconds` (or a `timedelta`), without charging an attempt."""

    def __init__(self, reason: str, *, seconds: float | timedelta) -> None:
        super().__init__(reason)
        self.seconds = _seconds("seconds", seconds)


def _seconds(name: str, value: float | timedelta) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} has to be seconds or a timedelta, not {type(value).__name__}")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} has to be 0 seconds or more, not {value}")
    return float(value)


class FilePayload(BaseModel):
    """The payload of every job that the storage trigger writes: one uploaded object version."""

    model_config = ConfigDict(frozen=True)

    file_id: int
    bucket: str
    path: str
    version: str
    mime_type: str | None = None  # what the uploader claimed; the bytes decide
    size: int | None = None  # bytes


@dataclass(frozen=True)
class Job(Generic[Payload]):
    """One attempt at one job, as the claim handed it out."""

    id: int
    org_id: str
    type: str
    payload: Payload
    attempts: int  # this one included
    max_attempts: int
    parents: Mapping[str, Any]  # outputs of the jobs this one waited for, by name: see Context.parent


@dataclass(frozen=True)
class Decoded:
    """What a decoder answered from the sandbox: JSON facts and the files it wrote, by name."""

    facts: dict[str, Any]
    files: dict[str, bytes]


class Context(Protocol):
    """The world as a handler sees it. Everything here may raise what ends the job; let it pass."""

    @property
    def settings(self) -> HandlerSettings:
        """What the environment says to handlers."""
        ...

    @property
    def is_last_attempt(self) -> bool:
        """Whether a retry would make this job a dead letter: the time for second-best results."""
        ...

    @property
    def trace_parent(self) -> str | None:
        """The W3C trace context of this job, to be sent as the header `traceparent` to whom it calls."""
        ...

    def seconds_left(self) -> float:
        """Seconds until this job is stopped: its timeout or the tick's budget, whichever ends first."""
        ...

    def progress(self, done: float, note: str = "") -> None:
        """Reports `done` (0 to 1); sent with the next heartbeat. Raises when the job was cancelled."""
        ...

    def report_cost(self, amount: float) -> None:
        """Adds money that this attempt spent, say at an AI provider: report it as soon as it is spent.

        It counts against the organisation's budget of the day whatever becomes of the attempt.
        """
        ...

    def download(self, bucket: str, path: str) -> bytes:
        """Reads a stored object into memory. Raises `Reject` if it is gone, `Retry` if storage is down."""
        ...

    def download_to_file(self, bucket: str, path: str, *, max_bytes: int | None = None) -> Path:
        """Streams a stored object into the job's private folder; `Reject` above `max_bytes`."""
        ...

    def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> None:
        """Stores an object, over an existing one if there is one, so a second run is harmless."""
        ...

    def remove(self, bucket: str, paths: Sequence[str]) -> None:
        """Removes stored objects; one that is gone already does no harm."""
        ...

    def decode(
        self,
        decoder: str,
        source: Path,
        *,
        memory_mb: int | None = None,
        seconds: float | None = None,
        **options: Any,
    ) -> Decoded:
        """Runs `handlers.media.<module>:<function>` on a file in the sandboxed child.

        Untrusted bytes are decoded only there. `memory_mb` is SANDBOX_MEMORY_MB unless given; `seconds` is the
        most that one try may take. Raises `Reject` with the decoder's own sentence for a damaged or refused
        file, and for one that kills the child or exceeds its limits twice.
        """
        ...

    def recall(self, key: str) -> Any:
        """What `keep` stored under this key for this organisation and job type; None if there is nothing."""
        ...

    def keep(self, key: str, value: Any) -> None:
        """Stores JSON at once, whatever becomes of this attempt: so that nothing is paid for twice.

        `key` is any text that names all that the value depends on. The first value of a key stays.
        """
        ...

    def parent(self, name: str, model: type[Model]) -> Model:
        """The output of a job which this one waited for.

        Its name is its job type; where this job waited for several of one type, they go by the `ref` that
        their flow gave them (or else by their number). `job.parents` has all of them.
        """
        ...


@dataclass(frozen=True)
class Handler:
    """A registered handler: the function, its payload model, its time limit in seconds, what it reuses."""

    job_type: str
    function: HandlerFunction
    payload_model: type[BaseModel]
    timeout: float
    reuse: Reuse | None = None
    version: Version = "1"

    def __call__(self, job: Job[Any], context: Context) -> BaseModel:
        return self.function(job, context)


def handler(
    *, timeout: float = DEFAULT_TIMEOUT_SECONDS, reuse: Reuse | None = None, version: Version = "1"
) -> Callable[[HandlerFunction], Handler]:
    """Marks a function as the handler of the job type it is named after.

    The function's first parameter says what its payload is: `job: Job[FilePayload]`. `timeout` is in
    seconds; a value in `job_types.timeout_seconds` wins, so that operators can change it without a deploy.

    With `reuse` the handler does not run where its result is known already: "content" for the same bytes of
    the payload's file, "parents" for the same outputs of the jobs it waited for; within one organisation,
    and for the same `version` and other fields of the payload. So the output must follow from those alone:

    - Raise `version` when the handler changes what it finds out. One that depends on more (the file's name,
      which model answers) gives a function from the payload and the settings to a text that names all of it.
    - It must not name the file, nor anything stored for this job only: another file will have it.
    - A result with a field `degraded` that is true is not kept: next time the handler runs again.
    """

    def register(function: HandlerFunction) -> Handler:
        first = next(iter(inspect.signature(function).parameters), None)
        arguments = get_args(get_type_hints(function).get(first or ""))
        if len(arguments) != 1 or not (
            isinstance(arguments[0], type) and issubclass(arguments[0], BaseModel)
        ):
            message = f"handler {function.__name__}: annotate its first parameter as Job[YourPayloadModel]"
            raise TypeError(message)
        if reuse == "content" and not issubclass(arguments[0], FilePayload):
            raise TypeError(
                f"handler {function.__name__}: to reuse by content its payload has to be a FilePayload"
            )
        return Handler(function.__name__, function, arguments[0], timeout, reuse, version)

    return register
