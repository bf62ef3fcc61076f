"""Starts processes that do the same work together, lets them go at once, and says how fast they were.

Each is told its options on the first line of its stdin, says "ready", goes on the second line, and ends with one line
of JSON: how many jobs it did, and when it began and ended on this machine's monotonic clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.local_supabase.errors import LocalSupabaseError

REPOSITORY = Path(__file__).resolve().parents[2]
OUR_CLIENT = (sys.executable, "-m", "scripts.bench.client")


@dataclass(frozen=True)
class Finish:
    """One process: jobs done, and when it began and ended, in seconds of the monotonic clock."""

    jobs: int
    began: float
    ended: float


def jobs_per_second(finishes: Sequence[Finish], expected: int) -> float:
    """From the first start to the last end. A race that did not do all the work is no result."""
    done = sum(finish.jobs for finish in finishes)
    if done != expected:
        raise LocalSupabaseError(f"{done} jobs were done, but {expected} were queued: this is no result.")
    return done / (
        max(finish.ended for finish in finishes if finish.jobs) - min(finish.began for finish in finishes)
    )


def race(command: Sequence[str | Path], options: str, processes: int, expected: int) -> float:
    """Jobs per second of that many processes of one command."""
    runners = [
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        for runner in runners:
            tell(runner, options)
        for runner in runners:
            if answer(runner) != "ready":
                raise LocalSupabaseError(f"{command[0]} {command[-1]} did not get ready (see above).")
        for runner in runners:
            tell(runner, "go")
        finishes = [Finish(**json.loads(answer(runner))) for runner in runners]
    finally:
        for runner in runners:
            end(runner)
    return jobs_per_second(finishes, expected)


def tell(runner: subprocess.Popen[str], line: str) -> None:
    assert runner.stdin is not None
    runner.stdin.write(f"{line}\n")
    runner.stdin.flush()


def answer(runner: subprocess.Popen[str]) -> str:
    assert runner.stdout is not None
    line = runner.stdout.readline().strip()
    if not line:
        raise LocalSupabaseError(
            f"a process of the benchmark ended early with code {runner.wait()} (see above)."
        )
    return line


def end(runner: subprocess.Popen[str]) -> None:
    assert runner.stdin is not None
    assert runner.stdout is not None
    try:
        runner.wait(0.0 if runner.poll() is not None else 5.0)
    except subprocess.TimeoutExpired:
        runner.kill()
        runner.wait()
    runner.stdin.close()
    runner.stdout.close()
