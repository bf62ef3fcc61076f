"""Where a worker's reports go besides its log: failures to Sentry, spans to an OpenTelemetry collector.

Each is an extra, loaded only when its variable is set. A report that cannot be sent costs a bounded wait and
one line in the log, never a job.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from functions import log
from functions.observer import NOBODY, All, Observer
from functions.settings import Settings


def observer_for(settings: Settings) -> Observer:
    """Whoever the settings ask for. What cannot be used is logged, and the worker goes on without it."""
    found: list[Observer] = []
    if settings.sentry_dsn:
        found += _made("functions.reports.failures", "SENTRY_DSN", "sentry", settings)
    if settings.otel_exporter_otlp_endpoint:
        found += _made("functions.reports.spans", "OTEL_EXPORTER_OTLP_ENDPOINT", "otel", settings)
    return found[0] if len(found) == 1 else All(found) if found else NOBODY


def _made(module: str, variable: str, extra: str, settings: Settings) -> list[Observer]:
    try:
        make: Callable[[Settings], Observer] = importlib.import_module(module).observer
        return [make(settings)]
    except ModuleNotFoundError as error:
        problem = f"{variable} is set, but {error.name} is not installed: add the extra crontick[{extra}]"
    except Exception as error:
        problem = f"{variable} cannot be used: {type(error).__name__}"  # what it says may quote the value
    log.error("reports_unusable", error=problem)
    return []
