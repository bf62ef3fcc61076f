"""Puts the parts of a worker together: what the function, the poller and the commands all run."""

from __future__ import annotations

import threading

from functions import log
from functions.clock import Clock, SystemClock
from functions.errors import ConfigurationError
from functions.job_queue import JobQueue
from functions.object_store import ObjectStore
from functions.observer import NOBODY, Observer
from functions.queue_rows import NewJob
from functions.registry import Registry
from functions.runner import Runner
from functions.sandbox import Sandbox
from functions.secrecy import hide_from_own_user
from functions.settings import Settings
from functions.supabase_client import SupabaseClient
from functions.tick import run_tick
from functions.tick_options import TickOptions
from functions.tick_report import TickReport

_FLUSH_SECONDS = 2.0  # that reports may take before the answer
_STOPPING_SECONDS = 0.5  # and when the platform is about to kill
_MEGABYTE = 1024 * 1024  # as the limits per kind count


class Worker:
    """One process's share of the work; several ticks may run in it at once. Close it when it ends."""

    def __init__(
        self, settings: Settings, observer: Observer = NOBODY, *, clock: Clock | None = None
    ) -> None:
        """The `observer` is told how it goes; `functions.reports` makes the one that the settings ask for."""
        hide_from_own_user()
        self._observer = observer
        self._settings = settings
        self._client = SupabaseClient.from_settings(settings)
        self.sandbox = Sandbox(allowed_prefixes=_decoder_packages(settings))
        self._clock = clock or SystemClock()
        self.queue = JobQueue(self._client)
        registry = Registry(more=settings.handler_modules())
        for problem in registry.problems():
            log.error("handlers_unusable", error=problem)
        store = ObjectStore(self._client, max_bytes=settings.max_file_mb * _MEGABYTE)
        self._runner = Runner(
            registry,
            store,
            self.sandbox,
            self._clock,
            settings=settings.for_handlers(),
            max_attempts=settings.job_max_attempts,
            known=self.queue,
        )

    def tick(self, options: TickOptions, *, stop: threading.Event, budget: float | None = None) -> TickReport:
        """Runs one tick with this worker's settings; `budget` in seconds wins over TICK_BUDGET_SECONDS."""
        try:
            return self._run(options, stop, self._settings.tick_budget_seconds if budget is None else budget)
        finally:
            self._observer.flush(_STOPPING_SECONDS if stop.is_set() else _FLUSH_SECONDS)

    def _run(self, options: TickOptions, stop: threading.Event, budget: float) -> TickReport:
        return run_tick(
            self.queue,
            self._runner,
            options,
            stop=stop,
            clock=self._clock,
            budget=budget,
            concurrency=self._settings.tick_concurrency,
            lease_seconds=self._settings.lease_seconds,
            shutdown_seconds=self._settings.shutdown_seconds,
            max_attempts=self._settings.job_max_attempts,
            observer=self._observer,
        )

    def dispatch(
        self, job: NewJob, *, stop: threading.Event, force: bool = False, budget: float | None = None
    ) -> TickReport:
        """Enqueues one job and runs it now, as a tick that claims nothing else; `force` although paused.

        The report's `started` says why, where the job is not to be had.
        """
        if self._settings.job_queue_backend != "cron":
            raise ConfigurationError("running a job at once needs JOB_QUEUE_BACKEND=cron")
        if self._settings.job_max_attempts and "max_attempts" not in job:
            job = {**job, "max_attempts": self._settings.job_max_attempts}
        return self.tick(TickOptions(start=job, force=force), stop=stop, budget=budget)

    def close(self) -> None:
        """Kills the sandbox's children and closes the connections."""
        self.sandbox.close()
        self._client.close()


def _decoder_packages(settings: Settings) -> list[str]:
    """Ours, and whatever lies beside the handlers that were added."""
    added = (name.partition(".")[0] for name in settings.handler_modules())
    return ["handlers.media.", *(f"{package}." for package in dict.fromkeys(added))]
