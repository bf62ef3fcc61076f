"""How much room a decoder's files take so far: the worker looks while it waits, and ends what takes too much.

The kernel's limit on a file's size says nothing about their number, and on some hosts files lie in memory.
"""

from __future__ import annotations

import os
from pathlib import Path

MAX_ENTRIES = 5_000  # of files and folders together; a decoder makes a handful
BLOCK = 512  # bytes, in which stat(2) tells what a file takes, however long it claims to be


def takes_too_much(folder: Path, most_bytes: int) -> bool:
    """Whether all in the folder and below it take more bytes, or are more than any decoder makes.

    What vanishes meanwhile, or lies too deep for a path, does not count. Links are not followed.
    """
    used = entries = 0
    folders = [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                for entry in found:
                    entries += 1
                    used += entry.stat(follow_symlinks=False).st_blocks * BLOCK
                    if used > most_bytes or entries > MAX_ENTRIES:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError:
            continue
    return False
