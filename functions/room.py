"""Who may run in this process now: any number of jobs side by side, or one that has to be alone.

A job that was running when its worker died may be what killed it. The claim hands such a suspect out by
itself, and it runs with nothing beside it, so that the next crash takes no other job along. A process may
run several ticks at once (one per request); they share this one room.
"""

from __future__ import annotations

import threading


class Room:
    """Never makes anybody wait: `enter` says no, and the tick asks again a little later.

    Handlers that were given up and left behind are not counted: one that hangs would keep a suspect out
    for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._kept_for: object | None = None  # who has the room to itself, or waits for that
        self._has_suspect = False

    @property
    def is_closed(self) -> bool:
        """Whether nobody else may start, so that claiming more would be in vain."""
        return self._kept_for is not None

    @property
    def inside(self) -> int:
        """How many jobs run here."""
        return self._inside

    def enter(self, who: object, *, alone: bool) -> bool:
        """Lets a job of `who` in if it may start now; after this, see to it that it leaves.

        Asking for the room alone keeps everybody else from starting, until that job was in and left, or
        until `who` gives up.
        """
        with self._lock:
            if self._kept_for is not None and (self._kept_for is not who or not alone):
                return False
            self._kept_for = who if alone else None
            if alone and self._inside:
                return False
            self._has_suspect = alone
            self._inside += 1
            return True

    def leave(self) -> None:
        """One job ended, or was given up."""
        with self._lock:
            self._inside -= 1
            if self._has_suspect:
                self._has_suspect = False
                self._kept_for = None

    def give_up(self, who: object) -> None:
        """`who` waits no more to have the room to itself."""
        with self._lock:
            if self._kept_for is who and not self._has_suspect:
                self._kept_for = None


THIS_PROCESS = Room()
