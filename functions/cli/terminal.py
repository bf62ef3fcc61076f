"""What every command says and how: two consoles, one way to end with a problem, words for sizes and times.

    Problem            exit code 1: the work was tried and failed
    └── Misuse         exit code 2: wrong usage or configuration; nothing was tried

Everything read from a file name, a payload or an error is foreign text: `shown` makes it harmless before
it meets a terminal.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from functions.errors import ConfigurationError, CrontickError, RequestRefused

STDOUT = Console()
STDERR = Console(stderr=True)
for _console in (STDOUT, STDERR):
    if not _console.is_terminal:  # a pipe or a log has no width of its own
        _console.width = max(_console.width, 120)

STATUS_STYLES = {
    "waiting": "dim",
    "queued": "blue",
    "processing": "cyan",
    "done": "green",
    "failed": "bold red",
    "cancelled": "yellow",
}


class Problem(Exception):  # noqa: N818 - what the user reads, not what went wrong inside
    """The work failed. `what` names what and where, `advice` what to do about it."""

    exit_code = 1

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice


class Misuse(Problem):
    """The command was used wrongly or its configuration is incomplete; `Problem` is for work that failed."""

    exit_code = 2


class Commands(TyperGroup):
    """The command group: turns a `Problem` into one red message on stderr and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            raise typer.Exit(report_problem(problem)) from problem
        except ConfigurationError as error:
            raise typer.Exit(report_problem(Misuse(str(error)))) from error
        except RequestRefused as error:
            raise typer.Exit(report_problem(Problem(error.said, error.hint or ""))) from error
        except CrontickError as error:
            raise typer.Exit(report_problem(Problem(str(error)))) from error


def report_problem(problem: Problem) -> int:
    """Prints the problem in red and its advice below, and returns the exit code."""
    STDERR.print(
        Text.assemble(("error: ", "bold red"), (shown(problem.what, lines=True), "red")), soft_wrap=True
    )
    if problem.advice:
        STDERR.print(Text(shown(problem.advice, lines=True)), soft_wrap=True)
    return problem.exit_code


def console(json_wanted: bool) -> Console:
    """Where progress and tables go: stdout, or stderr when stdout belongs to the JSON."""
    return STDERR if json_wanted else STDOUT


def print_json(value: Any) -> None:
    """Prints one JSON document on stdout, and nothing else goes there."""
    text = json.dumps(value, indent=2, default=str, ensure_ascii=False)
    typer.echo(text.encode("utf-8", "replace").decode())  # a path need not be UTF-8


def command(arguments: str) -> str:
    """A crontick command as it can be typed here: with its path where `crontick` is not on PATH."""
    own = Path(sys.executable).with_name("crontick")
    if shutil.which("crontick") or not own.exists():
        return f"crontick {arguments}"
    here = Path.cwd()
    return f"{shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))} {arguments}"


def shown(text: str, *, lines: bool = False) -> str:
    """Foreign text without control characters, which could move the cursor or recolour the terminal."""
    return "".join(
        c if c.isprintable() or (lines and c == "\n") else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def counted(number: int, thing: str) -> str:
    """1 file, 2 files."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def status_text(status: str, label: str | None = None) -> Text:
    """A status in its colour."""
    return Text(shown(label or status), style=STATUS_STYLES.get(status, ""))


def size_text(size: int | None) -> str:
    """Bytes as a person reads them: 812 B, 1.4 MB."""
    if size is None:
        return ""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 999.5 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"


def seconds_text(seconds: float | None) -> str:
    """A duration as a person reads it: 0.4 s, 12 s, 3 min 20 s."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
