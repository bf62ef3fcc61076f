"""Google's command line tool: what reads, what changes, and what its errors mean."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

from scripts.deploy.errors import DeployError, GcloudError

# As its commands say that something is not there, each in words of its own.
_NOT_FOUND = re.compile(
    r"NOT_FOUND|Cannot find (service|\w+) \[|Image not found|was not found|Unknown service account"
)


Program = Callable[[list[str], str], "subprocess.CompletedProcess[str]"]


def run_gcloud(arguments: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
    """The program itself, found on the PATH."""
    if shutil.which("gcloud") is None:
        raise DeployError("gcloud is not installed: see https://cloud.google.com/sdk/docs/install")
    settings = {"CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "1", "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    return subprocess.run(
        ["gcloud", *arguments], input=stdin, capture_output=True, text=True, env={**os.environ, **settings}
    )


class Gcloud:
    """Runs `gcloud`. A secret goes in through stdin only, and gcloud keeps no log file of what it prints."""

    def __init__(self, project: str | None = None, program: Program = run_gcloud) -> None:
        self._project, self._program = project, program

    def configured(self, name: str) -> str | None:
        """A value of gcloud's own configuration, as core/project."""
        return self._run(["config", "get", name]).strip() or None

    def text(self, *arguments: str) -> str:
        """What a reading command prints, without the last line's end. Raises GcloudError."""
        return self._run([*arguments, *self._where()])

    def look(self, *arguments: str) -> Any:
        """What a reading command finds, as JSON; None if that does not exist. Raises GcloudError."""
        try:
            return json.loads(self._run([*arguments, "--format=json", *self._where()]) or "null")
        except GcloudError as error:
            if _NOT_FOUND.search(error.said):
                return None
            raise

    def change(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs a command that changes something; what it prints. Raises GcloudError."""
        return self._run([*arguments, "--quiet", *self._where()], stdin=stdin)

    def _where(self) -> list[str]:
        return [f"--project={self._project}"] if self._project else []

    def _run(self, command: list[str], stdin: str | None = None) -> str:
        done = self._program(command, stdin or "")
        if done.returncode:
            raise GcloudError(" ".join(part for part in command if not part.startswith("-")), done.stderr)
        return done.stdout
