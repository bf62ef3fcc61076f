"""What is going to be done, as a list that people read first and that is then worked off in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One change: what it is in words, and what does it."""

    title: str
    act: Callable[[], object]


@dataclass
class Plan:
    """Steps in order, and what is worth knowing about what stays as it is."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, title: str, act: Callable[[], object]) -> None:
        self.steps.append(Step(title, act))
