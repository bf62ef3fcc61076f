"""Repetitions that take turns: rival, ours, rival, ours, …"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scripts.bench.progress import Progress


def take_turns(
    contestants: Mapping[str, Callable[[], float]], repetitions: int, progress: Progress
) -> dict[str, list[float]]:
    """Every contestant's figure of every round; the order is turned round each time, so that none is always first."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(repetitions):
        names = list(contestants) if number % 2 == 0 else list(contestants)[::-1]
        for name in names:
            progress.tell(f"round {number + 1} of {repetitions}: {name}")
            figures[name].append(contestants[name]())
    return figures
