"""Keeps the worker's keys from the decoders it starts: they run as the same user, and /proc shows much.

A sandboxed child gets an empty environment, but one that was taken over by a hostile file could still open
`/proc/<worker>/environ` or `/proc/<worker>/mem`. A process that is not dumpable hides both from everybody
but root, so the function does not run as root in its image.
"""

from __future__ import annotations

import ctypes
import sys

PR_SET_DUMPABLE = 4


def hide_from_own_user() -> None:
    """For this process and those it forks, until they run another program. Does nothing outside Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
