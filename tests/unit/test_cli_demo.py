"""`crontick demo` and `crontick up`, with a program that only announces itself in the place of the stack."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import respx
from rich.console import Console
from typer.testing import CliRunner

from functions.cli import app, local
from functions.cli.demo import SAMPLES
from functions.cli.local import Leg, LocalSupabase, OutdatedData, Process
from functions.cli.stack import show_dashboard
from tests.unit.cli_rows import at, card, file_status, job, job_row, run

URL = "http://supabase.test"


class Running:
    """A stack that is up until somebody looks twice."""

    def require_running(self) -> None:
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def announced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Leg, str]]:
    starts: list[tuple[Leg, str]] = []

    @contextmanager
    def started(
        leg: Leg, schedule: str, directory: Path, _on_line: object
    ) -> Iterator[tuple[LocalSupabase, Process | Running]]:
        starts.append((leg, schedule))
        facts = LocalSupabase(
            leg=leg,
            directory=directory,
            url=URL,
            publishable_key="sb_publishable_x",
            secret_key="sb_secret_hush",
            function_url="http://function.test/",
            admin_url="http://admin.test",
            sign_in_url=f"{URL}/auth/v1/sign-in/hush",
            log_directory=directory,
        )
        yield facts, Running()

    monkeypatch.setattr(local, "started", started)
    monkeypatch.chdir(tmp_path)
    return starts


@pytest.fixture
def project() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        router.post(url__startswith=f"{URL}/storage/v1/object/ingest/").respond(json={"Key": "ingest/x"})
        router.get(url__startswith=f"{URL}/storage/v1/object/info/").respond(json={"version": "v1"})
        tables = {
            "jobs": [job_row(completed_at=at(2)).model_dump(mode="json")],
            "job_runs": [run(1, 2).model_dump(mode="json")],
            "cards": [card().model_dump(mode="json")],
            "thumbnails": [],
            "file_analyses": [],
        }
        for table, rows in tables.items():
            router.get(f"{URL}/rest/v1/{table}").respond(json=rows)
        yield router


def having(project: respx.MockRouter, status: str, error: str | None = None) -> None:
    row = file_status(path="demo/n.md", status=status, jobs=[job(status=status, error=error)])
    project.get(f"{URL}/rest/v1/file_status").respond(json=[row.model_dump(mode="json")])


def crontick(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout, done.stderr


def test_the_demo_ends_well_when_every_file_is_done_and_writes_a_report(
    project: respx.MockRouter, tmp_path: Path
) -> None:
    having(project, "done")
    (tmp_path / "n.md").write_text("# Ice")
    code, said, _ = crontick("demo", "n.md", "--report", "out/r.html")
    assert code == 0
    assert str(tmp_path / "out" / "r.html") in said.replace("\n", "")
    assert "What is ice?" in (tmp_path / "out" / "r.html").read_text()
    assert "1 file, 1 card, " in said


def test_the_demo_fails_with_the_file_and_its_error_and_still_writes_the_report(
    project: respx.MockRouter, tmp_path: Path
) -> None:
    having(project, "failed", "the PDF is encrypted")
    (tmp_path / "n.md").write_text("# Ice")
    code, said, error = crontick("demo", "n.md", "--report", "r.html", "--json")
    assert code == 1
    assert "n.md: failed, analyze_file: the PDF is encrypted" in error
    assert f"The report shows each error and its next step: {tmp_path / 'r.html'}" in error
    facts = json.loads(said)
    assert (facts["ok"], facts["files"][0]["status"], facts["files"][0]["cards"]) == (False, "failed", 1)
    assert Path(facts["report"]).exists()


def test_a_file_that_does_not_exist_is_said_before_anything_starts(announced: list[tuple[Leg, str]]) -> None:
    code, _, error = crontick("demo", "missing.pdf")
    assert code == 2
    assert "missing.pdf does not exist" in error
    assert announced == []


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_wrong_setting_is_said_before_anything_starts(
    announced: list[tuple[Leg, str]], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("THUMBNAIL_SIZES", "abc")
    code, _, error = crontick(command)
    assert (code, announced) == (2, [])
    assert error.startswith("error: THUMBNAIL_SIZES is wrong: ")
    assert "Traceback" not in error


def test_without_files_the_bundled_samples_travel() -> None:
    assert {path.suffix for path in SAMPLES.glob("*")} >= {".jpg", ".png", ".pdf", ".mp4", ".md"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], (Leg.wheel, "2 seconds")),
        (["--leg", "debian"], (Leg.debian, "* * * * *")),
        (["--schedule", "5 seconds"], (Leg.wheel, "5 seconds")),
    ],
)
def test_up_ticks_as_often_as_the_leg_can_unless_told_otherwise(
    announced: list[tuple[Leg, str]], options: list[str], expected: tuple[Leg, str]
) -> None:
    code, _, _ = crontick("up", *options)
    assert code == 0
    assert announced == [expected]


def test_up_never_shows_the_secret_key_or_a_way_in_where_it_is_logged(tmp_path: Path) -> None:
    for options in ([], ["--json"]):
        _, said, error = crontick("up", "--directory", str(tmp_path / "d"), *options)
        assert "hush" not in said + error
        assert "http://admin.test/dashboard" in said
    assert json.loads(said)["env_file"] == str(tmp_path / "d" / "env")


@pytest.fixture
def outdated(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Leg, ...]]:
    """Data that other migrations made, until a reset; the resets."""
    start = local.started
    resets: list[tuple[Leg, ...]] = []

    @contextmanager
    def started(*arguments: Any) -> Iterator[Any]:
        if not resets:
            raise OutdatedData("20_x.sql has changed", "Throw it away")
        with start(*arguments) as running:
            yield running

    monkeypatch.setattr(local, "started", started)
    monkeypatch.setattr(local, "reset", lambda _directory, *legs: resets.append(legs))
    return resets


def test_the_demo_starts_afresh_when_other_migrations_made_the_data_of_its_leg(
    project: respx.MockRouter, tmp_path: Path, outdated: list[tuple[Leg, ...]]
) -> None:
    having(project, "done")
    (tmp_path / "n.md").write_text("# Ice")
    code, said, _ = crontick("demo", "n.md", "--report", "r.html")
    assert code == 0
    assert "starting afresh" in said
    assert outdated == [(Leg.wheel,)]


def test_up_keeps_data_that_other_migrations_made(outdated: list[tuple[Leg, ...]]) -> None:
    code, _, error = crontick("up")
    assert (code, outdated) == (1, [])
    assert "has changed" in error


def test_a_name_that_is_not_utf8_reaches_report_and_json(project: respx.MockRouter, tmp_path: Path) -> None:
    having(project, "done")
    name = os.fsdecode(b"caf\xe9.md")
    (tmp_path / name).write_text("# Ice")
    code, said, _ = crontick("demo", name, "--report", "r.html", "--json")
    assert code == 0
    assert json.loads(said)["files"][0]["name"] == "caf\N{REPLACEMENT CHARACTER}.md"
    assert "caf\N{REPLACEMENT CHARACTER}.md" in (tmp_path / "r.html").read_text("utf-8")


def test_up_says_how_to_reach_the_database(tmp_path: Path) -> None:
    _, said, _ = crontick("up", "--directory", str(tmp_path))
    assert 'psql "$DATABASE_URL"' in said


def test_on_a_terminal_the_dashboard_can_be_opened_signed_in() -> None:
    screen = io.StringIO()
    with local.started(Leg.wheel, "2 seconds", Path(".local"), print) as (supabase, _):
        show_dashboard(supabase, Console(file=screen, force_terminal=True, width=40))
    assert f"{URL}/auth/v1/sign-in/hush" in screen.getvalue().replace("\n", "")


def test_without_the_jobs_api_no_dashboard_is_shown() -> None:
    screen = io.StringIO()
    with local.started(Leg.wheel, "2 seconds", Path(".local"), print) as (supabase, _):
        without = supabase.model_copy(update={"admin_url": None})
        show_dashboard(without, Console(file=screen, force_terminal=True))
    assert screen.getvalue() == ""
