"""Makes the objects that unit tests need: claimed jobs, handlers on the spot, and one tick over them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from functions.context import JobContext
from functions.kept_values import ContentResults, KeptValues
from functions.object_store import ObjectStore
from functions.queue_rows import ClaimedJob
from functions.runner import Runner
from functions.tick import run_tick
from functions.tick_options import TickOptions
from functions.tick_report import TickReport
from handlers.contract import Context, Handler, Job
from handlers.settings import HandlerSettings
from tests.unit.fakes import FakeClock, FakeQueue, FakeRegistry, FakeSandbox, client


class Anything(BaseModel):
    """A payload that takes whatever comes."""

    model_config = {"extra": "allow"}


class Output(BaseModel):
    value: Any = None


def run_inline(work: Callable[[], None]) -> None:
    """Runs a handler at once, in the tick's own thread, so that a test is deterministic."""
    work()


def claimed(job_id: int = 1, type: str = "work", **changes: Any) -> ClaimedJob:  # noqa: A002
    row: dict[str, Any] = {
        "job_id": job_id,
        "org_id": "acme",
        "type": type,
        "payload": {},
        "attempts": 1,
        "max_attempts": 5,
        "lease_token": f"token-{job_id}",
        "lease_expires_at": datetime.now(UTC),
        "timeout_seconds": None,
        "parents": {},
    }
    return ClaimedJob.model_validate(row | changes)


def handler_of(
    function: Callable[[Job[Any], Context], Any],
    *,
    payload: type[BaseModel] = Anything,
    timeout: float = 60,
) -> Handler:
    return Handler("work", function, payload, timeout)


def doing(action: Callable[[], Any]) -> Handler:
    """A handler that does something and returns its value."""
    return handler_of(lambda _job, _context: Output(value=action()))


def runner_for(
    handler: Handler,
    clock: FakeClock,
    *,
    store: ObjectStore | None = None,
    sandbox: FakeSandbox | None = None,
    known: ContentResults | None = None,
    **options: Any,
) -> Runner:
    store = store or ObjectStore(client(), max_bytes=1_000_000)
    return Runner(FakeRegistry(work=handler), store, sandbox or FakeSandbox(), clock, known=known, **options)


def context_for(
    job: ClaimedJob,
    *,
    clock: FakeClock | None = None,
    store: ObjectStore | None = None,
    sandbox: FakeSandbox | None = None,
    kept: KeptValues | None = None,
) -> JobContext:
    clock = clock or FakeClock()
    return JobContext(
        job,
        store=store or ObjectStore(client(), max_bytes=1_000_000),
        sandbox=sandbox or FakeSandbox(),
        clock=clock,
        deadline=clock.now() + 60,
        settings=HandlerSettings(),
        max_attempts=job.max_attempts,
        kept=kept,
    )


def tick(
    queue: FakeQueue,
    handler: Handler,
    *,
    clock: FakeClock | None = None,
    options: TickOptions | None = None,
    stop: threading.Event | None = None,
    start: Callable[[Callable[[], None]], None] = run_inline,
    **limits: Any,
) -> TickReport:
    """Runs one tick over a fake queue."""
    clock = clock or FakeClock()
    return run_tick(
        queue,
        runner_for(handler, clock, known=queue),
        options or TickOptions(),
        stop=stop or threading.Event(),
        clock=clock,
        start=start,
        **limits,
    )
