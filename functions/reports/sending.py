"""Sending what is left within a bounded time, and saying once when that fails."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from functions import log

_AGAIN_SECONDS = 3600.0


class Complaint:
    """One line when reports cannot be sent, and no other for an hour."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._next = -math.inf

    def say(self, problem: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _AGAIN_SECONDS
            log.warning(self._event, error=problem)


class Sender:
    """Runs `send` in a thread of its own, one at a time: a receiver that hangs keeps no tick from its answer."""

    def __init__(self, send: Callable[[], None], complaint: Complaint) -> None:
        self._send = send
        self._complaint = complaint
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def flush(self, seconds: float) -> None:
        """Waits until all is sent, or that long."""
        with self._lock:
            thread = self._thread
            if thread is None or not thread.is_alive():
                thread = self._thread = threading.Thread(
                    target=self._send, daemon=True, name="crontick-reports"
                )
                thread.start()
        thread.join(seconds)
        if thread.is_alive():
            self._complaint.say(f"the receiver took longer than {seconds:g} s")
