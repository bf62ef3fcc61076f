"""`crontick run`: the tick's loop as a poller, for people who have a machine that is always on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from types import FrameType
from typing import Annotated

import typer
from rich.text import Text

from functions import log
from functions.cli import connection
from functions.cli.terminal import STDERR, seconds_text, shown
from functions.errors import ConfigurationError
from functions.log_labels import labelled
from functions.poller import POLLER_BUDGET_SECONDS, PollersClock, poll_forever
from functions.poller_health import PollerHealth, health_port
from functions.reports import observer_for
from functions.room import THIS_PROCESS
from functions.settings import Settings
from functions.systemd import Systemd
from functions.tick_options import TickOptions
from functions.tick_report import TickReport
from functions.worker import Worker


def run(
    limit: Annotated[
        int | None, typer.Option(min=1, max=100, metavar="COUNT", help="Jobs per claim.", show_default=False)
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            metavar="COUNT",
            help="Jobs at the same time; or TICK_CONCURRENCY.",
            show_default=False,
        ),
    ] = None,
    health: Annotated[
        int | None,
        typer.Option(
            "--health-port",
            min=1,
            max=65_535,
            metavar="PORT",
            help="Answer GET /health there; or ENABLE_HEALTH_CHECK and HEALTH_CHECK_PORT.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Works on jobs in this process, without cron, until Ctrl-C or SIGTERM."""
    settings = _settings(concurrency, health)
    url, _key = connection.project(settings)
    if settings.job_queue_backend != "table":
        raise ConfigurationError(
            "the poller needs JOB_QUEUE_BACKEND=table; with cron the jobs come in the calls of the function"
        )
    log.configure(settings.log_level, project=settings.google_cloud_project, secrets=settings.secrets())
    interval = seconds_text(settings.job_poll_interval_ms / 1000)
    with _stop_on_signal() as stop:
        STDERR.print(
            Text(f"working for {shown(url)}, looking every {interval}; Ctrl-C stops"), soft_wrap=True
        )
        _work(settings, TickOptions(limit=limit or settings.tick_batch_size), stop)
    STDERR.print("stopped; jobs that had not started were given back", style="dim")


def _settings(concurrency: int | None, port: int | None) -> Settings:
    changes: dict[str, object] = {}
    if concurrency is not None:
        changes["tick_concurrency"] = concurrency
    if port is not None:
        changes |= {"enable_health_check": True, "health_check_port": port}
    return connection.settings().model_copy(update=changes)


def _work(settings: Settings, options: TickOptions, stop: threading.Event) -> None:
    """Polls until `stop`, and says meanwhile how it is."""
    systemd = Systemd(settings.notify_socket, settings.watchdog_usec)
    with ExitStack() as stack:
        observer = stack.enter_context(closing(observer_for(settings)))

        def alive() -> None:
            systemd.alive(stopping=stop.is_set())

        worker = stack.enter_context(closing(Worker(settings, observer, clock=PollersClock(alive))))
        health = PollerHealth(
            active_jobs=lambda: THIS_PROCESS.inside,
            unreachable_since=lambda: worker.queue.unreachable_since,
            stop=stop,
        )
        stack.enter_context(labelled(worker=health.worker_id))
        if settings.enable_health_check:
            stack.enter_context(health_port(health, settings.bind, settings.health_check_port))

        def tick() -> TickReport:
            report = worker.tick(options, stop=stop, budget=POLLER_BUDGET_SECONDS)
            health.note_tick()
            return report

        log.info("poller_started", worker=health.worker_id, concurrency=settings.tick_concurrency)
        systemd.ready(f"working as {health.worker_id}")
        poll_forever(tick, interval_ms=settings.job_poll_interval_ms, stop=stop, alive=alive)
        alive()
        log.info("poller_stopped", worker=health.worker_id)


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets. A second signal does not wait for running jobs."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        STDERR.print("finishing what runs; press Ctrl-C again to stop at once", style="yellow")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
