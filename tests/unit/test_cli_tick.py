"""`crontick tick`, against an HTTP that answers as the function does."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from functions.cli import connection
from tests.unit.cli_calls import FUNCTION, crontick

pytestmark = pytest.mark.usefixtures("configured_function")


def tick_answer(**changes: object) -> dict[str, object]:
    result = {"id": 17, "status": "done", "attempts": 1, "lastError": None}
    return {"status": "ok", "processed": 1, "succeeded": 1, "failed": 0, "results": [result]} | changes


def test_tick_sends_the_secret_and_its_options_and_shows_the_results(http: respx.MockRouter) -> None:
    route = http.post(FUNCTION).respond(json=tick_answer())
    done = crontick(
        "tick", "--limit", "5", "--delay", "100", "--types", "create_cards, analyze_file", "--no-drain"
    )
    assert done.exit_code == 0
    assert "17" in done.output
    request = route.calls.last.request
    assert request.headers["x-job-runner-secret"] == "open sesame"
    assert json.loads(request.content) == {
        "limit": 5,
        "delay": 100,
        "types": ["create_cards", "analyze_file"],
        "force": False,
        "drain": False,
    }


def test_tick_prints_nothing_but_json_when_asked(http: respx.MockRouter) -> None:
    http.post(FUNCTION).respond(json=tick_answer())
    answer: Any = tick_answer()
    for result in answer["results"]:
        result["reusedFrom"] = None
    assert json.loads(crontick("tick", "--json").stdout) == answer


def test_tick_uses_the_cron_secret_when_there_is_no_other(
    http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOB_QUEUE_RUNNER_SECRET")
    monkeypatch.setenv("CRON_SECRET", "tick tock")
    route = http.post(FUNCTION).respond(json=tick_answer())
    assert crontick("tick").exit_code == 0
    assert route.calls.last.request.headers["Authorization"] == "Bearer tick tock"


def test_a_failed_job_makes_tick_fail(http: respx.MockRouter) -> None:
    http.post(FUNCTION).respond(json=tick_answer(succeeded=0, failed=1))
    done = crontick("tick")
    assert done.exit_code == 1
    assert "1 of 1 jobs did not succeed" in done.stderr


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401), "compare JOB_QUEUE_RUNNER_SECRET"),
        (httpx.Response(503, json={"status": "error", "error": "no database"}), "no database"),
        (httpx.Response(200, text="<html>"), "not as a tick does"),
        (httpx.ConnectError("connection refused"), "cannot reach the function"),
    ],
)
def test_tick_says_what_is_wrong_and_what_to_do(
    http: respx.MockRouter, answer: httpx.Response | Exception, said: str
) -> None:
    http.post(FUNCTION).mock(side_effect=[answer])
    done = crontick("tick")
    assert done.exit_code == 1
    assert said in done.stderr
    assert "open sesame" not in done.output


def test_a_local_supabase_of_the_repository_is_found_from_another_folder(
    http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("JOB_QUEUE_WORKER_ENDPOINT", "JOB_QUEUE_RUNNER_SECRET"):
        monkeypatch.delenv(name)
    repository = tmp_path / "repository"
    (repository / ".local").mkdir(parents=True)
    (repository / ".local" / "env").write_text(
        f"SUPABASE_URL=http://supabase.test\nJOB_QUEUE_WORKER_ENDPOINT={FUNCTION}\nJOB_QUEUE_RUNNER_SECRET=local\n"
    )
    monkeypatch.setattr(connection, "REPOSITORY", repository)
    route = http.post(FUNCTION).respond(json=tick_answer())
    assert crontick("tick").exit_code == 0
    assert route.calls.last.request.headers["x-job-runner-secret"] == "local"


class Worker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(tick_answer()).encode())

    def log_message(self, *_: object) -> None:
        """Silent."""


def test_tick_calls_a_function_of_this_machine_past_every_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), Worker) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("JOB_QUEUE_WORKER_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
        done = crontick("tick")
        server.shutdown()
        thread.join()
    assert (done.exit_code, done.stderr) == (0, "")


def test_the_secret_of_a_local_supabase_never_travels_to_a_function_that_the_environment_names(
    http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JOB_QUEUE_RUNNER_SECRET")
    monkeypatch.setenv("CRON_SECRET", "tick tock")
    repository = tmp_path / "repository"
    (repository / ".local").mkdir(parents=True)
    (repository / ".local" / "env").write_text("JOB_QUEUE_RUNNER_SECRET=local\n")
    monkeypatch.setattr(connection, "REPOSITORY", repository)
    route = http.post(FUNCTION).respond(json=tick_answer())
    assert crontick("tick").exit_code == 0
    assert "x-job-runner-secret" not in route.calls.last.request.headers
