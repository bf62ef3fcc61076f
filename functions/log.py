"""One line per event: JSON for Cloud Logging, readable text on a terminal.

Events have a name and fields (`job_done`, job_id, type, seconds); never a payload, a secret or a signed URL.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

from functions.redact import redact

_logger = logging.getLogger("functions")
_SOURCES = (_logger, logging.getLogger("handlers"))
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "fields", "exception", "taskName"}


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Sends events to `stream` (stdout by default), also those that modules log with the standard library.

    Calling it again replaces what it set up before.
    """
    stream = stream or sys.stdout
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_TerminalFormatter() if stream.isatty() else _JsonFormatter())
    for logger in _SOURCES:
        logger.propagate = False
        logger.handlers[:] = [handler]
        logger.setLevel(level)


def debug(event: str, **fields: object) -> None:
    _logger.debug(event, extra={"fields": fields})


def info(event: str, **fields: object) -> None:
    _logger.info(event, extra={"fields": fields})


def warning(event: str, **fields: object) -> None:
    _logger.warning(event, extra={"fields": fields})


def error(event: str, *, exception: BaseException | None = None, **fields: object) -> None:
    """An event somebody has to look at; `exception` adds its traceback."""
    _logger.error(event, extra={"fields": fields, "exception": exception})


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {name: _plain(value) for name, value in _fields(record).items()} | {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if stack := _stack(record):
            line["stack_trace"] = stack
        return json.dumps(line, ensure_ascii=False)


class _TerminalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        fields = " ".join(f"{name}={_plain(value)}" for name, value in _fields(record).items())
        line = f"{time} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip()
        stack = _stack(record)
        return f"{line}\n{stack}" if stack else line


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}  # by `extra=`
    given |= getattr(record, "fields", {})
    return {name: value for name, value in given.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, bool | int):
        return value
    return round(value, 3) if isinstance(value, float) else redact(str(value))


def _stack(record: logging.LogRecord) -> str:
    exception: BaseException | None = getattr(record, "exception", None)
    if exception is None and record.exc_info:
        exception = record.exc_info[1]
    if exception is None:
        return ""
    return "\n".join(redact(line.rstrip()) for line in traceback.format_exception(exception))
