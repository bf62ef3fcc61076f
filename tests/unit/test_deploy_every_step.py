"""Whatever call of gcloud loses its answer: that is said, and the same command again completes the deployment."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.unit.deploying import RUN, Google

LOST = "ERROR: (gcloud) There was a problem refreshing your current auth tokens: connection reset"


def folder(at: Path) -> Google:
    at.mkdir()
    return Google.empty(at)


def made(google: Google) -> dict[str, Any]:
    return {name: value for name, value in google.state.items() if name not in ("calls", "faults")}


def kind(call: dict[str, Any]) -> str:
    """`secrets create` and the like."""
    return " ".join([word for word in call["argv"] if not word.startswith("-")][:2])


class Failing:
    """The stand-in, whose call number `at` is carried out and fails all the same."""

    def __init__(self, google: Google, at: int) -> None:
        self.google, self.at, self.calls = google, at, 0

    def __call__(self, arguments: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        answer = self.google.answer(arguments, stdin)
        return subprocess.CompletedProcess(arguments, 1, "", LOST) if self.calls == self.at else answer


def test_the_same_command_again_completes_what_failed_anywhere(tmp_path: Path) -> None:
    clean = folder(tmp_path / "clean")
    assert clean.deploy(*RUN, "--admin", "--yes").returncode == 0
    calls = clean.state["calls"]
    first_of_each = {kind(call): at for at, call in reversed([*enumerate(calls, 1)]) if call["changed"]}
    assert len(first_of_each) > 5
    for at in [*first_of_each.values(), len(calls)]:
        google = folder(tmp_path / str(at))
        failed = google.deploy(*RUN, "--admin", "--yes", program=Failing(google, at))
        assert (failed.returncode, LOST in failed.stderr) == (1, True), calls[at - 1]
        again = google.deploy(*RUN, "--admin", "--yes")
        assert (again.returncode, made(google)) == (0, made(clean)), (calls[at - 1], again.stderr)
