"""A handler's `Context` (see `handlers.contract`), for one attempt at one job."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from pydantic import ValidationError

from functions import trace_context
from functions.clock import Clock
from functions.errors import LeaseLost
from functions.kept_values import KeptValues
from functions.object_store import ObjectStore
from functions.private_folder import new_private_folder, remove_folder
from functions.queue_rows import ClaimedJob
from functions.redact import named_problems
from handlers.contract import Decoded, Model, Reject
from handlers.settings import HandlerSettings


class Decoder(Protocol):
    """What the context needs of `functions.sandbox.Sandbox`."""

    def run(
        self,
        decoder: str,
        source: Path,
        *,
        timeout: float,
        memory_mb: int,
        seconds: float | None,
        options: dict[str, Any],
    ) -> Decoded: ...


class WronglyEnqueued(Reject):
    """A `Reject` that is about how the job was enqueued: its reason is not for the file's owner to read."""


class JobContext:
    """Every method first looks whether the job is still ours, so an abandoned handler ends at its next call.

    The tick's thread calls `abandon` and `take_progress`; the rest is called by the handler, in its own.
    """

    def __init__(
        self,
        job: ClaimedJob,
        *,
        store: ObjectStore,
        sandbox: Decoder,
        clock: Clock,
        deadline: float,
        settings: HandlerSettings,
        max_attempts: int,
        kept: KeptValues | None = None,
    ) -> None:
        """Without `kept`, where values are stored by key, none is ever found."""
        self.deadline = deadline  # moves closer when the worker is told to stop
        self.settings = settings
        self.is_last_attempt = job.attempts >= max_attempts
        self._job = job
        self._kept_values = kept
        self._store = store
        self._sandbox = sandbox
        self.clock = clock
        self._abandoned: str | None = None
        self._lock = threading.Lock()
        self._progress: dict[str, Any] | None = None
        self._cost = 0.0
        self._folder: Path | None = None
        self._files = 0
        self._kept: dict[tuple[str, str], Path] = {}  # read before the handler ran, and not asked for yet

    @property
    def trace_parent(self) -> str | None:
        """The span of this job, where spans are made; else what enqueued it, else the tick's request."""
        own = trace_context.parse_traceparent(self._job.trace_parent)
        current = trace_context.current()
        if own is None or (current and current.trace_id == own.trace_id):
            return current.traceparent if current else None
        return own.traceparent

    def seconds_left(self) -> float:
        self._check()
        return max(self.deadline - self.clock.now(), 0.0)

    def progress(self, done: float, note: str = "") -> None:
        self._check()
        with self._lock:
            self._progress = {"done": round(min(max(done, 0.0), 1.0), 3), "note": note[:200]}

    def report_cost(self, amount: float) -> None:
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise TypeError(f"a cost has to be a number, not {type(amount).__name__}")
        if not math.isfinite(amount) or amount < 0:
            raise ValueError(f"a cost has to be 0 or more, not {amount}")
        with self._lock:
            self._cost += amount
        self._check()

    def download(self, bucket: str, path: str) -> bytes:
        self._check()
        kept = self._kept.get((bucket, path))
        return kept.read_bytes() if kept else self._store.download(bucket, path)

    def download_to_file(self, bucket: str, path: str, *, max_bytes: int | None = None) -> Path:
        self._check()
        if kept := self._kept.pop((bucket, path), None):
            self._store.check_size(kept.stat().st_size, max_bytes)
            return kept
        if self._folder is None:
            self._folder = new_private_folder()
        self._files += 1
        # The name is ours, the suffix is what decoders may want to see of the original.
        target = self._folder / f"{self._files}{_safe_suffix(path)}"
        self._store.download_to(target, bucket, path, max_bytes=max_bytes)
        return target

    def keep_file(self, bucket: str, path: str) -> Path:
        """Reads an object into the job's folder for us; the handler that asks for it gets this copy."""
        kept = self._kept[bucket, path] = self.download_to_file(bucket, path)
        return kept

    def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> None:
        self._check()
        self._store.upload(bucket, path, data, content_type)

    def remove(self, bucket: str, paths: Sequence[str]) -> None:
        self._check()
        self._store.remove(bucket, paths)

    def decode(
        self,
        decoder: str,
        source: Path,
        *,
        memory_mb: int | None = None,
        seconds: float | None = None,
        **options: Any,
    ) -> Decoded:
        return self._sandbox.run(
            decoder,
            source,
            timeout=self.seconds_left(),
            memory_mb=memory_mb or self.settings.sandbox_memory_mb,
            seconds=seconds,
            options=options,
        )

    def recall(self, key: str) -> Any:
        self._check()
        return self._kept_values.find(self._job, key) if self._kept_values else None

    def keep(self, key: str, value: Any) -> None:
        if self._kept_values:
            self._kept_values.store(self._job, key, value)
        self._check()

    def parent(self, name: str, model: type[Model]) -> Model:
        parents = self._job.parents
        if name not in parents:
            known = f"only for {', '.join(sorted(parents))}" if parents else "nor for any other"
            raise WronglyEnqueued(f"this job did not wait for {name}, {known}: enqueue it with `after`")
        try:
            return model.model_validate(parents[name])
        except ValidationError as error:
            raise WronglyEnqueued(f"output of {name}: {named_problems(error)}") from error

    def abandon(self, why: str) -> None:
        """The job is no longer this attempt's: whatever the handler asks for next, it hears `LeaseLost`."""
        self._abandoned = why

    def take_progress(self) -> dict[str, Any] | None:
        """What was reported since the last time, for the heartbeat."""
        with self._lock:
            progress, self._progress = self._progress, None
            return progress

    @property
    def has_progress(self) -> bool:
        return self._progress is not None

    @property
    def cost(self) -> float | None:
        """What was reported to have been spent so far."""
        with self._lock:
            return self._cost or None

    def close(self) -> None:
        """Removes the job's private folder."""
        if self._folder is not None:
            remove_folder(self._folder)

    def _check(self) -> None:
        if self._abandoned is not None:
            raise LeaseLost(f"job {self._job.job_id} is no longer ours: {self._abandoned}")


def _safe_suffix(path: str) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    return suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 10 else ""
