"""What a log line says about the job and the trace in whose course it is written."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from functions import log, trace_context
from functions.clock import SystemClock
from functions.log_labels import labelled
from functions.queue_rows import ClaimedJob, DeadLetter
from functions.runner import start_thread
from functions.tick import run_tick
from functions.tick_options import TickOptions
from functions.trace_context import TraceContext, parse_traceparent, trace_of_request
from handlers.contract import Context, Job
from tests.unit.fakes import FakeQueue
from tests.unit.support import Output, claimed, doing, handler_of, runner_for, tick

GOOGLE = "logging.googleapis.com/"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = f"00-{TRACE_ID}-b7ad6b7169203331-01"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    log.configure("DEBUG", stream, project="my-project")
    return stream


def events(stream: io.StringIO) -> dict[str, dict[str, Any]]:
    """By what they are called; the last of a name."""
    return {event["message"]: event for event in map(json.loads, stream.getvalue().splitlines())}


def complains(job: Job[Any], _ctx: Context) -> Output:
    logging.getLogger("handlers.mine").warning("page_unreadable", extra={"page": 3})
    if job.id == 2:
        raise ValueError("no such page")
    return Output()


def tick_of(*jobs: ClaimedJob) -> None:
    """One tick with real threads, in a request that belongs to a trace."""
    clock = SystemClock()
    with trace_context.belonging_to(parse_traceparent(TRACE)):
        run_tick(
            FakeQueue(list(jobs)),
            runner_for(handler_of(complains), clock),  # type: ignore[arg-type]
            TickOptions(),
            stop=threading.Event(),
            start=start_thread,
        )


def test_what_a_handler_logs_carries_its_job_and_the_trace_of_the_request(stream: io.StringIO) -> None:
    tick_of(claimed(7, org_id="acme", attempts=2, file_id=4))
    event = events(stream)["page_unreadable"]
    labels = event[f"{GOOGLE}labels"]
    assert labels.pop("tick") == events(stream)["tick_done"]["tick"]
    assert labels == {"job_id": "7", "type": "work", "org_id": "acme", "attempt": "2", "file_id": "4"}
    assert event["page"] == 3
    assert event[f"{GOOGLE}trace"] == f"projects/my-project/traces/{TRACE_ID}"
    assert event[f"{GOOGLE}spanId"] == "b7ad6b7169203331"
    assert event[f"{GOOGLE}trace_sampled"] is True


def test_jobs_that_run_side_by_side_keep_their_labels_apart(stream: io.StringIO) -> None:
    tick_of(claimed(1), claimed(2))
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    logged = {(event["message"], event[f"{GOOGLE}labels"].get("job_id")) for event in found}
    assert logged == {
        ("page_unreadable", "1"),
        ("page_unreadable", "2"),
        ("handler_raised", "2"),
        ("job_done", "1"),
        ("job_retry", "2"),
        ("tick_done", None),
    }
    assert {event[f"{GOOGLE}labels"]["tick"] for event in found} == {found[-1]["tick"]}


def test_a_job_that_its_worker_died_of_is_logged_by_whoever_claims_next(stream: io.StringIO) -> None:
    queue = FakeQueue([])
    queue.dead_letters = [
        DeadLetter(
            job_id=9,
            org_id="acme",
            type="ocr",
            attempts=0,
            max_attempts=5,
            crashes=3,
            error="the lease ran out",
        )
    ]
    tick(queue, doing(lambda: 1))
    event = events(stream)["job_died"]
    assert (event["severity"], event["crashes"], event["error"]) == ("ERROR", 3, "the lease ran out")
    assert event[f"{GOOGLE}labels"].items() >= {"job_id": "9", "type": "ocr", "org_id": "acme"}.items()


def test_labels_end_with_what_they_are_about(stream: io.StringIO) -> None:
    with labelled(job_id=7, file_id=None):
        pass
    log.info("idle")
    assert f"{GOOGLE}labels" not in events(stream)["idle"]


def test_a_label_is_text_without_secrets_and_a_field_of_its_name_wins(stream: io.StringIO) -> None:
    with labelled(job_id=7, org_id="https://a.co/?token=hidden"):
        log.info("said", job_id=8)
    assert events(stream)["said"][f"{GOOGLE}labels"] == {"job_id": "8", "org_id": "https://a.co/?..."}


def test_without_a_project_the_trace_is_told_by_its_id() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    with trace_context.belonging_to(parse_traceparent(TRACE)):
        log.info("said")
    assert events(stream)["said"][f"{GOOGLE}trace"] == TRACE_ID


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"traceparent": TRACE}, TraceContext(TRACE_ID, "b7ad6b7169203331", True)),
        ({"traceparent": TRACE[:-2] + "00"}, TraceContext(TRACE_ID, "b7ad6b7169203331", False)),
        ({"x-cloud-trace-context": f"{TRACE_ID}/10;o=1"}, TraceContext(TRACE_ID, "000000000000000a", True)),
        ({"x-cloud-trace-context": f"{TRACE_ID.upper()}/0;o=0"}, TraceContext(TRACE_ID, None, False)),
        ({"x-cloud-trace-context": TRACE_ID}, TraceContext(TRACE_ID, None, False)),
        ({"x-cloud-trace-context": f"{TRACE_ID}/{2**64};o=1"}, TraceContext(TRACE_ID, None, True)),
        (
            {"traceparent": TRACE, "x-cloud-trace-context": f"{'1' * 32}/1"},
            TraceContext(TRACE_ID, "b7ad6b7169203331", True),
        ),
        ({}, None),
        ({"traceparent": TRACE.upper()}, None),
        ({"traceparent": TRACE + "\n"}, None),
        ({"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}, None),
        ({"traceparent": f"00-{TRACE_ID}-{'0' * 16}-01"}, None),
        ({"traceparent": "\u0660\u0660-" + TRACE[3:]}, None),
        ({"x-cloud-trace-context": "x" * 100_000}, None),
        ({"x-cloud-trace-context": "0" * 32}, None),
    ],
)
def test_the_trace_of_a_request_is_read_and_what_is_none_is_none(
    headers: dict[str, str], expected: TraceContext | None
) -> None:
    assert trace_of_request(headers) == expected


def test_a_level_in_between_has_the_severity_below(stream: io.StringIO) -> None:
    logging.getLogger("handlers.mine").log(25, "notice")
    logging.getLogger("handlers.mine").critical("lost")
    assert [event["severity"] for event in events(stream).values()] == ["INFO", "CRITICAL"]


def test_on_a_terminal_a_line_is_short_and_moves_no_cursor() -> None:
    stream = Terminal()
    log.configure(stream=stream)
    with labelled(job_id=7, type="work", org_id="acme", tick="t"):
        log.info("said", path="a\x1b[2Jb\nseverity=ERROR")
    said = stream.getvalue()[9:]
    assert said == "info     said                 job_id=7 type=work path=a\\x1b[2Jb\\nseverity=ERROR\n"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    names = ("", "gunicorn.error", "gunicorn.access")
    kept = [(one := logging.getLogger(name), one.level, list(one.handlers), one.propagate) for name in names]
    yield logging.getLogger()
    for one, level, handlers, propagate in kept:
        one.handlers[:] = handlers
        one.setLevel(level)
        one.propagate = propagate


@pytest.mark.parametrize("name", ["gunicorn.error", "a.library"])
def test_the_servers_own_lines_and_those_of_libraries_have_the_same_shape(
    name: str, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.config.dictConfig(log.server_logging("my-project"))
    try:
        raise ValueError("Bearer abcdef")
    except ValueError:
        logging.getLogger(name).exception("Worker failed\nbadly")
    logging.getLogger(name).info("too small to be said")
    (line,) = capsys.readouterr().out.splitlines()
    event = json.loads(line)
    assert (event["severity"], event["message"], event["logger"]) == ("ERROR", "Worker failed\nbadly", name)
    assert "ValueError: Bearer ..." in event["stack_trace"]
