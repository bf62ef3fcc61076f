"""The local Supabase as a command sees it: a process of its own that lives as long as the command.

The stack's own programs are in `scripts/local_supabase`, next to this package in the repository. They follow
our end of a pipe: however this process ends, they end too.
"""

from __future__ import annotations

import fcntl
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from functions.cli.terminal import Misuse, Problem, command, shown

REPOSITORY = Path(__file__).resolve().parents[2]
STOP_SECONDS = 30
_OUTDATED_EXIT_CODE = 3  # what scripts/local_supabase ends with when other files made its data
_REMEMBERED_LINES = 15


class Leg(StrEnum):
    """Which Postgres: the wheel's 18 with the real http, or Debian's 15 with the real pg_cron."""

    wheel = "wheel"
    debian = "debian"


class OutdatedData(Problem):
    """The local data was made by other migrations or platform files than those that are here now."""


class LocalSupabase(BaseModel):
    """What the local Supabase says about itself once everything answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    leg: Leg
    directory: Path
    url: str
    publishable_key: str
    secret_key: str
    function_url: str | None
    admin_url: str | None = None
    sign_in_url: str | None = None  # opens the dashboard as the local admin: shown to people only
    log_directory: Path

    @property
    def dashboard_url(self) -> str | None:
        """The page, which asks whoever opens it to sign in."""
        return f"{self.admin_url}/dashboard" if self.admin_url else None

    @property
    def env_file(self) -> Path:
        """Where the keys are while it runs."""
        return self.directory / "env"


class Process:
    """The running process of the stack, and what it said last on stderr."""

    def __init__(self, process: subprocess.Popen[str], on_line: Callable[[str], None]) -> None:
        self._process = process
        self._last_lines: deque[str] = deque(maxlen=_REMEMBERED_LINES)
        self._on_line = on_line
        self._reader = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            if text := shown(line.rstrip()):
                self._last_lines.append(text)
                self._on_line(text)

    def require_running(self) -> None:
        """Raises a `Problem` when the stack has ended by itself."""
        code = self._process.poll()
        if code == 0:
            raise self.failure("the local Supabase was stopped", advice="")
        if code is not None:
            raise self.failure(f"the local Supabase ended with exit code {code}")

    def failure(self, what: str, advice: str = "Its logs are beside its data, in .local.") -> Problem:
        """A problem that carries what the stack said last."""
        self._reader.join(timeout=2)
        said = "\n  ".join(self._last_lines) or "(it said nothing)"
        return Problem(f"{what}:\n  {said}", advice)

    def ready(self, directory: Path) -> LocalSupabase:
        """Waits for the line that says that everything answers."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait(timeout=STOP_SECONDS)
            problem = self.failure("the local Supabase did not start", advice="")
            if code == _OUTDATED_EXIT_CODE:
                raise OutdatedData(
                    problem.what, f"Throw the local data away with: {reset_command(directory)}"
                )
            raise problem
        try:
            return LocalSupabase.model_validate_json(line)
        except ValidationError as error:
            raise self.failure("the local Supabase announced itself in words we do not know") from error

    def stop(self) -> None:
        """Lets go of the pipe, which asks the stack to stop, and waits until it has."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait(timeout=STOP_SECONDS)
        self._reader.join(timeout=2)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def started(
    leg: Leg, schedule: str, directory: Path, on_line: Callable[[str], None]
) -> Iterator[tuple[LocalSupabase, Process]]:
    """Starts the local Supabase and the function, and stops them at the end of the block."""
    program = [*_command("up", directory), "--leg", leg, "--tick-schedule", schedule, "--follow-stdin"]
    # A session of its own: Ctrl-C is ours to hear, and the stack stops in its own order.
    process = subprocess.Popen(
        program,
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    running = Process(process, on_line)
    try:
        with _terminated_like_ctrl_c():
            yield running.ready(directory), running
    finally:
        running.stop()


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """Makes SIGTERM and a closed terminal end the block as Ctrl-C does, so that the stack is awaited."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGINT too: a shell's & would have it ignored
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def reset_command(directory: Path) -> str:
    """The reset that is about this directory, as it can be typed here."""
    usual = directory.absolute() == REPOSITORY / ".local"
    return command("reset" if usual else f"reset --directory {shlex.quote(str(directory))}")


def data_folders(directory: Path) -> list[Path]:
    """What a reset deletes: the data of the legs, and nothing else that is in the directory."""
    return [path for leg in Leg if (path := directory / leg).exists()]


def runs_in(directory: Path) -> bool:
    """Whether a local Supabase holds the lock of a leg there."""
    return any(_is_locked(directory / f"{leg}.lock") for leg in Leg)


def _is_locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def reset(directory: Path, *legs: Leg) -> None:
    """Stops what runs in the directory and deletes the data of these legs, or of all of them."""
    ended = subprocess.run(
        [*_command("reset", directory), *(part for leg in legs for part in ("--leg", leg))],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode:
        raise Problem(
            f"resetting {directory} failed: {shown(ended.stderr.strip(), lines=True)}",
            f"Stop what still uses it ({command('up')}, {command('demo')}) and try again.",
        )


def default_schedule(leg: Leg) -> str:
    """How often the tick comes: Debian's pg_cron knows no seconds."""
    return "* * * * *" if leg is Leg.debian else "2 seconds"


def _command(verb: str, directory: Path) -> list[str]:
    if not (REPOSITORY / "scripts" / "local_supabase").is_dir():
        raise Misuse(
            f"there is no local Supabase beside the installed package ({REPOSITORY})",
            "Clone the repository and run this command in it; a deployed worker has no use for it.",
        )
    return [sys.executable, "-m", "scripts.local_supabase", verb, "--directory", str(directory)]
