"""Reports cost a bounded wait and one line in the log, whatever becomes of them, and nothing when not asked for."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import threading
import time
from uuid import uuid4

import pytest

from functions import log
from functions.observer import NOBODY, All
from functions.reports import observer_for
from functions.settings import load_settings
from functions.tick_options import TickOptions
from functions.tick_report import TickReport
from functions.worker import Worker
from handlers.contract import Context, Job
from tests.unit.fakes import FakeQueue
from tests.unit.receivers import receiver
from tests.unit.support import Anything, Output, claimed, handler_of, tick

PROJECT = {"K_SERVICE": "x", "SUPABASE_URL": "http://supabase.test", "SUPABASE_SECRET_KEY": "sb_secret_x"}


def fails(_job: Job[Anything], _ctx: Context) -> Output:
    raise ValueError("x")


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    log.configure("WARNING", stream)
    return stream


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def complaints(stream: io.StringIO) -> list[str]:
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    return sorted(one["message"] for one in events if one["message"].endswith(("_reported", "_sent")))


def ticks_of_a_worker(
    url: str, dsn: str, monkeypatch: pytest.MonkeyPatch, *, stopping: bool = False
) -> list[float]:
    """Seconds that each of three ticks took, in which a job fails; reports go to that receiver."""
    settings = load_settings({**PROJECT, "SENTRY_DSN": dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": url})
    observer = observer_for(settings)
    worker = Worker(settings, observer)

    def one_failing_job(*_: object, **__: object) -> TickReport:
        return tick(FakeQueue([claimed(1)]), handler_of(fails), observer=observer)

    monkeypatch.setattr("functions.worker.run_tick", one_failing_job)
    stop, took = threading.Event(), []
    if stopping:
        stop.set()
    for _ in range(3):
        began = time.monotonic()
        assert worker.tick(TickOptions(), stop=stop).failed == 1
        took.append(time.monotonic() - began)
    worker.close()
    threading.Thread(target=observer.close, daemon=True).start()  # it may wait for the receiver, too
    return took


def test_what_a_tick_reports_has_arrived_before_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as to:
        settings = load_settings(
            {**PROJECT, "SENTRY_DSN": to.dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": f"{to.url}/"}
        )
        observer = observer_for(settings)
        worker = Worker(settings, observer)
        report = TickReport(uuid4())

        def one_failing_job(*_: object, **__: object) -> TickReport:
            tick(FakeQueue([claimed(1)]), handler_of(fails), observer=observer)
            return report

        monkeypatch.setattr("functions.worker.run_tick", one_failing_job)
        assert worker.tick(TickOptions(), stop=threading.Event()) is report
        assert sorted(path for path, _, _ in to.requests) == ["/api/42/envelope/", "/v1/traces"]
        worker.close()
        observer.close()


def test_a_receiver_that_is_gone_costs_little_time_and_one_line(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, closed_port: int
) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    took = ticks_of_a_worker(url, f"http://{'0' * 32}@127.0.0.1:{closed_port}/42", monkeypatch)
    assert max(took) < 2.5
    assert set(complaints(stream)) == {"failures_not_reported", "traces_not_sent"}
    assert len(complaints(stream)) == 2


def test_a_receiver_that_hangs_keeps_no_tick_from_its_answer(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    with receiver(hangs=True) as to:
        took = ticks_of_a_worker(to.url, to.dsn, monkeypatch, stopping=True)
    assert max(took) < 1.5
    assert complaints(stream) == ["failures_not_reported", "traces_not_sent"]


def test_a_receiver_that_refuses_is_complained_of_once(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO
) -> None:
    with receiver() as to:
        to.status = 401
        ticks_of_a_worker(to.url, to.dsn, monkeypatch)
    assert "traces_not_sent" in complaints(stream)
    assert len(complaints(stream)) == len(set(complaints(stream)))


@pytest.mark.parametrize(
    ("variable", "value", "module", "extra"),
    [
        ("SENTRY_DSN", "https://abc@o1.ingest.sentry.io/1", "sentry_sdk", "sentry"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", "opentelemetry", "otel"),
    ],
)
def test_a_variable_without_its_extra_is_an_error_in_the_log_and_no_crash(
    variable: str, value: str, module: str, extra: str
) -> None:
    program = f"""
import sys
sys.modules[{module!r}] = None
from functions import log
from functions.observer import NOBODY
from functions.reports import observer_for
from functions.settings import load_settings
log.configure()
assert observer_for(load_settings({{"K_SERVICE": "x", {variable!r}: {value!r}}})) is NOBODY
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    event = json.loads(run.stdout)
    assert (event["severity"], event["message"]) == ("ERROR", "reports_unusable")
    assert variable in event["error"]
    assert f"crontick[{extra}]" in event["error"]


def test_a_dsn_that_is_none_is_an_error_that_does_not_quote_it(stream: io.StringIO) -> None:
    settings = load_settings({"K_SERVICE": "x", "SENTRY_DSN": "my-private-dsn"})
    assert observer_for(settings) is NOBODY
    assert "SENTRY_DSN cannot be used" in stream.getvalue()
    assert "my-private-dsn" not in stream.getvalue()


def test_nothing_is_loaded_that_the_settings_do_not_ask_for() -> None:
    program = """
import sys
import functions.main
from functions.observer import NOBODY
from functions.reports import observer_for
from functions.settings import load_settings
assert observer_for(load_settings({"K_SERVICE": "x"})) is NOBODY
print(sorted({"sentry_sdk", "opentelemetry", "google.protobuf", "urllib3"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_both_may_observe_the_same_tick() -> None:
    with receiver() as to:
        settings = load_settings(
            {"K_SERVICE": "x", "SENTRY_DSN": to.dsn, "OTEL_EXPORTER_OTLP_ENDPOINT": to.url}
        )
        observer = observer_for(settings)
        assert isinstance(observer, All)
        observer.close()
