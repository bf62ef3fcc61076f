"""Says on stderr what runs right now; stdout is the result's alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status


@dataclass
class Progress:
    """One line that changes on a terminal, one line per step elsewhere."""

    console: Console = field(default_factory=lambda: Console(stderr=True))
    benchmark: str = ""
    began: float = field(default_factory=time.monotonic)
    status: Status | None = None

    def start(self, benchmark: str) -> None:
        self.benchmark = benchmark
        self.tell("starting")

    def tell(self, step: str) -> None:
        line = f"{time.monotonic() - self.began:5.0f} s  {self.benchmark}: {step}"
        if not self.console.is_terminal:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
            return
        if self.status is None:
            self.status = self.console.status(line)
            self.status.start()
        self.status.update(line)

    def stop(self) -> None:
        if self.status is not None:
            self.status.stop()
            self.status = None
