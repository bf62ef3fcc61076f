"""`crontick run`: the tick's loop as a poller, for people who have a machine that is always on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Annotated

import typer
from rich.text import Text

from functions import log
from functions.cli import connection
from functions.cli.terminal import STDERR, seconds_text, shown
from functions.errors import ConfigurationError
from functions.poller import POLLER_BUDGET_SECONDS, poll_forever
from functions.tick_options import TickOptions
from functions.worker import Worker


def run(
    limit: Annotated[
        int | None, typer.Option(min=1, max=100, metavar="COUNT", help="Jobs per claim.", show_default=False)
    ] = None,
) -> None:
    """Works on jobs in this process, without cron, until Ctrl-C."""
    settings = connection.settings()
    url, _key = connection.project(settings)
    if settings.job_queue_backend != "table":
        raise ConfigurationError(
            "the poller needs JOB_QUEUE_BACKEND=table; with cron the jobs come in the calls of the function"
        )
    log.configure(settings.log_level)
    options = TickOptions(limit=limit or settings.tick_batch_size)
    with closing(Worker(settings)) as worker, _stop_on_signal() as stop:
        interval = seconds_text(settings.job_poll_interval_ms / 1000)
        STDERR.print(
            Text(f"working for {shown(url)}, looking every {interval}; Ctrl-C stops"), soft_wrap=True
        )
        poll_forever(
            lambda: worker.tick(options, stop=stop, budget=POLLER_BUDGET_SECONDS),
            interval_ms=settings.job_poll_interval_ms,
            stop=stop,
        )
    STDERR.print("stopped; jobs that had not started were given back", style="dim")


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets. A second Ctrl-C does not wait for running jobs."""
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()
        STDERR.print("finishing what runs; press Ctrl-C again to stop at once", style="yellow")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
