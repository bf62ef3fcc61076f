"""One line per event: JSON for Cloud Logging, readable text on a terminal.

Events have a name and fields (`job_done`, job_id, type, seconds); never a payload, a secret or a signed URL.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TextIO

from functions.redact import message_of, redact

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
            "message": redact(record.getMessage()),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if stack := _stack(record):
            line["stack_trace"] = stack
        return json.dumps(line, ensure_ascii=False)


class _TerminalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        fields = " ".join(f"{name}={_plain(value)}" for name, value in _fields(record).items())
        line = f"{time} {record.levelname.lower():7} {redact(record.getMessage())} {fields}".rstrip()
        stack = _stack(record)
        return f"{line}\n{stack}" if stack else line


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}  # by `extra=`
    given |= getattr(record, "fields", {})
    return {name: value for name, value in given.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):  # the others are no JSON
        return round(value, 3)
    return redact(message_of(value) if isinstance(value, BaseException) else str(value))


def _stack(record: logging.LogRecord) -> str:
    exception: BaseException | None = getattr(record, "exception", None)
    if exception is None and record.exc_info:
        exception = record.exc_info[1]
    if exception is None:
        return ""
    lines = "\nwhich led to:\n\n".join(reversed([_traceback(one) for one in _chain(exception)])).splitlines()
    return "\n".join(redact(line) for line in lines)


def _traceback(exception: BaseException) -> str:
    """As Python prints it, but for the message, which may quote values (see `message_of`)."""
    frames = "".join(traceback.format_tb(exception.__traceback__))
    said = f"{type(exception).__qualname__}: {message_of(exception)}"
    return f"Traceback (most recent call last):\n{frames}{said}\n"


def _chain(exception: BaseException | None) -> Iterator[BaseException]:
    """The exception and what led to it, the last first."""
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen:
        seen.add(id(exception))
        yield exception
        hidden = exception.__cause__ is None and exception.__suppress_context__
        exception = None if hidden else exception.__cause__ or exception.__context__
