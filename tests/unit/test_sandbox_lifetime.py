"""When the sandbox's processes end: with their decoder, with the worker, and when they are told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from functions.sandbox import Sandbox
from handlers.contract import Outcome, Reject, Snooze
from tests.fixtures.sandboxes import HOSTILE, ROOT, eventually, is_gone, make_sandbox, parent_of


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_text("hello")
    return path


def left_behind(source: Path) -> int:
    """The process whose number a decoder wrote beside its source."""
    pid_file = source.parent / "pid"
    assert eventually(lambda: pid_file.exists() and pid_file.read_text() != "")
    return int(pid_file.read_text())


def warm(child_seconds: float, source: Path) -> Sandbox:
    """A sandbox in which the time of the first child goes to its decoder, on a busy machine too."""
    sandbox = make_sandbox(child_seconds, notes_beside=source)
    sandbox.run(HOSTILE + "well_behaved", source, timeout=30, seconds=20)
    return sandbox


def start_worker(decoder: str, source: Path) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from pathlib import Path; from tests.fixtures.sandboxes import make_sandbox\n"
        "source = Path(sys.argv[1])\n"
        "sandbox = make_sandbox(600, notes_beside=source)\n"
        f"sandbox.run('{HOSTILE}{decoder}', source, timeout=600)"
    )
    # A worker that is killed leaves its private folder behind: here below the test's own.
    environment = {**os.environ, "TMPDIR": str(source.parent)}
    return subprocess.Popen([sys.executable, "-c", program, str(source)], cwd=ROOT, env=environment)


def hears(verdict: type[Outcome], sandbox: Sandbox, decoder: str, source: Path, seconds: float = 600) -> str:
    with pytest.raises(verdict) as heard:
        sandbox.run(HOSTILE + decoder, source, timeout=seconds)
    return str(heard.value)


@contextmanager
def in_a_thread(work: Callable[[], str]) -> Iterator[list[str]]:
    """Runs `work` meanwhile; at the end the list holds what it returned."""
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(work()))
    thread.start()
    yield answers
    thread.join(timeout=20)
    assert answers


def close_while_it_runs(
    sandbox: Sandbox, decoder: str, source: Path, running: Callable[[], bool]
) -> list[str]:
    """What a job hears whose sandbox is closed under it."""
    with in_a_thread(lambda: hears(Snooze, sandbox, decoder, source)) as heard:
        assert eventually(running)
        sandbox.close()
    return heard


@pytest.mark.parametrize("decoder", ["forks", "escapes"])
def test_processes_a_decoder_leaves_behind_have_ended_when_its_answer_is_read(
    source: Path, decoder: str
) -> None:
    pid = make_sandbox(notes_beside=source).run(HOSTILE + decoder, source, timeout=30).facts["left_behind"]

    assert is_gone(pid)


@pytest.mark.parametrize(
    ("decoder", "seconds", "timeout", "reason"),
    [("escapes_and_dies", 20.0, 30.0, "crashed"), ("escapes_and_sleeps", 0.7, 1.5, "time limit")],
)
def test_they_end_too_when_the_decoder_does_not_answer(
    source: Path, decoder: str, seconds: float, timeout: float, reason: str
) -> None:
    sandbox = warm(seconds, source)
    with pytest.raises(Reject, match=reason):
        sandbox.run(HOSTILE + decoder, source, timeout=timeout)

    assert is_gone(left_behind(source))


def test_a_keeper_that_does_not_obey_is_killed_and_its_decoder_dies_with_it(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.sandbox_process.STOP_SECONDS", 0.1)
    sandbox = warm(1.5, source)

    with in_a_thread(lambda: hears(Reject, sandbox, "sleeps", source, seconds=1.6)) as heard:
        decoder = left_behind(source)
        os.kill(parent_of(decoder), signal.SIGSTOP)

    assert "time limit" in heard[0]
    assert eventually(lambda: is_gone(decoder))


@pytest.mark.parametrize("decoder", ["sleeps", "escapes_and_sleeps"])
def test_a_decoder_and_what_it_started_die_with_the_worker(source: Path, decoder: str) -> None:
    worker = start_worker(decoder, source)
    pid = left_behind(source)
    assert not is_gone(pid)

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()

    assert eventually(lambda: is_gone(pid))


def test_closing_stops_what_runs_and_sends_its_job_back_uncharged(source: Path) -> None:
    sandbox = make_sandbox(notes_beside=source)

    heard = close_while_it_runs(sandbox, "sleeps", source, (source.parent / "pid").exists)

    assert heard == ["the worker is stopping"]
    assert eventually(lambda: is_gone(left_behind(source)))
    with pytest.raises(Snooze):
        sandbox.run(HOSTILE + "well_behaved", source, timeout=30)


def test_closing_is_not_held_against_a_file_that_had_killed_one_child(source: Path) -> None:
    pid_file = source.parent / "pid"  # written by the second child

    heard = close_while_it_runs(
        make_sandbox(notes_beside=source), "dies_then_sleeps", source, pid_file.exists
    )

    assert heard == ["the worker is stopping"]
