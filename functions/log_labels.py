"""What every log line says besides: the tick and the job in whose course it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

LABELS = ("worker", "tick", "job_id", "type", "org_id", "attempt", "file_id")

_labels: ContextVar[Mapping[str, str]] = ContextVar("labels", default={})  # noqa: B039 - never changed


def labels() -> Mapping[str, str]:
    """Those that hold in this thread now."""
    return _labels.get()


@contextmanager
def labelled(**more: object) -> Iterator[None]:
    """Adds labels until the end; None is none."""
    token = _labels.set(
        {**labels()} | {name: str(value) for name, value in more.items() if value is not None}
    )
    try:
        yield
    finally:
        _labels.reset(token)
