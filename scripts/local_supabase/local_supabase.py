"""The local Supabase as an object, for tests and scripts: the command in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from scripts.local_supabase.details import Details
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.leg import Leg

REPOSITORY = Path(__file__).resolve().parents[2]
STOP_SECONDS = 40.0


@dataclass(frozen=True)
class LocalSupabase(Details):
    """Addresses and keys of a running local Supabase, which ends with the block or with this process."""

    process: subprocess.Popen[str] = field(repr=False, compare=False)

    @classmethod
    def start(
        cls,
        directory: Path,
        leg: Leg,
        function: bool = False,
        *,
        fsync: bool = True,
        tick_schedule: str | None = None,
    ) -> Self:
        command = [sys.executable, "-m", "scripts.local_supabase", "up", "--follow-stdin"]
        command += ["--leg", str(leg), "--directory", str(directory.resolve())]
        command += [] if function else ["--no-function"]
        command += [] if fsync else ["--no-fsync"]
        command += [] if tick_schedule is None else ["--tick-schedule", tick_schedule]
        with tempfile.TemporaryFile("w+") as complaints:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                start_new_session=True,
            )
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                end(process)
                complaints.seek(0)
                raise LocalSupabaseError(complaints.read().strip() or "the local Supabase did not start")
        return cls(**Details.from_json(line), process=process)

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        end(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def end(process: subprocess.Popen[str]) -> None:
    """Ending its stdin is the request to stop; what it started dies with it even if it has to be killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
