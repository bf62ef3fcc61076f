"""One line per event: JSON for Cloud Logging, readable text on a terminal.

Events have a name and fields (`job_done`, job_id, type, seconds); never a payload, a secret or a signed URL.
Inside a job the line carries the job as labels, and inside a request the trace that it belongs to.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from functions import redact
from functions.log_lines import formatter_for

_logger = logging.getLogger("functions")
_SOURCES = (_logger, logging.getLogger("handlers"))


def configure(
    level: str = "INFO",
    stream: TextIO | None = None,
    *,
    project: str | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Sends events to `stream` (stdout by default), also those that modules log with the standard library.

    `secrets` are values that no line may hold. Calling it again replaces what it set up before.
    """
    redact.hide(secrets)
    stream = stream or sys.stdout
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter_for(stream, project))
    for logger in _SOURCES:
        logger.propagate = False
        logger.handlers[:] = [handler]
        logger.setLevel(level)


def server_logging(project: str | None = None) -> dict[str, Any]:
    """The same lines for gunicorn, and for the warnings of libraries: a configuration of `logging.config`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter_for, "stream": sys.stdout, "project": project}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout"}
        },
        "root": {"level": "WARNING", "handlers": ["stdout"]},
        "loggers": {
            name: {"level": "WARNING", "handlers": ["stdout"], "propagate": False}
            for name in ("gunicorn.error", "gunicorn.access")
        },
    }


def debug(event: str, **fields: object) -> None:
    _logger.debug(event, extra={"fields": fields})


def info(event: str, **fields: object) -> None:
    _logger.info(event, extra={"fields": fields})


def warning(event: str, **fields: object) -> None:
    _logger.warning(event, extra={"fields": fields})


def error(event: str, *, exception: BaseException | None = None, **fields: object) -> None:
    """An event somebody has to look at; `exception` adds its traceback."""
    _logger.error(event, extra={"fields": fields, "exception": exception})
