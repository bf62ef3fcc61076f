from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from functions.cli import local
from functions.cli.local import Leg, OutdatedData
from functions.cli.terminal import Misuse, Problem
from scripts.local_supabase.__main__ import keep_this_machine_off_proxies

FACTS = {
    "leg": "wheel",
    "directory": "/somewhere/.local",
    "url": "http://127.0.0.1:54321",
    "publishable_key": "sb_publishable_x",
    "secret_key": "sb_secret_x",
    "function_url": "http://127.0.0.1:8080/",
    "log_directory": "/somewhere/.local/wheel/logs",
    "a_newer_field": 1,
}
ANNOUNCE = f"print({json.dumps(FACTS)!r}, flush=True)\n"
FOLLOW = "import sys; sys.stdin.read(); open('stopped', 'w').close()\n"

Program = Callable[[str], Path]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a program in the place of `scripts.local_supabase`; returns the folder that it runs in."""

    def put(source: str) -> Path:
        package = tmp_path / "scripts" / "local_supabase"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").touch()  # else the real package of that name would win
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(source)
        monkeypatch.setattr(local, "REPOSITORY", tmp_path)
        return tmp_path

    return put


def start(on_line: Callable[[str], None] = lambda _: None) -> None:
    with local.started(Leg.wheel, "2 seconds", Path("/data"), on_line):
        pass


def interrupted_by(number: signal.Signals) -> None:
    with local.started(Leg.wheel, "2 seconds", Path("/data"), lambda _: None):
        os.kill(os.getpid(), number)


def test_the_stack_is_told_what_to_start_and_stops_with_the_block(program: Program) -> None:
    folder = program("import sys; open('arguments', 'w').write(' '.join(sys.argv[1:]))\n" + ANNOUNCE + FOLLOW)
    with local.started(Leg.debian, "* * * * *", Path("/data"), lambda _: None) as (supabase, process):
        process.require_running()
        assert supabase.url == FACTS["url"]
        assert supabase.env_file == Path("/somewhere/.local/env")
        assert not (folder / "stopped").exists()
    assert (folder / "stopped").exists()
    expected = "up --directory /data --leg debian --tick-schedule * * * * * --follow-stdin"
    assert (folder / "arguments").read_text() == expected


def test_a_stack_that_does_not_start_is_quoted(program: Program) -> None:
    program("import sys; sys.exit('another local Supabase runs in this directory')\n")
    with pytest.raises(Problem) as caught:
        start()
    assert "did not start" in caught.value.what
    assert "another local Supabase runs" in caught.value.what


def test_a_stack_that_ends_by_itself_is_noticed(program: Program) -> None:
    program(ANNOUNCE + "import sys; sys.exit('postgres is gone')\n")
    with local.started(Leg.wheel, "2 seconds", Path("/data"), lambda _: None) as (_, process):
        process._process.wait(timeout=10)
        with pytest.raises(Problem, match="postgres is gone"):
            process.require_running()


def test_what_the_stack_says_is_passed_on_without_control_characters(program: Program) -> None:
    program(
        r"import sys; print('fetching \x1b[31mPostgREST', file=sys.stderr, flush=True)"
        + "\n"
        + ANNOUNCE
        + FOLLOW
    )
    lines: list[str] = []
    start(lines.append)
    assert lines == ["fetching \N{REPLACEMENT CHARACTER}[31mPostgREST"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_block_and_the_stack_in_its_own_order(
    program: Program, number: signal.Signals
) -> None:
    folder = program(ANNOUNCE + FOLLOW)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        interrupted_by(number)
    assert (folder / "stopped").exists()
    assert signal.getsignal(number) == before


def test_an_installed_package_without_the_repository_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "REPOSITORY", tmp_path)
    with pytest.raises(Misuse, match="no local Supabase"):
        start()


def test_a_reset_that_fails_says_why(program: Program) -> None:
    program("import sys; sys.exit('permission denied')\n")
    with pytest.raises(Problem, match="permission denied"):
        local.reset(Path("/data"))


def test_only_the_wheel_leg_ticks_by_the_second() -> None:
    assert local.default_schedule(Leg.wheel) == "2 seconds"
    assert local.default_schedule(Leg.debian) == "* * * * *"


def test_data_that_other_files_made_is_told_apart_and_the_way_out_can_be_typed(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("import sys; print('20_x.sql has changed', file=sys.stderr); sys.exit(3)\n")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OutdatedData, match=r"20_x\.sql has changed") as caught:
        start()
    path, *arguments = caught.value.advice.rpartition(": ")[2].split()
    assert Path(path).samefile(Path(sys.executable).with_name("crontick"))
    assert arguments == ["reset", "--directory", "/data"]
    assert local.reset_command(local.REPOSITORY / ".local").endswith("crontick reset")


def test_a_stack_that_somebody_else_stopped_did_not_fail(program: Program) -> None:
    program(ANNOUNCE + "import sys; print('A reset stops it.', file=sys.stderr)\n")
    with local.started(Leg.wheel, "2 seconds", Path("/data"), lambda _: None) as (_, process):
        process._process.wait(timeout=10)
        with pytest.raises(Problem) as caught:
            process.require_running()
    assert caught.value.what == "the local Supabase was stopped:\n  A reset stops it."


def test_a_reset_may_be_of_one_leg(program: Program) -> None:
    folder = program("import sys; open('arguments', 'w').write(' '.join(sys.argv[1:]))\n")
    local.reset(Path("/data"), Leg.debian)
    assert (folder / "arguments").read_text() == "reset --directory /data --leg debian"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (None, "", "127.0.0.1,localhost"),
        ("NO_PROXY", "intra.net", "intra.net,127.0.0.1,localhost"),
        ("no_proxy", "*", "*"),
    ],
)
def test_what_the_stack_starts_goes_past_proxies_to_this_machine(
    monkeypatch: pytest.MonkeyPatch, name: str | None, value: str, expected: str
) -> None:
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "")
    if name:
        monkeypatch.setenv(name, value)
    keep_this_machine_off_proxies()
    assert os.environ["no_proxy"] == expected
