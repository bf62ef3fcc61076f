"""Tells systemd that a service is ready, stops, or is alive: the protocol of sd_notify, for `Type=notify`."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable


class Systemd:
    """Says nothing where systemd has not asked for it."""

    def __init__(
        self, address: str | None, watchdog_usec: int | None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`address` and `watchdog_usec` (microseconds) are what NOTIFY_SOCKET and WATCHDOG_USEC say."""
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._every = watchdog_usec / 1_000_000 / 4 if watchdog_usec else None
        self._now = now
        self._next = 0.0
        self._is_stopping = False

    def ready(self, status: str) -> None:
        self._say(f"READY=1\nSTATUS={status}")

    def alive(self, *, stopping: bool = False) -> None:
        """To be called often, by the thread that does the work: if it hangs, systemd starts the service again."""
        if stopping and not self._is_stopping:
            self._is_stopping = True
            self._say("STOPPING=1")
        if self._every is not None and self._now() >= self._next:
            self._next = self._now() + self._every
            self._say("WATCHDOG=1")

    def _say(self, state: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.sendto(state.encode(), self._address)
