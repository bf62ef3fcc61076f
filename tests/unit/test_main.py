"""The HTTP edge, as functions-framework serves it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import functions_framework
import pytest
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize, NoMoreData
from werkzeug.test import Client, TestResponse

from functions import log
from functions.errors import ConfigurationError, QueueUnavailable, RequestRefused
from functions.queue_rows import NewJob
from functions.tick_options import TickOptions
from functions.tick_report import JobReport, TickReport
from functions.worker import Worker
from tests.unit.receivers import receiver

SOURCE = Path(__file__).parents[2] / "functions/main.py"
SECRET = {"Authorization": "Bearer the-secret"}


class Ticks:
    """What the edge asked for, and what it is to be answered."""

    def __init__(self) -> None:
        self.asked: list[TickOptions] = []
        self.answer: TickReport | Exception = TickReport(uuid4())
        self.when_asked: Callable[[], None] = lambda: None

    def __call__(self, _: Worker, options: TickOptions, **__: Any) -> TickReport:
        self.asked.append(options)
        self.when_asked()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("K_SERVICE", "test")
    monkeypatch.setenv("CRON_SECRET", "the-secret")
    monkeypatch.setenv("SUPABASE_URL", "http://supabase.test")
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_x")
    return monkeypatch


@pytest.fixture
def ticks(environment: pytest.MonkeyPatch) -> Ticks:
    ticks = Ticks()
    environment.setattr(Worker, "tick", lambda *a, **k: ticks(*a, **k))
    return ticks


@pytest.fixture
def http(environment: pytest.MonkeyPatch) -> Iterator[Client]:
    environment.setattr(sys, "path", list(sys.path))
    yield Client(functions_framework.create_app(target="cron_tick", source=str(SOURCE)))
    sys.modules.pop("main", None)


def post(http: Client, body: object = None, **headers: str) -> TestResponse:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.post("/", data=content, headers={**SECRET, **headers})


def test_a_tick_is_answered_with_its_report(http: Client, ticks: Ticks) -> None:
    ticks.answer = TickReport(uuid4(), succeeded=1, results=[JobReport(17, "done", 1, None)])
    response = post(http, {"limit": 3, "delay": 500})
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json == {
        "status": "ok",
        "processed": 1,
        "succeeded": 1,
        "failed": 0,
        "results": [{"id": 17, "status": "done", "attempts": 1, "lastError": None}],
    }
    assert ticks.asked == [TickOptions(limit=3, delay_seconds=0.5)]


def test_a_request_without_a_body_runs_with_the_defaults(http: Client, ticks: Ticks) -> None:
    assert post(http).status_code == 200
    assert ticks.asked == [TickOptions(limit=10)]


def test_a_ping_says_who_answers_and_neither_works_nor_asks_the_database(
    http: Client, ticks: Ticks, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("TICK_BUDGET_SECONDS", "30")
    environment.delenv("SUPABASE_SECRET_KEY")  # without which no worker can be made
    before = datetime.now(UTC)

    response = post(http, {"ping": True})

    assert response.status_code == 200
    said = response.json or {}
    assert before <= datetime.fromisoformat(said.pop("time")) <= datetime.now(UTC)
    assert {"analyze_file", "create_cards", "create_thumbnail"} <= set(said.pop("job_types"))
    assert said == {
        "status": "ok",
        "ping": True,
        "version": version("crontick"),
        "budget_seconds": 30,
        "lease_seconds": 120,
        "unusable": [],
        "backend": "table",
        "project": "supabase.test",
    }
    assert ticks.asked == []


def test_a_ping_without_the_secret_is_refused_like_everything_else(http: Client, ticks: Ticks) -> None:
    assert http.post("/", data=b'{"ping": true}').status_code == 401


def test_the_other_header_opens_it_too(http: Client, ticks: Ticks) -> None:
    assert http.post("/", headers={"x-job-runner-secret": "the-secret"}).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"x" * 200_000])
def test_a_wrong_secret_is_401_without_a_body_whatever_was_sent(
    http: Client, ticks: Ticks, body: bytes
) -> None:
    response = http.post("/", data=body, headers={"Authorization": "Bearer wrong"})
    assert (response.status_code, response.data) == (401, b"")
    assert ticks.asked == []


def test_nothing_of_the_body_is_read_before_the_secret_is_right(http: Client, ticks: Ticks) -> None:
    class Unreadable(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

        readinto = read  # type: ignore[assignment]

    response = http.post("/", input_stream=Unreadable(), content_length=10)
    assert response.status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_answered_because_a_redirected_post_arrives_as_get(
    http: Client, ticks: Ticks, method: str
) -> None:
    response = http.open("/", method=method, headers=SECRET)
    assert (response.status_code, response.headers["Allow"], ticks.asked) == (405, "POST", [])


@pytest.mark.parametrize("path", ["/health", "/healthz", "/cron_tick"])
def test_other_paths_do_not_exist(http: Client, ticks: Ticks, path: str) -> None:
    assert http.post(path, headers=SECRET).status_code == 404
    assert ticks.asked == []


def test_a_wrong_field_is_named(http: Client, ticks: Ticks) -> None:
    response = post(http, {"limit": 1000})
    assert response.status_code == 400
    assert response.json == {"status": "error", "error": "limit: should be less than or equal to 100"}
    assert ticks.asked == []


def test_a_body_above_the_limit_is_refused(http: Client, ticks: Ticks) -> None:
    assert post(http, b" " * 65_537).status_code == 413
    assert post(http, b" " * 65_536).status_code == 200


def test_a_chunked_body_above_the_limit_is_refused(http: Client, ticks: Ticks) -> None:
    response = http.post(
        "/",
        input_stream=io.BytesIO(b" " * 70_000),
        headers=SECRET,
        environ_base={"wsgi.input_terminated": True},
    )
    assert response.status_code == 413


@pytest.mark.parametrize(
    "error", [InvalidChunkSize(b"zz"), ChunkMissingTerminator(b"zz"), NoMoreData()], ids=repr
)
def test_a_body_that_is_cut_off_or_wrongly_chunked_is_a_bad_request(
    http: Client, ticks: Ticks, error: Exception
) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise error

        readinto = read  # type: ignore[assignment]

    response = http.post(
        "/", input_stream=Broken(), headers=SECRET, environ_base={"wsgi.input_terminated": True}
    )
    assert (response.status_code, response.json) == (
        400,
        {"status": "error", "error": "body: could not be read"},
    )
    assert ticks.asked == []


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (QueueUnavailable("claim_jobs: cannot be reached"), 503, "claim_jobs: cannot be reached"),
        (QueueUnavailable("https://x?token=hidden"), 503, "https://x?..."),
        (RequestRefused("claim_jobs was refused"), 500, "claim_jobs was refused"),
        (RequestRefused("Bearer hidden"), 500, "Bearer ..."),
        (RequestRefused("payload: too large", sqlstate="22023"), 400, "payload: too large"),
        (ConfigurationError("SUPABASE_URL is not set"), 500, "SUPABASE_URL is not set"),
        (ValueError("internals"), 500, "the tick failed unexpectedly; the function's log says why"),
    ],
    ids=lambda value: repr(value),
)
def test_what_goes_wrong_is_an_answer_and_one_log_line(
    error: Exception,
    status: int,
    text: str,
    http: Client,
    ticks: Ticks,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ticks.answer = error
    response = post(http)
    assert (response.status_code, response.json) == (status, {"status": "error", "error": text})
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["severity"] == "ERROR"


def test_a_log_line_belongs_to_the_trace_of_its_request(
    http: Client, ticks: Ticks, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    ticks.answer = QueueUnavailable("the database is down")
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert post(http, traceparent=f"00-{trace}-b7ad6b7169203331-01").status_code == 503
    assert post(http, **{"X-Cloud-Trace-Context": f"{trace}/10;o=1"}).status_code == 503
    assert post(http).status_code == 503
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    name = f"projects/my-project/traces/{trace}"
    assert [line.get("logging.googleapis.com/trace") for line in lines] == [name, name, None]


@pytest.mark.parametrize("error", [ConfigurationError("SUPABASE_URL is not set"), ValueError("internals")])
def test_trouble_of_the_function_itself_is_reported_before_the_answer(
    error: Exception, http: Client, ticks: Ticks, environment: pytest.MonkeyPatch
) -> None:
    ticks.answer = error
    with receiver() as to:
        environment.setenv("SENTRY_DSN", to.dsn)
        assert post(http).status_code == 500
        (event,) = to.sentry_events()
        sys.modules["main"]._observer().close()
    assert event["level"] == "error"
    assert event["exception"]["values"][0]["value"] == str(error)


def test_a_secret_of_the_settings_is_in_no_line(
    http: Client, ticks: Ticks, capsys: pytest.CaptureFixture[str]
) -> None:
    ticks.answer = QueueUnavailable("somebody sent the-secret here")
    post(http)
    assert "somebody sent ... here" in capsys.readouterr().out


def test_a_job_in_the_body_is_run_where_the_backend_is_cron(
    http: Client, ticks: Ticks, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("JOB_QUEUE_BACKEND", "cron")
    assert post(http, {"type": "work", "orgId": "acme", "data": {"week": 46}}).status_code == 200
    assert post(http, {"limit": 3}).status_code == 200
    job: NewJob = {"type": "work", "org_id": "acme", "payload": {"week": 46}}
    assert ticks.asked == [TickOptions(start=job), TickOptions(limit=3)]


def test_a_job_in_the_body_is_refused_where_it_is_not(http: Client, ticks: Ticks) -> None:
    response = post(http, {"type": "work", "org_id": "acme"})
    assert response.status_code == 400
    assert "JOB_QUEUE_BACKEND=cron" in response.text
    assert ticks.asked == []


@pytest.mark.parametrize(("level", "lines"), [("info", 1), ("ERROR", 0)])
def test_log_level_decides_what_the_function_logs(
    level: str,
    lines: int,
    http: Client,
    ticks: Ticks,
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.setenv("LOG_LEVEL", level)
    ticks.answer = TickReport(uuid4())
    ticks.when_asked = lambda: log.info("tick_done")
    post(http)
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_a_misconfigured_function_tells_its_log_what_is_wrong_and_strangers_nothing(
    http: Client, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("TICK_CONCURRENCY", "many")
    response = http.post("/")
    assert response.status_code == 500
    assert "TICK_CONCURRENCY" not in response.text
    assert "TICK_CONCURRENCY" in capsys.readouterr().out


def test_a_caller_with_the_secret_is_told_which_variable_is_missing(
    http: Client, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("SUPABASE_URL")
    response = post(http)
    assert response.status_code == 500
    assert "SUPABASE_URL is not set" in response.text
