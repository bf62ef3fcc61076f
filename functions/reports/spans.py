"""Spans to an OpenTelemetry collector (extra `otel`): tick, claim, job and resolve.

A job's span belongs to the trace of the transaction that enqueued it and is linked with its tick; a job
without such a trace belongs to the tick. Names follow the conventions for messaging; no span holds a payload,
and the organisation is told as a hash.
"""

from __future__ import annotations

import importlib.metadata
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode

from functions import trace_context
from functions.observer import Step, StepName
from functions.queue_rows import ClaimedJob, DeadLetter, JobResult, ResolveVerdict
from functions.redact import message_of, redact
from functions.reports.organisations import org_hash
from functions.reports.sending import Complaint, Sender
from functions.settings import Settings
from functions.trace_context import TraceContext

_SECONDS = 2.0  # for one request, repetitions included
_KINDS = {"tick": SpanKind.SERVER, "claim": SpanKind.CONSUMER, "job": SpanKind.CONSUMER}
_OPERATIONS = {"claim": "receive", "job": "process", "resolve": "settle"}
_NAMES = {"count": "messaging.batch.message_count"}


class Spans:
    """An observer that makes spans."""

    def __init__(self, provider: TracerProvider, complaint: Complaint) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("crontick")
        self._sender = Sender(lambda: _ignore(provider.force_flush()), complaint)
        self._lock = threading.Lock()
        self._jobs: dict[str, _Step] = {}  # by lease token, while their handlers run

    @contextmanager
    def step(self, name: StepName, job: ClaimedJob | None = None) -> Iterator[Step]:
        parent, links = self._origin(job)
        span = self._tracer.start_span(
            f"job {job.type}" if job else name,
            context=parent,
            links=links,
            kind=_KINDS.get(name, SpanKind.CLIENT),
            attributes=_attributes(name, job),
        )
        step = _Step(span)
        try:
            with (
                self._kept(job, step),
                trace.use_span(span, record_exception=False, set_status_on_exception=False),
                trace_context.belonging_to(_trace_of(span)),
            ):
                yield step
        except BaseException as error:
            step.fail(message_of(error), error)
            raise
        finally:
            step.end()

    def abandoned(self, job: ClaimedJob, result: JobResult) -> None:
        """Ends the span of a handler that is left behind: its thread may never come to it."""
        with self._lock:
            step = self._jobs.pop(job.lease_token, None)
        if step:
            step.came_to(result)
            step.end()

    def resolved(self, job: ClaimedJob, result: JobResult, verdict: ResolveVerdict) -> None: ...

    def found_dead(self, dead: DeadLetter) -> None: ...

    def trouble(self, error: BaseException) -> None: ...

    def flush(self, seconds: float) -> None:
        self._sender.flush(seconds)

    def close(self) -> None:
        self._provider.shutdown()

    @contextmanager
    def _kept(self, job: ClaimedJob | None, step: _Step) -> Iterator[None]:
        if job is None:
            yield
            return
        with self._lock:
            self._jobs[job.lease_token] = step
        try:
            yield
        finally:
            with self._lock:
                self._jobs.pop(job.lease_token, None)

    def _origin(self, job: ClaimedJob | None) -> tuple[Context | None, list[Link]]:
        """The parent of a step's span, None for the surrounding one, and what it is linked with."""
        tick = trace.get_current_span().get_span_context()
        if job and (enqueued := trace_context.parse_traceparent(job.trace_parent)):
            return _remote(enqueued), [Link(tick)] if tick.is_valid else []
        if not tick.is_valid and (request := trace_context.current()) and request.span_id:
            return _remote(request), []
        return None, []


class _Step:
    """A span, which two threads may want to end."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, **facts: str | int | float) -> None:
        self._span.set_attributes(
            {_NAMES.get(name, f"crontick.{name}"): value for name, value in facts.items()}
        )

    def came_to(self, result: JobResult) -> None:
        self.note(outcome=result.outcome)
        if result.outcome in ("retry", "failed"):
            self.fail(result.error or result.outcome, result.raised)

    def fail(self, error: str, exception: BaseException | None = None) -> None:
        said = redact(error)
        self._span.set_status(Status(StatusCode.ERROR, said))
        if exception is not None:
            kind = type(exception)
            name = f"{kind.__module__}.{kind.__qualname__}"
            self._span.set_attribute("error.type", name)
            told = {"exception.type": name, "exception.message": redact(message_of(exception))}
            self._span.add_event("exception", told)

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()


class _Exporter(SpanExporter):
    """Says so once when the collector cannot be reached, in the place of the SDK's own lines."""

    def __init__(self, exporter: SpanExporter, complaint: Complaint) -> None:
        self._exporter = exporter
        self._complaint = complaint

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:
            self._complaint.say(f"{type(error).__name__}: the spans could not be sent")
            return SpanExportResult.FAILURE
        if result is not SpanExportResult.SUCCESS:
            self._complaint.say("the collector did not take the spans")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def observer(settings: Settings) -> Spans:
    """Raises what the SDK says of settings that it cannot use."""
    complaint = Complaint("traces_not_sent")
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)  # _Exporter says it once
    endpoint = (settings.otel_exporter_otlp_endpoint or "").rstrip("/")
    exporter = OTLPSpanExporter(
        endpoint=endpoint if endpoint.endswith("/v1/traces") else f"{endpoint}/v1/traces",
        headers=_headers(settings),
        timeout=_SECONDS,
    )
    about = {
        "service.name": settings.otel_service_name,
        "service.version": importlib.metadata.version("crontick"),
    }
    if settings.crontick_environment:
        about["deployment.environment.name"] = settings.crontick_environment
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Exporter(exporter, complaint)))
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(provider)  # so that spans which handlers make belong to their job's
    return Spans(provider, complaint)


def _headers(settings: Settings) -> dict[str, str]:
    """`name=value,name=value`, as OpenTelemetry writes them."""
    said = settings.otel_exporter_otlp_headers
    pairs = (
        pair.partition("=") for pair in (said.get_secret_value() if said else "").split(",") if pair.strip()
    )
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _attributes(name: StepName, job: ClaimedJob | None) -> dict[str, Any]:
    said: dict[str, Any] = {"messaging.system": "crontick", "messaging.destination.name": "jobs"}
    if name in _OPERATIONS:
        said |= {"messaging.operation.name": name, "messaging.operation.type": _OPERATIONS[name]}
    if job:
        said |= {
            "messaging.destination.name": job.type,
            "messaging.message.id": str(job.job_id),
            "crontick.org_hash": org_hash(job.org_id),
            "crontick.attempt": job.attempts,
            "crontick.max_attempts": job.max_attempts,
        }
    return said


def _remote(found: TraceContext) -> Context:
    span = SpanContext(
        int(found.trace_id, 16),
        int(found.span_id or "0", 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(found.sampled)),
    )
    return trace.set_span_in_context(NonRecordingSpan(span))


def _trace_of(span: Span) -> TraceContext | None:
    found = span.get_span_context()
    if not found.is_valid:
        return None
    return TraceContext(f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags.sampled)


def _ignore(_value: object) -> None: ...
