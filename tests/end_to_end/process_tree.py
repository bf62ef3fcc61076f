"""Which processes a test's local Supabase consists of, and when they are gone."""

from __future__ import annotations

import time
from pathlib import Path

PATIENCE_SECONDS = 15.0


def stat(pid: int) -> tuple[str, int] | None:
    """State and parent of a process; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])


def is_alive(pid: int) -> bool:
    """A zombie is not: it waits for init to read its exit code, and init takes its time."""
    found = stat(pid)
    return found is not None and found[0] != "Z"


def descendants(root: int) -> list[int]:
    parents = {pid: stat(pid) for pid in (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())}
    found = [root]
    for pid in found:
        found += [child for child, status in parents.items() if status is not None and status[1] == pid]
    return found


def wait_until_gone(pids: list[int]) -> list[int]:
    """What is still alive when patience ends: empty if all went well."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (alive := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive
