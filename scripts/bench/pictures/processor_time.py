"""Where the processors' seconds went: read from /proc for a process and all below it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Used:
    """One process: its name, how far below the first, and seconds of its own and of its children that ended."""

    name: str
    depth: int
    own: float
    ended_children: float


def read_tree(first: int, proc: Path = Path("/proc")) -> list[Used]:
    """The process `first` and all that live below it."""
    found = {int(path.parent.name): stat for path in proc.glob("[0-9]*/stat") if (stat := stat_of(path))}
    depths = {first: 0}
    tree: list[Used] = []
    while depths:
        pid, depth = depths.popitem()
        if pid in found:
            name, fields = found[pid]
            own, ended = (sum(map(int, fields[at : at + 2])) / TICKS for at in (11, 13))
            tree.append(Used(name, depth, own, ended))
            depths |= {child: depth + 1 for child, (_, of) in found.items() if int(of[1]) == pid}
    return tree


def stat_of(path: Path) -> tuple[str, list[str]] | None:
    """A process's name and what stands after it: the state, the parent, … (see proc(5))."""
    try:
        head, _, tail = path.read_text(errors="replace").rpartition(")")
    except OSError:
        return None  # it ended meanwhile
    return head.partition("(")[2], tail.split()


def function_parts(tree: list[Used]) -> dict[str, float]:
    """The function is gunicorn and its one worker; whatever that starts is the sandbox."""
    used: dict[str, float] = defaultdict(float)
    for process in tree:
        used["function" if process.depth < 2 else "sandbox"] += process.own
        used["sandbox"] += process.ended_children
    return used


def supabase_parts(tree: list[Used]) -> dict[str, float]:
    """The local Supabase is one process with Storage and the gateway in it, and below it the servers."""
    used: dict[str, float] = defaultdict(float)
    for process in tree:
        name = "Storage and gateway" if process.depth == 0 else process.name
        used[name] += process.own
        used[name if process.depth else "others"] += process.ended_children
    return used


def since(read: Callable[[], Mapping[str, float]], before: Mapping[str, float]) -> dict[str, float]:
    return {name: seconds - before.get(name, 0.0) for name, seconds in read().items()}
