"""The commands that talk to a project, against an HTTP that answers as Supabase does."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from typer.main import get_command

from functions.cli import app
from tests.unit.cli_calls import URL, crontick
from tests.unit.cli_rows import file_status, job

pytestmark = pytest.mark.usefixtures("configured")


def test_every_command_has_help_with_an_example() -> None:
    commands = sorted(getattr(get_command(app), "commands", {}))
    assert len(commands) == len(app.registered_commands) == 21
    for name in commands:
        shown = crontick(name, "--help")
        assert shown.exit_code == 0
        assert "Example:" in shown.output
        assert f"crontick {name}" in shown.output.split("Example:")[1]


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("JOB_QUEUE_WORKER_ENDPOINT", ["tick"]),
        ("JOB_QUEUE_RUNNER_SECRET", ["tick"]),
        ("SUPABASE_URL", ["status"]),
        ("SUPABASE_SECRET_KEY", ["run"]),
    ],
)
def test_a_missing_variable_is_named_with_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, variable: str, command: list[str]
) -> None:
    monkeypatch.delenv(variable)
    done = crontick(*command)
    assert done.exit_code == 2
    assert variable in done.stderr
    assert done.stdout == ""


def test_enqueue_reads_its_payload_from_a_file_and_tells_the_job(
    http: respx.MockRouter, tmp_path: Path
) -> None:
    answer = {"job_id": 7, "created": True, "status": "queued"}
    route = http.post(f"{URL}/rest/v1/rpc/enqueue_job").respond(json=answer)
    (tmp_path / "p.json").write_text('{"week": 46}')
    done = crontick("enqueue", "send_digest", "--org", "demo", "--payload", "@p.json", "--key", "k", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == answer
    sent = json.loads(route.calls.last.request.content)
    assert (sent["type"], sent["org_id"], sent["payload"], sent["run_at"]) == (
        "send_digest",
        "demo",
        {"week": 46},
        None,
    )


def test_enqueue_reads_its_payload_from_stdin(http: respx.MockRouter) -> None:
    answer = {"job_id": 7, "created": False, "status": "processing"}
    route = http.post(f"{URL}/rest/v1/rpc/enqueue_job").respond(json=answer)
    done = crontick("enqueue", "t", "--org", "demo", "--payload", "-", "--delay", "60", stdin='{"a": 1}')
    assert "already there: job 7" in done.stdout
    sent = json.loads(route.calls.last.request.content)
    assert sent["payload"] == {"a": 1}
    assert sent["run_at"] is not None


@pytest.mark.parametrize(
    ("options", "sent"), [([], 3), (["--max-attempts", "7"], 7)], ids=["setting", "option"]
)
def test_attempts_are_the_settings_unless_the_caller_names_some(
    http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, options: list[str], sent: int
) -> None:
    monkeypatch.setenv("JOB_MAX_ATTEMPTS", "3")
    answer = {"job_id": 7, "created": True, "status": "queued"}
    route = http.post(f"{URL}/rest/v1/rpc/enqueue_job").respond(json=answer)
    assert crontick("enqueue", "t", "--org", "demo", *options).exit_code == 0
    assert json.loads(route.calls.last.request.content)["max_attempts"] == sent


@pytest.mark.parametrize(("value", "interval_ms"), [(None, 5000), ("250", 250)])
def test_the_poller_pauses_as_long_as_the_variable_says(
    value: str | None, interval_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value:
        monkeypatch.setenv("JOB_POLL_INTERVAL_MS", value)
    asked: dict[str, Any] = {}
    command = sys.modules["functions.cli.run"]  # as an attribute of the package it is the function
    monkeypatch.setattr(command, "poll_forever", lambda _, **arguments: asked.update(arguments))
    assert crontick("run").exit_code == 0
    assert asked["interval_ms"] == interval_ms


def test_the_poller_is_refused_where_jobs_come_in_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_QUEUE_BACKEND", "cron")
    done = crontick("run")
    assert done.exit_code == 2
    assert "JOB_QUEUE_BACKEND=table" in done.stderr


@pytest.mark.parametrize("payload", ["{", "[1]", "@missing.json", '"text"'])
def test_a_payload_that_is_no_object_is_wrong_usage(payload: str) -> None:
    assert crontick("enqueue", "t", "--org", "demo", "--payload", payload).exit_code == 2


def test_what_the_database_refuses_is_passed_on(http: respx.MockRouter) -> None:
    refusal = {"code": "22023", "message": "type Bad-Type is not a job type", "hint": None, "details": None}
    http.post(f"{URL}/rest/v1/rpc/enqueue_job").respond(400, json=refusal)
    done = crontick("enqueue", "Bad-Type", "--org", "demo")
    assert done.exit_code == 1
    assert "Bad-Type is not a job type" in done.stderr


def mock_upload(http: respx.MockRouter, status: str, error: str | None = None) -> respx.Route:
    found = file_status(path="demo/n.md", status=status, jobs=[job(status=status, error=error)])
    http.get(f"{URL}/storage/v1/object/info/ingest/demo/n.md").respond(json={"version": "v1"})
    http.get(f"{URL}/rest/v1/file_status").respond(json=[found.model_dump(mode="json")])
    return http.post(f"{URL}/storage/v1/object/ingest/demo/n.md").respond(json={"Key": "ingest/demo/n.md"})


def test_upload_stores_over_what_is_there_and_finds_the_file_by_its_version(
    http: respx.MockRouter, tmp_path: Path
) -> None:
    (tmp_path / "n.md").write_text("# Ice")
    route = mock_upload(http, "waiting")
    done = crontick("upload", "n.md", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["files"][0]["file_id"] == 1
    assert route.calls.last.request.headers["x-upsert"] == "true"
    assert b"text/markdown" in route.calls.last.request.content
    lookups = [
        call.request.url.params for call in http.calls if call.request.url.path.endswith("file_status")
    ]
    assert lookups[0]["version"] == "eq.v1"


def test_upload_and_wait_fails_when_a_file_does_and_names_it(http: respx.MockRouter, tmp_path: Path) -> None:
    (tmp_path / "n.md").write_text("")
    mock_upload(http, "failed", "the text is empty")
    http.get(f"{URL}/rest/v1/jobs").respond(json=[])
    done = crontick("upload", "n.md", "--wait")
    assert done.exit_code == 1
    assert "n.md: failed, analyze_file: the text is empty" in done.stderr


def test_upload_says_when_the_bucket_is_missing(http: respx.MockRouter, tmp_path: Path) -> None:
    (tmp_path / "n.md").write_text("# Ice")
    refusal = {"statusCode": "404", "error": "Bucket not found", "message": "Bucket not found"}
    http.post(f"{URL}/storage/v1/object/nope/demo/n.md").respond(400, json=refusal)
    done = crontick("upload", "n.md", "--bucket", "nope")
    assert done.exit_code == 1
    assert "Bucket not found" in done.stderr


def test_a_project_that_cannot_be_reached_is_named(http: respx.MockRouter, tmp_path: Path) -> None:
    (tmp_path / "n.md").write_text("# Ice")
    http.route().mock(side_effect=httpx.ConnectError("connection refused"))
    done = crontick("upload", "n.md")
    assert done.exit_code == 1
    assert f"cannot reach Supabase at {URL}" in done.stderr


@pytest.mark.parametrize(
    "command", [["status"], ["upload", "n.md"], ["enqueue", "t", "--org", "demo"], ["run"]]
)
def test_without_a_project_the_first_advice_is_to_start_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "n.md").write_text("# Ice")
    monkeypatch.delenv("SUPABASE_URL")
    done = crontick(*command)
    assert done.exit_code == 2
    # Quoted, when the environment stands in a folder with a blank and is not activated.
    assert re.search(r"crontick'? up.*API settings", done.stderr, re.DOTALL)


def test_the_version_is_the_installed_packages() -> None:
    assert crontick("--version").stdout == f"crontick {version('crontick')}\n"
