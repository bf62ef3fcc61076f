"""The commands that talk to a project, against an HTTP that answers as Supabase and the function do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import respx
from typer.testing import CliRunner, Result

from functions.cli import app
from tests.unit.cli_rows import file_status, job

URL = "http://supabase.test"
FUNCTION = "http://function.test/"
HEALTH = {"processing_enabled": True, "counts": {"done": 3, "failed": 1}, "due": 0}


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUPABASE_URL", URL)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_x")
    monkeypatch.setenv("JOB_QUEUE_WORKER_ENDPOINT", FUNCTION)
    monkeypatch.setenv("JOB_QUEUE_RUNNER_SECRET", "open sesame")


@pytest.fixture
def http() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def crontick(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def tick_answer(**changes: object) -> dict[str, object]:
    result = {"id": 17, "status": "done", "attempts": 1, "lastError": None}
    return {"status": "ok", "processed": 1, "succeeded": 1, "failed": 0, "results": [result]} | changes


def test_every_command_has_help_with_an_example() -> None:
    commands = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert set(commands) == {"up", "upload", "tick", "run", "enqueue", "status", "reset", "demo"}
    for name in commands:
        shown = crontick(name, "--help")
        assert shown.exit_code == 0
        assert "Example:" in shown.output
        assert f"crontick {name}" in shown.output.split("Example:")[1]


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
    assert json.loads(crontick("tick", "--json").stdout) == tick_answer()


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


@pytest.mark.parametrize("payload", ["{", "[1]", "@missing.json", '"text"'])
def test_a_payload_that_is_no_object_is_wrong_usage(payload: str) -> None:
    assert crontick("enqueue", "t", "--org", "demo", "--payload", payload).exit_code == 2


def test_what_the_database_refuses_is_passed_on(http: respx.MockRouter) -> None:
    refusal = {"code": "22023", "message": "type Bad-Type is not a job type", "hint": None, "details": None}
    http.post(f"{URL}/rest/v1/rpc/enqueue_job").respond(400, json=refusal)
    done = crontick("enqueue", "Bad-Type", "--org", "demo")
    assert done.exit_code == 1
    assert "Bad-Type is not a job type" in done.stderr


def test_status_shows_dead_letters_with_their_error_and_next_step(http: respx.MockRouter) -> None:
    letter = {
        "id": 17,
        "org_id": "demo",
        "type": "create_cards",
        "attempts": 5,
        "last_error": "the PDF is \x1b[2Jencrypted",
    }
    letter |= {"completed_at": "2026-11-22T12:00:00Z", "file": {"bucket_id": "ingest", "path": "demo/a.pdf"}}
    files = [file_status(jobs=[job(status="queued", attempts=1, error="no network")]).model_dump(mode="json")]
    http.post(f"{URL}/rest/v1/rpc/queue_health").respond(json=HEALTH)
    http.get(f"{URL}/rest/v1/file_status").respond(json=files)
    http.get(f"{URL}/rest/v1/jobs").respond(json=[letter])
    done = crontick("status")
    assert done.exit_code == 0
    assert "encrypted" in done.stdout
    assert "\x1b[2J" not in done.stdout
    assert "select public.retry_job(17);" in done.stdout
    assert "will retry" in done.stdout
    as_json = json.loads(crontick("status", "--json").stdout)
    assert as_json["dead_letters"][0]["file"]["path"] == "demo/a.pdf"


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


def test_reset_asks_nobody_where_nobody_can_answer() -> None:
    done = crontick("reset")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
