"""SIGTERM, turned into an event that the running tick looks at between two steps.

Cloud Run kills ten seconds after SIGTERM, and gunicorn would otherwise keep the signal to itself.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

stop = threading.Event()


def chain_sigterm() -> None:
    """Sets `stop` on SIGTERM and then does whatever was installed before. Call it in the main thread."""
    previous = signal.getsignal(signal.SIGTERM)

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        stop.set()
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, on_sigterm)
