"""Spans arrive at a collector: tick, claim, job and resolve, in the trace that they belong to."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from functions import trace_context
from functions.errors import QueueUnavailable
from functions.observer import Observer
from functions.queue_rows import ClaimedJob
from functions.reports import observer_for
from functions.settings import load_settings
from functions.trace_context import parse_traceparent
from handlers.contract import Context, Handler, Job
from tests.unit.fakes import FakeClock, FakeQueue, HeldThreads
from tests.unit.receivers import Receiver, receiver
from tests.unit.support import Output, claimed, doing, handler_of, tick

REQUEST = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ENQUEUED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@contextmanager
def tracing(to: Receiver, **settings: str) -> Iterator[Observer]:
    values = {"K_SERVICE": "x", "OTEL_EXPORTER_OTLP_ENDPOINT": to.url, **settings}
    observer = observer_for(load_settings(values))
    try:
        yield observer
        observer.flush(5)
    finally:
        observer.close()


def traced(handler: Handler, *jobs: ClaimedJob, request: str | None = REQUEST) -> dict[str, list[Span]]:
    """The spans of one tick over these jobs, in a request of that trace."""
    with receiver() as to:
        with tracing(to) as observer, trace_context.belonging_to(parse_traceparent(request)):
            tick(FakeQueue(list(jobs)), handler, observer=observer)
        assert "a-very-private-question" not in to.raw()
        assert "acme-the-customer" not in to.raw()
        return to.spans()


def said(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_tick_is_a_span_of_its_request_with_claims_jobs_and_resolves_in_it() -> None:
    spans = traced(doing(lambda: 1), claimed(7))
    (root,) = spans["tick"]
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == tuple(REQUEST.split("-")[1:3])
    for name in ("claim", "job work", "resolve"):
        assert {one.parent_span_id for one in spans[name]} == {root.span_id}, name
        assert {one.trace_id for one in spans[name]} == {root.trace_id}, name
    assert said(spans["claim"][0])["messaging.batch.message_count"] == 1
    assert said(spans["resolve"][0])["messaging.batch.message_count"] == 1


def test_a_job_belongs_to_the_trace_that_enqueued_it_and_is_linked_with_its_tick() -> None:
    spans = traced(doing(lambda: 1), claimed(7, trace_parent=ENQUEUED))
    (job,), (root,) = spans["job work"], spans["tick"]
    assert (job.trace_id.hex(), job.parent_span_id.hex()) == tuple(ENQUEUED.split("-")[1:3])
    (link,) = job.links
    assert (link.trace_id, link.span_id) == (root.trace_id, root.span_id)


def test_a_job_says_what_it_is_by_the_conventions_for_messaging_and_nothing_of_its_payload() -> None:
    job = claimed(7, org_id="acme-the-customer", attempts=2, payload={"q": "a-very-private-question"})
    spans = traced(doing(lambda: "a-very-private-question"), job)
    (span,) = spans["job work"]
    attributes = said(span)
    assert len(attributes.pop("crontick.org_hash")) == 16
    assert attributes == {
        "messaging.system": "crontick",
        "messaging.operation.name": "job",
        "messaging.operation.type": "process",
        "messaging.destination.name": "work",
        "messaging.message.id": "7",
        "crontick.attempt": 2,
        "crontick.max_attempts": 5,
        "crontick.outcome": "done",
    }
    assert span.kind == Span.SPAN_KIND_CONSUMER


def test_an_error_is_told_without_its_secrets() -> None:
    def handle(_job: Job[Any], _ctx: Context) -> Output:
        raise LookupError("GET https://a.co/x?token=hidden failed")

    (span,) = traced(handler_of(handle), claimed(7))["job work"]
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert span.status.message == "LookupError: GET https://a.co/x?... failed"
    (event,) = span.events
    attributes = {one.key: one.value.string_value for one in event.attributes}
    assert attributes == {
        "exception.type": "builtins.LookupError",
        "exception.message": "GET https://a.co/x?... failed",
    }


def hangs(_job: Job[Any], _ctx: Context) -> Output:
    raise AssertionError("its thread is never run")


def test_a_handler_that_hangs_has_a_span_all_the_same() -> None:
    job, late = claimed(1), contextvars.copy_context()
    with receiver() as to:
        with tracing(to) as observer:
            step = observer.step("job", job)
            late.run(step.__enter__)  # its thread gets so far as to begin, and then the time is over
            handler = handler_of(hangs, timeout=5)
            tick(FakeQueue([job]), handler, clock=FakeClock(), start=HeldThreads(), observer=observer)
            observer.flush(5)
            (span,) = to.spans()["job work"]
            assert span.status.message == "timed out after 5 s"
            late.run(step.__exit__, None, None, None)
        assert len(to.spans()["job work"]) == 1


def test_a_tick_that_failed_is_an_error() -> None:
    queue = FakeQueue()
    queue.errors["claim"] = [QueueUnavailable("the database is down")]
    with receiver() as to:
        with tracing(to) as observer, pytest.raises(QueueUnavailable):
            tick(queue, doing(lambda: 1), observer=observer)
        observer.flush(5)
        spans = to.spans()
    assert [one.status.message for one in (*spans["claim"], *spans["tick"])] == ["the database is down"] * 2


def test_log_lines_and_calls_inside_a_job_belong_to_its_span() -> None:
    seen: list[str | None] = []

    def look() -> None:
        current = trace_context.current()
        seen.append(current.traceparent if current else None)

    (span,) = traced(doing(look), claimed(7, trace_parent=ENQUEUED))["job work"]
    assert seen == [f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"]


def test_a_span_that_a_handler_makes_is_inside_that_of_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    everybodys: list[trace.TracerProvider] = []  # a process has one for good, and other tests came first
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    monkeypatch.setattr(trace, "set_tracer_provider", everybodys.append)

    def own() -> None:
        with everybodys[0].get_tracer("mine").start_as_current_span("own"):
            pass

    with receiver() as to:
        with tracing(to) as observer:
            tick(FakeQueue([claimed(7)]), doing(own), observer=observer)
        spans = to.spans()
    assert spans["own"][0].parent_span_id == spans["job work"][0].span_id


def test_without_a_trace_of_the_request_a_tick_begins_one() -> None:
    (root,) = traced(doing(lambda: 1), claimed(7), request=None)["tick"]
    assert root.parent_span_id == b""


def test_an_unsampled_request_is_not_recorded() -> None:
    assert traced(doing(lambda: 1), claimed(7), request=REQUEST[:-2] + "00") == {}


def test_the_service_the_environment_and_the_headers_are_those_of_the_settings() -> None:
    settings = {
        "OTEL_SERVICE_NAME": "cards",
        "OTEL_EXPORTER_OTLP_HEADERS": "X-Team=a=b, other=2",
        "CRONTICK_ENVIRONMENT": "staging",
    }
    with receiver() as to:
        with tracing(to, **settings) as observer:
            tick(FakeQueue(), doing(lambda: 1), observer=observer)
        (_, headers, body) = to.requests[0]
    assert (headers["x-team"], headers["other"]) == ("a=b", "2")
    assert b"cards" in body
    assert b"staging" in body
