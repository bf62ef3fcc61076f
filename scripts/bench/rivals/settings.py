"""Where the rivals are installed, and the settings among which each one's best is looked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.local_supabase.errors import LocalSupabaseError

HERE = Path(__file__).parent
RIVALS_HOME = Path(__file__).resolve().parents[3] / ".local" / "bench" / "rivals"


@dataclass(frozen=True)
class RivalSetting:
    """How a rival is run. `batch` is PgQueuer's; `concurrency` is Procrastinate's, jobs at once in a process."""

    rival: str
    processes: int
    driver: str = "asyncpg"
    batch: int = 0
    concurrency: int = 0
    uvloop: bool = True

    def __str__(self) -> str:
        size = f"batch {self.batch}" if self.batch else f"concurrency {self.concurrency}"
        return f"{self.driver}, {self.processes} process{'es' * (self.processes > 1)}, {size}"

    def options(self, dsn: str, jobs: int) -> dict[str, object]:
        return {**asdict(self), "dsn": dsn, "jobs": jobs}


def pgqueuer_settings(batch: int) -> Iterator[RivalSetting]:
    for driver, processes in (("asyncpg", 2), ("asyncpg", 1), ("psycopg", 2)):
        yield RivalSetting("pgqueuer", processes, driver, batch=batch)


def procrastinate_settings() -> Iterator[RivalSetting]:
    for processes, concurrency in ((2, 1), (1, 10), (2, 10), (4, 5)):
        yield RivalSetting("procrastinate", processes, "psycopg", concurrency=concurrency)


def rivals_python(home: Path) -> Path:
    """The Python of the rivals' environment, which is made with uv when it is missing or has other versions."""
    python = home / "bin" / "python"
    stamp = home / "requirements.txt"
    wanted = (HERE / "requirements.txt").read_text("utf-8")
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    uv = shutil.which("uv")
    if uv is None:
        raise LocalSupabaseError(
            "uv is missing, and the rivals need an environment of their own. "
            "Run scripts/bench.sh, or leave them out with --without-rivals."
        )
    install([uv, "venv", "--quiet", "--clear", "--python", sys.executable, home])
    install([uv, "pip", "install", "--quiet", "--python", python, "--requirement", HERE / "requirements.txt"])
    stamp.write_text(wanted, "utf-8")
    return python


def install(command: list[str | Path]) -> None:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise LocalSupabaseError(
            f"The rivals could not be installed:\n{finished.stderr.strip()}\n"
            "Is there a network? Leave them out with --without-rivals."
        )
