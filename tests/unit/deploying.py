"""Deploying to a stand-in of Google: a folder with an env file, and what the stand-in knows afterwards."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.deploy.__main__ import main
from scripts.deploy.gcloud import Program, run_gcloud
from tests.fixtures import gcloud_stand_in

SECRET_KEY = "sb_secret_" + "k" * 22
RUNNER_SECRET = "a runner's $ecret, \"quoted\" with = and 'more'"
ENV = {
    "SUPABASE_URL": "https://abcdefgh.supabase.co",
    "SUPABASE_SECRET_KEY": SECRET_KEY,
    "JOB_QUEUE_RUNNER_SECRET": RUNNER_SECRET,
}
RUN = ("cloud-run", "--project", "demo-project", "--region", "europe-west1")
QUOTED_QUOTE = "\\'"
FUNCTIONS = ("cloud-functions", *RUN[1:])


@dataclass(frozen=True)
class Done:
    """How a run ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Google:
    """The stand-in on the PATH, its state, and the folder that is deployed from."""

    folder: Path

    @classmethod
    def empty(cls, folder: Path) -> Google:
        programs = folder / "bin"
        programs.mkdir()
        program = shlex.join([sys.executable, "-I", "-S", str(gcloud_stand_in.__file__)])
        script = f'#!/bin/sh\nexec {program} "$@"\n'
        (programs / "gcloud").write_text(script)
        (programs / "gcloud").chmod(0o755)
        (folder / "state.json").write_text(json.dumps(gcloud_stand_in.EMPTY))
        google = cls(folder)
        google.write_env()
        return google

    @property
    def state(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return read

    def set(self, **parts: Any) -> None:
        (self.folder / "state.json").write_text(json.dumps(self.state | parts))

    def write_env(self, name: str = ".env", **values: str) -> None:
        given = {key: value for key, value in (ENV | values).items() if value}
        lines = [f"{key}='{value.replace(chr(39), QUOTED_QUOTE)}'\n" for key, value in given.items()]
        (self.folder / name).write_text("".join(lines))

    def deploy(
        self,
        *arguments: str,
        stdin: str = "",
        path: str | None = None,
        sleep: Callable[[float], None] = lambda _seconds: None,
        process: bool = False,
        program: Program | None = None,
    ) -> Done:
        """What deploy.sh starts, in this process, as the stand-in unless told otherwise; nobody is at a terminal."""
        said, complained = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(complained),
        ):
            patch.chdir(self.folder)
            patch.setenv("PATH", path or f"{self.folder / 'bin'}:/usr/bin:/bin")
            patch.setenv("GCLOUD_STAND_IN", str(self.folder / "state.json"))
            patch.setattr("sys.stdin", io.StringIO(stdin))
            try:
                code = main(arguments, sleep, program or (run_gcloud if process else self.answer))
            except SystemExit as stopped:  # argparse
                code = int(stopped.code or 0)
        return Done(code, said.getvalue(), complained.getvalue())

    def gcloud(self, *arguments: str) -> None:
        """What a person types."""
        done = self.answer(list(arguments), "")
        assert done.returncode == 0, done.stderr

    def answer(self, arguments: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        """The stand-in in this process."""
        printed, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
            code = gcloud_stand_in.main(arguments, self.folder / "state.json", stdin)
        return subprocess.CompletedProcess(arguments, code, printed.getvalue(), complained.getvalue())

    def changes(self) -> list[str]:
        """The commands that changed something, without their flags."""
        calls = (call for call in self.state["calls"] if call["changed"])
        return [" ".join(word for word in call["argv"] if not word.startswith("-")) for call in calls]

    def forget_calls(self) -> None:
        self.set(calls=[])

    def service(self, name: str = "crontick") -> dict[str, Any]:
        found: dict[str, Any] = self.state["services"][name]
        return found
