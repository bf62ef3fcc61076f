"""The poller: ticks in a loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import uuid4

from functions.errors import QueueUnavailable
from functions.poller import poll_forever
from functions.tick_report import JobReport, TickReport

BUSY = TickReport(uuid4(), results=[JobReport(1, "done", 1, None)])
IDLE = TickReport(uuid4())


class Ticks:
    """Answers in turn, and stops the poller with the last one."""

    def __init__(self, *answers: TickReport | Exception) -> None:
        self.stop = threading.Event()
        self.slept = 0.0
        self.pauses: list[float] = []
        self._answers = list(answers)

    def __call__(self) -> TickReport:
        self.pauses.append(round(self.slept, 3))
        self.slept = 0.0
        answer = self._answers.pop(0)
        if not self._answers:
            self.stop.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def run(self, interval_ms: int = 5000) -> list[float]:
        """The pauses before each tick."""
        tick: Callable[[], TickReport] = self
        poll_forever(tick, interval_ms=interval_ms, stop=self.stop, sleep=self.sleep)
        return self.pauses


def test_it_pauses_only_when_a_tick_found_nothing() -> None:
    assert Ticks(BUSY, BUSY, IDLE, BUSY).run() == [0, 0, 0, 5]


def test_it_waits_longer_and_longer_while_the_database_is_down_and_recovers() -> None:
    down = QueueUnavailable("down")
    assert Ticks(down, down, IDLE, IDLE).run() == [0, 10, 20, 5]


def test_it_never_waits_longer_than_a_minute() -> None:
    down = QueueUnavailable("down")
    assert Ticks(*[down] * 8).run()[-1] == 60


def test_it_ends_at_once_when_it_is_stopped() -> None:
    ticks = Ticks(IDLE)
    ticks.run()
    assert ticks.slept == 0
