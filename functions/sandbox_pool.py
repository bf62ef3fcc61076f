"""The keepers that wait for their next errand: at most one per core, each replaced after some errands.

A keeper that runs an errand belongs to the thread that took it; only in case of doubt it does not come back.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence

from functions.sandbox_process import KeeperProcess
from handlers.contract import Snooze

logger = logging.getLogger(__name__)

MOST_ERRANDS = 200  # a keeper's forks share the layout of their memory, so it is not kept for ever


class KeeperPool:
    """May be used from several threads at once."""

    def __init__(self, path: Sequence[str], *, most_idle: int | None = None) -> None:
        self._path = path
        self._most_idle = most_idle or len(os.sched_getaffinity(0))
        self._lock = threading.Lock()
        self._idle: list[KeeperProcess] = []
        self._busy: set[KeeperProcess] = set()
        self._told: set[str] = set()
        self.is_closed = False

    def take(self, module: str) -> KeeperProcess:
        """An idle keeper, best one that knows the decoder, or else a new one."""
        gone: list[KeeperProcess] = []
        with self._lock:
            if self.is_closed:
                raise Snooze("the worker is stopping", seconds=1)
            self._idle.sort(key=lambda keeper: module in keeper.modules)
            keeper = None
            while self._idle and keeper is None:
                found = self._idle.pop()
                if found.is_alive():
                    keeper = found
                else:
                    gone.append(found)
            keeper = keeper or KeeperProcess(self._path)
            self._busy.add(keeper)
        for dead in gone:
            dead.stop()
        return keeper

    def give_back(self, keeper: KeeperProcess) -> None:
        """Keeps it for the next errand, unless it is in doubt, old or one too many."""
        worn = keeper.is_in_doubt or keeper.errands >= MOST_ERRANDS
        with self._lock:
            self._busy.discard(keeper)
            told = set(keeper.missing) - self._told
            self._told |= told
            keeps = not (worn or self.is_closed or len(self._idle) >= self._most_idle)
            if keeps:
                self._idle.append(keeper)
        for lock in sorted(told):
            logger.warning(
                "sandbox_without", extra={"lock": lock, "reason": "this machine does not let us use it"}
            )
        if not keeps:
            keeper.stop()

    def close(self) -> None:
        """Ends all keepers; the threads that wait for one hear of it at once."""
        with self._lock:
            self.is_closed = True
            idle, self._idle = self._idle, []
            for keeper in (*idle, *self._busy):
                keeper.hang_up()
        for keeper in idle:
            keeper.stop()
