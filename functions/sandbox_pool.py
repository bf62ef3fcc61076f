"""The keepers, as many as there are cores: those that run an errand, and those that wait for the next one.

More decoders at once would not be done sooner; they would only need more memory, and run into their time
limits because of each other. Downloads and uploads of the jobs that wait go on meanwhile. A keeper belongs
to the thread that took it, and comes back unless it is in doubt or old.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence

from functions.sandbox_process import KeeperProcess
from handlers.contract import Snooze

logger = logging.getLogger(__name__)

LEAST_KEEPERS = 2  # on one core, too, a long recognition of text does not hold up all pictures
MOST_ERRANDS = 200  # a keeper's forks share the layout of their memory, so it is not kept for ever
BUSY_SECONDS = 5.0  # until a job that found no keeper comes back


class KeeperPool:
    """May be used from several threads at once."""

    def __init__(self, path: Sequence[str]) -> None:
        self._path = path
        self._most = max(len(os.sched_getaffinity(0)), LEAST_KEEPERS)
        self._changed = threading.Condition()
        self._idle: list[KeeperProcess] = []
        self._busy: set[KeeperProcess] = set()
        self._told: set[str] = set()
        self.is_closed = False

    def take(self, module: str, *, within: float) -> KeeperProcess:
        """An idle keeper, best one that knows the decoder, or else a new one; waits for it so many seconds.

        Raises `Snooze` where there is none to be had, which costs the job no attempt.
        """
        with self._changed:
            if not self._changed.wait_for(self._is_worth_a_look, within):
                raise Snooze("all decoders are busy", seconds=BUSY_SECONDS)
            if self.is_closed:
                raise Snooze("the worker is stopping", seconds=1)
            keeper = self._best_idle(module) or KeeperProcess(self._path)
            self._busy.add(keeper)
            return keeper

    def give_back(self, keeper: KeeperProcess) -> None:
        """Keeps it for the next errand, or ends it and all that its decoder left."""
        self._tell(keeper)
        keeps = not keeper.is_in_doubt and keeper.errands < MOST_ERRANDS
        if not keeps:
            keeper.stop()
        with self._changed:
            self._busy.discard(keeper)
            closed = self.is_closed
            if keeps and not closed:
                self._idle.append(keeper)
            self._changed.notify()
        if closed:
            keeper.stop()

    def close(self) -> None:
        """Ends all keepers; the threads that use or wait for one hear of it at once."""
        with self._changed:
            self.is_closed = True
            idle, self._idle = self._idle, []
            for keeper in (*idle, *self._busy):
                keeper.hang_up()
            self._changed.notify_all()
        for keeper in idle:
            keeper.stop()

    def _is_worth_a_look(self) -> bool:
        return self.is_closed or len(self._busy) < self._most

    def _best_idle(self, module: str) -> KeeperProcess | None:
        self._idle.sort(key=lambda keeper: module in keeper.modules)
        while self._idle:
            keeper = self._idle.pop()
            if keeper.is_alive():
                return keeper
            keeper.stop()
        return None

    def _tell(self, keeper: KeeperProcess) -> None:
        """Logs once which locks this machine does not let us use."""
        with self._changed:
            new = set(keeper.missing) - self._told
            self._told |= new
        for lock in sorted(new):
            logger.warning("sandbox_without", extra={"lock": lock})
