"""The W3C trace that work belongs to: read off a request, kept for all that happens meanwhile.

A context variable holds it, so each thread and request has its own; `contextvars.copy_context` takes it along
into another thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_GOOGLE = re.compile(r"(?!0{32})([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]))?", re.ASCII)


class Headers(Protocol):
    """What is needed of a request's headers."""

    def get(self, name: str) -> str | None: ...


@dataclass(frozen=True)
class TraceContext:
    """One span of a trace: ids of 32 and 16 hexadecimal digits, and whether its caller records it."""

    trace_id: str
    span_id: str | None
    sampled: bool

    @property
    def traceparent(self) -> str | None:
        """As the header of a request that belongs to this span."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}" if self.span_id else None


_current: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def current() -> TraceContext | None:
    """The span that this thread works for, if any."""
    return _current.get()


@contextmanager
def belonging_to(trace: TraceContext | None) -> Iterator[None]:
    """Makes it the current one until the end; None leaves whatever is."""
    if trace is None:
        yield
        return
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def parse_traceparent(text: str | None) -> TraceContext | None:
    """What a `traceparent` says; None for anything that is not one of version 00."""
    match = _TRACEPARENT.fullmatch(text or "")
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1))


def trace_of_request(headers: Headers) -> TraceContext | None:
    """The trace that a request belongs to: `traceparent`, else Google's older `X-Cloud-Trace-Context`."""
    if found := parse_traceparent(headers.get("traceparent")):
        return found
    match = _GOOGLE.fullmatch(headers.get("x-cloud-trace-context") or "")
    if match is None:
        return None
    trace_id, span, sampled = match.groups()
    number = int(span or 0)
    span_id = f"{number:016x}" if 0 < number < 2**64 else None
    return TraceContext(trace_id.lower(), span_id, sampled == "1")
