"""Starts and stops the parts of the local Supabase. Whatever is started here dies with the supervisor.

Only the supervisor's main thread may spawn: the parent-death signal follows the thread, not the process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.privileges import Identity

LAUNCHER = Path(__file__).with_name("child.py")
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Child:
    """A running part: its name for messages, its process (a session leader) and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path

    def require_alive(self) -> None:
        if self.process.poll() is not None:
            raise LocalSupabaseError(
                f"{self.name} ended with code {self.process.returncode}. "
                f"The end of {self.log_path}:\n{tail(self.log_path)}"
            )

    def stop(self, request: signal.Signals, grace_seconds: float, insist: signal.Signals) -> None:
        """Asks, then insists, then kills; sweeps up what is left of its process group."""
        for number, seconds in ((request, grace_seconds), (insist, 5.0), (signal.SIGKILL, 5.0)):
            if self.process.poll() is not None:
                break
            self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def spawn(
    name: str,
    command: Sequence[str | Path],
    log_path: Path,
    environment: Mapping[str, str],
    death_signal: signal.Signals,
    identity: Identity | None = None,
    directory: Path | None = None,
) -> Child:
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            launcher_command(command, death_signal, identity),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd=directory or "/",
            start_new_session=True,
        )
    return Child(name, process, log_path)


def run(
    name: str, command: Sequence[str | Path], environment: Mapping[str, str], identity: Identity | None
) -> None:
    """Runs a helper program to its end; its output is shown only when it fails."""
    finished = subprocess.run(
        launcher_command(command, signal.SIGKILL, identity),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd="/",
        check=False,
    )
    if finished.returncode != 0:
        output = finished.stdout.decode(errors="replace").strip()
        raise LocalSupabaseError(f"{name} failed with code {finished.returncode}:\n{output}")


def launcher_command(
    command: Sequence[str | Path], death_signal: signal.Signals, identity: Identity | None
) -> list[str]:
    options = {
        "parent": os.getpid(),
        "death_signal": int(death_signal),
        "uid": identity.uid if identity else None,
        "gid": identity.gid if identity else None,
        "capability": identity.capability if identity else None,
    }
    python = [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(options), "--"]
    return [*python, *(str(part) for part in command)]


def tail(path: Path) -> str:
    with suppress(FileNotFoundError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
    return "(no log)"
