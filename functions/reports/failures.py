"""Failures to Sentry (extra `sentry`): a dead letter is an error, an attempt that will be repeated a warning.

An event says which job of which type failed how often, and with what exception; it holds no payload, no
variables and no request, and the organisation only as a hash. The SDK carries it and adds nothing of its own.
"""

from __future__ import annotations

import importlib.metadata
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import PurePath
from types import TracebackType
from typing import Any, Literal, cast

import sentry_sdk
from sentry_sdk.transport import HttpTransport
from sentry_sdk.types import Event

from functions.log_lines import MOST_EXCEPTIONS, chain
from functions.observer import NOBODY, Step, StepName
from functions.queue_rows import ClaimedJob, DeadLetter, JobResult, ResolveVerdict
from functions.redact import message_of, redact
from functions.reports.organisations import org_hash
from functions.reports.sending import Complaint, Sender
from functions.settings import Settings

_Exceptions = dict[Literal["values"], list[dict[str, Any]]]
_SECONDS = 2.0  # that the SDK itself waits, at most
_MOST_FRAMES = 50


class Failures:
    """An observer that reports what failed."""

    def __init__(self, client: sentry_sdk.Client, complaint: Complaint) -> None:
        self._client = client
        self._sender = Sender(self._send, complaint)

    @contextmanager
    def step(self, name: StepName, job: ClaimedJob | None = None) -> Iterator[Step]:  # noqa: ARG002
        yield NOBODY

    def abandoned(self, job: ClaimedJob, result: JobResult) -> None: ...

    def resolved(self, job: ClaimedJob, result: JobResult, verdict: ResolveVerdict) -> None:
        """Reports attempts that failed, once it is known what that made of their jobs."""
        failed = result.outcome in ("retry", "failed") or verdict.verdict == "error"
        if failed and verdict.verdict in ("ok", "error"):
            self._client.capture_event(_failure(job, result, verdict))

    def found_dead(self, dead: DeadLetter) -> None:
        extra = {"attempts": dead.attempts, "maxAttempts": dead.max_attempts, "crashes": dead.crashes}
        event = _event(dead, "error", extra | {"status": "failed", "error": dead.error}, "crash")
        self._client.capture_event({**event, "message": f"{dead.type}: {dead.error}"})

    def trouble(self, error: BaseException) -> None:
        self._client.capture_event({"level": "error", "exception": _exceptions(error)})

    def flush(self, seconds: float) -> None:
        self._sender.flush(seconds)

    def close(self) -> None:
        self._client.close(timeout=0.0)

    def _send(self) -> None:
        self._client.flush(timeout=_SECONDS)


def observer(settings: Settings) -> Failures:
    """Raises what the SDK says of a wrong DSN."""
    assert settings.sentry_dsn is not None
    complaint = Complaint("failures_not_reported")
    client = sentry_sdk.Client(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.crontick_environment or "production",
        release=f"crontick@{importlib.metadata.version('crontick')}",
        transport=_transport(complaint),
        before_send=_cleaned,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        send_client_reports=False,
        auto_session_tracking=False,
        shutdown_timeout=_SECONDS,
        server_name="crontick",
    )
    return Failures(client, complaint)


def _failure(job: ClaimedJob, result: JobResult, verdict: ResolveVerdict) -> Event:
    error = verdict.error if verdict.verdict == "error" else result.error
    is_dead = verdict.status == "failed"
    raised = result.raised
    what = type(raised).__qualname__ if raised else re.sub(r"\d+", "#", error or result.outcome)[:200]
    extra = {
        "attempts": job.attempts if verdict.attempts is None else verdict.attempts,
        "maxAttempts": job.max_attempts,
        "status": verdict.status,
        "error": error,
    }
    event = _event(job, "error" if is_dead else "warning", extra, what)
    if raised:
        event["exception"] = _exceptions(raised)
    else:
        event["message"] = f"{job.type}: {error or result.outcome}"
    return event


def _event(
    job: ClaimedJob | DeadLetter, level: Literal["error", "warning"], extra: Mapping[str, object], what: str
) -> Event:
    return {
        "level": level,
        "transaction": job.type,
        "tags": {"jobId": str(job.job_id), "taskType": job.type},
        "extra": dict(extra),
        "user": {"id": org_hash(job.org_id)},  # so that Sentry counts how many organisations are concerned
        "fingerprint": [job.type, what],
    }


def _exceptions(error: BaseException) -> _Exceptions:
    """What led to it first. Without values of variables, and with no message that quotes input."""
    return {"values": [_exception(one) for one in reversed(list(islice(chain(error), MOST_EXCEPTIONS)))]}


def _exception(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    told = {"type": kind.__qualname__, "module": kind.__module__, "value": message_of(error)}
    return told | {"stacktrace": {"frames": _frames(error.__traceback__)}} if error.__traceback__ else told


def _frames(trace: TracebackType | None) -> list[dict[str, Any]]:
    return [
        {
            "filename": "/".join(PurePath(frame.filename).parts[-3:]),
            "function": frame.name,
            "lineno": frame.lineno,
            "context_line": frame.line,
            "in_app": "site-packages" not in frame.filename,
        }
        for frame in traceback.extract_tb(trace)[-_MOST_FRAMES:]
    ]


def _cleaned(event: Event, _hint: dict[str, Any]) -> Event:
    """The last look at what leaves: every text in it, whoever wrote it, and nothing about the machine."""
    for name in ("modules", "server_name", "request", "breadcrumbs"):
        cast("dict[str, Any]", event).pop(name, None)
    return cast("Event", _redacted(event))


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case Mapping():
            return {name: _redacted(item) for name, item in value.items()}
        case list() | tuple():
            return [_redacted(item) for item in value]
        case _:
            return value


def _transport(complaint: Complaint) -> type[HttpTransport]:
    class Transport(HttpTransport):
        """Says so when an event is lost."""

        def record_lost_event(self, reason: str, *args: Any, **kwargs: Any) -> None:
            complaint.say(f"an event was lost: {reason}")
            super().record_lost_event(reason, *args, **kwargs)

    return Transport
