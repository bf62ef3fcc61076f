"""`crontick reset`: it says what it stops and deletes, and asks before it does."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from functions.cli import app, local, stack
from functions.cli.local import Leg
from functions.cli.stack import _question


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in ("wheel", "postgrest"):
        (tmp_path / name).mkdir()
    return tmp_path


def reset(*options: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["reset", *options], input=answer)


def test_reset_asks_nobody_where_nobody_can_answer() -> None:
    done = reset()
    assert done.exit_code == 2
    assert "--yes" in done.stderr


def test_the_question_names_the_data_and_nothing_else(directory: Path) -> None:
    assert _question(directory) == f"Delete {directory / 'wheel'}?"


def test_the_question_says_that_what_runs_will_be_stopped(directory: Path) -> None:
    with (directory / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "running there and will be stopped" in _question(directory)
    assert "stopped" not in _question(directory)


def test_a_no_deletes_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        is_terminal = True

    resets: list[Path] = []
    monkeypatch.setattr(local, "reset", lambda folder, *_legs: resets.append(folder))
    monkeypatch.setattr(stack, "console", lambda _json: Terminal())
    done = reset("--directory", str(directory), answer="n\n")
    assert (done.exit_code, resets) == (1, [])


def test_data_of_both_legs_is_named(directory: Path) -> None:
    (directory / Leg.debian).mkdir()
    assert local.data_folders(directory) == [directory / "wheel", directory / "debian"]
