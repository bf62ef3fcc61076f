"""A decoder that was taken over reads neither the worker's environment nor its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Root may read everything, so the worker becomes an ordinary user, dumpable until it says otherwise.
WORKER = """
import ctypes, os, sys
from functions.secrecy import hide_from_own_user
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
if "hidden" in sys.argv:
    hide_from_own_user()
child = os.fork()
if child == 0:
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
    print(open(f"/proc/{os.getppid()}/environ").read())
    sys.exit()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run_worker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WORKER, *arguments],
        cwd=ROOT,
        env={"SUPABASE_SECRET_KEY": "sb_secret_x"},
        capture_output=True,
        text=True,
    )


def test_a_child_cannot_read_the_workers_environment() -> None:
    assert "sb_secret_x" in run_worker().stdout, "without it a child can: the test would prove nothing"

    hidden = run_worker("hidden")

    assert hidden.returncode != 0
    assert "PermissionError" in hidden.stderr
    assert "sb_secret_x" not in hidden.stdout
