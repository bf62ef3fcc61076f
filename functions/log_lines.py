"""How an event becomes a line: JSON in the shape of Cloud Logging, or readable text for a terminal.

Whatever text it is made of is redacted here, wherever it came from.
"""

from __future__ import annotations

import json
import logging
import math
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TextIO

from functions import trace_context
from functions.log_labels import LABELS, labels
from functions.redact import message_of, redact

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "fields", "exception", "taskName"}
_SEVERITIES = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))
_GOOGLE = "logging.googleapis.com/"
_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
_ON_TERMINALS = ("job_id", "type")  # of the labels: the others would fill the line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the keys that Cloud Logging looks for."""

    def __init__(self, project: str | None = None) -> None:
        """With a Google Cloud `project` its log viewer links the line with the trace."""
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        line: dict[str, object] = {name: _plain(value) for name, value in fields.items()} | {
            "severity": _severity(record),
            "message": redact(record.getMessage()),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if record.name != "functions":
            line["logger"] = record.name
        if found := _labels(fields):
            line[f"{_GOOGLE}labels"] = found
        line |= self._trace()
        if stack := _stack(record):
            line["stack_trace"] = stack
        return json.dumps(line, ensure_ascii=False)

    def _trace(self) -> dict[str, object]:
        trace = trace_context.current()
        if trace is None:
            return {}
        name = f"projects/{self._project}/traces/{trace.trace_id}" if self._project else trace.trace_id
        said: dict[str, object] = {f"{_GOOGLE}trace": name, f"{_GOOGLE}trace_sampled": trace.sampled}
        return said | ({f"{_GOOGLE}spanId": trace.span_id} if trace.span_id else {})


class TerminalFormatter(logging.Formatter):
    """Time, level, event and fields in columns; nothing that would move the cursor."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        level = _severity(record)
        colour = _COLOURS.get(level)
        shown = f"{level.lower():8}"
        shown = f"\x1b[{colour}m{shown}\x1b[0m" if colour else shown
        own = _fields(record)
        said = {name: value for name, value in labels().items() if name in _ON_TERMINALS} | own
        fields = " ".join(f"{name}={_visible(str(_plain(value)))}" for name, value in said.items())
        line = f"{time} {shown} {_visible(redact(record.getMessage())):20} {fields}".rstrip()
        stack = _stack(record)
        return "\n".join([line, *map(_visible, stack.splitlines())]) if stack else line


def formatter_for(stream: TextIO, project: str | None = None) -> logging.Formatter:
    """Text for people where they look, JSON everywhere else."""
    return TerminalFormatter() if stream.isatty() else JsonFormatter(project)


def _severity(record: logging.LogRecord) -> str:
    """Cloud Logging's name; a level in between counts as the one below it."""
    return next((name for level, name in _SEVERITIES if record.levelno >= level), "DEBUG")


def _labels(fields: dict[str, object]) -> dict[str, str]:
    """As Cloud Logging wants them: texts. A field of a label's name is one, too."""
    own = {name: str(_plain(fields[name])) for name in LABELS if name in fields}
    said = {name: redact(value) for name, value in labels().items()}
    return said | own


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}  # by `extra=`
    given |= getattr(record, "fields", {})
    return {name: value for name, value in given.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):  # the others are no JSON
        return round(value, 3)
    return redact(message_of(value) if isinstance(value, BaseException) else str(_inside(value)))


def _inside(value: object) -> object:
    """Redacts the texts of a collection one by one: quoting them hides where they end."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {name: _inside(item) for name, item in value.items()}
        case list() | tuple():
            return [_inside(item) for item in value]
        case _:
            return value


def _visible(text: str) -> str:
    """What a terminal would act upon, and whatever would begin another line, as an escape sequence."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _stack(record: logging.LogRecord) -> str:
    exception: BaseException | None = getattr(record, "exception", None)
    if exception is None and record.exc_info:
        exception = record.exc_info[1]
    if exception is None:
        return ""
    lines = "\nwhich led to:\n\n".join(reversed([_traceback(one) for one in chain(exception)])).splitlines()
    return "\n".join(redact(line) for line in lines)


def _traceback(exception: BaseException) -> str:
    """As Python prints it, but for the message, which may quote values (see `message_of`)."""
    frames = "".join(traceback.format_tb(exception.__traceback__))
    said = f"{type(exception).__qualname__}: {message_of(exception)}"
    return f"Traceback (most recent call last):\n{frames}{said}\n"


def chain(exception: BaseException | None) -> Iterator[BaseException]:
    """The exception and what led to it, the last first."""
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen:
        seen.add(id(exception))
        yield exception
        hidden = exception.__cause__ is None and exception.__suppress_context__
        exception = None if hidden else exception.__cause__ or exception.__context__
