"""How an event becomes a line: JSON in the shape of Cloud Logging, or readable text for a terminal.

Whatever text it is made of is redacted here, wherever it came from.
"""

from __future__ import annotations

import json
import logging
import math
import traceback
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TextIO

from functions import trace_context
from functions.log_labels import LABELS, labels
from functions.redact import message_of, redact

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "fields", "exception", "taskName"}
_SEVERITIES = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))
_GOOGLE = "logging.googleapis.com/"
_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
_ON_TERMINALS = ("job_id", "type")  # of the labels: the others would fill the line

# Cloud Logging takes no entry above 256 KiB, and a character is up to six bytes of JSON.
_FIELDS_CHARACTERS = 10_000  # of all fields together
_STACK_CHARACTERS = 30_000
MOST_EXCEPTIONS = 20  # of a chain or a group
_MOST_ITEMS = 100  # of a collection
_DEEPEST = 6  # and of those inside it
_LONGEST_NUMBER = 2**63  # of Cloud Logging's numbers; Python itself refuses to print much longer ones
_LINE_BREAKS = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}  # that JSON leaves as they are


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the keys that Cloud Logging looks for."""

    def __init__(self, project: str | None = None) -> None:
        """With a Google Cloud `project` its log viewer links the line with the trace."""
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        line: dict[str, object] = _bounded(fields) | {
            "severity": _severity(record),
            "message": _message(record),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if record.name != "functions":
            line["logger"] = record.name
        if found := _labels(fields):
            line[f"{_GOOGLE}labels"] = found
        line |= self._trace()
        if stack := _stack(record):
            line["stack_trace"] = stack
        return json.dumps(line, ensure_ascii=False).translate(_LINE_BREAKS)

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
        line = f"{time} {shown} {_visible(_message(record)):20} {fields}".rstrip()
        stack = _stack(record)
        return "\n".join([line, *map(_visible, stack.splitlines())]) if stack else line


def formatter_for(stream: TextIO, project: str | None = None) -> logging.Formatter:
    """Text for people where they look, JSON everywhere else."""
    return TerminalFormatter() if stream.isatty() else JsonFormatter(project)


def _message(record: logging.LogRecord) -> str:
    """Whatever was meant, if it cannot be put together: `logging` would print the arguments as they are."""
    try:
        return redact(record.getMessage())
    except Exception:
        return redact(record.msg) if isinstance(record.msg, str) else "(a message that cannot be printed)"


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


def _bounded(fields: dict[str, object]) -> dict[str, object]:
    """The fields as JSON has them, as far as they fit into one line."""
    room = _FIELDS_CHARACTERS
    said: dict[str, object] = {}
    for name, value in fields.items():
        plain = _plain(value)
        if isinstance(plain, str):
            plain = plain[:room]
            room -= len(plain)
        if room <= 0:
            return said | {"cut": "there were more fields than a line may hold"}
        room -= len(name)
        said[name] = plain
    return said


def _plain(value: object) -> object:
    if isinstance(value, bool | int) and abs(value) < _LONGEST_NUMBER:
        return value
    if isinstance(value, float) and math.isfinite(value):  # the others are no JSON
        return round(value, 3)
    if isinstance(value, BaseException):
        return redact(message_of(value))
    try:
        return redact(str(_inside(value)))
    except Exception:
        return f"(a {type(value).__name__} that cannot be printed)"


def _inside(value: object, depth: int = 0) -> object:
    """Redacts the texts of a collection one by one: quoting them hides where they end."""
    match value:
        case str():
            return redact(value)
        case dict() | list() | tuple() if depth > _DEEPEST:
            return "..."
        case dict():
            return {name: _inside(item, depth + 1) for name, item in islice(value.items(), _MOST_ITEMS)}
        case list() | tuple():
            return [_inside(item, depth + 1) for item in islice(value, _MOST_ITEMS)]
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
    told = reversed([_traceback(one) for one in islice(chain(exception), MOST_EXCEPTIONS)])
    stack = "\n".join(redact(line) for line in "\nwhich led to:\n\n".join(told).splitlines())
    return stack if len(stack) <= _STACK_CHARACTERS else "..." + stack[-_STACK_CHARACTERS:]


def _traceback(exception: BaseException) -> str:
    """As Python prints it, but for the message, which may quote values (see `message_of`)."""
    frames = "".join(traceback.format_tb(exception.__traceback__))
    said = f"{type(exception).__qualname__}: {message_of(exception)}"
    return f"Traceback (most recent call last):\n{frames}{said}\n"


def chain(exception: BaseException | None) -> Iterator[BaseException]:
    """The exception and what led to it, the last first: the exceptions of a group, causes and contexts."""
    seen: set[int] = set()
    waiting = deque([exception])
    while waiting:
        one = waiting.popleft()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        hidden = one.__cause__ is None and one.__suppress_context__
        waiting.append(None if hidden else one.__cause__ or one.__context__)
