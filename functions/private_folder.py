"""The folder that a job or a decoder works in: only ours to read, and gone afterwards whatever it holds.

A decoder that was taken over by its file may leave folders nested by the thousand. `shutil.rmtree` follows
them down by recursion and gives up; here every folder is first moved up to the top.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

logger = logging.getLogger(__name__)


def new_private_folder() -> Path:
    """A new folder; whoever asked for it removes it with `remove_folder`."""
    return Path(tempfile.mkdtemp(prefix="crontick-"))


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder that is removed at the end."""
    folder = new_private_folder()
    try:
        yield folder
    finally:
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Removes a folder of any depth without following links; what cannot be removed is logged, not raised."""
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            while entries := _entries(top):
                for entry in entries:
                    _remove_level(top, entry)
        finally:
            os.close(top)
        folder.rmdir()
    except OSError as error:
        logger.warning("folder_left_behind", extra={"reason": error.strerror})


def _entries(folder: int) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _remove_level(top: int, entry: os.DirEntry[str]) -> None:
    """Removes one entry of the top folder; the folders in it become entries of the top folder."""
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.name, dir_fd=top)
        return
    os.chmod(entry.name, 0o700, dir_fd=top)
    inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        for child in _entries(inner):
            if child.is_dir(follow_symlinks=False):
                os.chmod(child.name, 0o700, dir_fd=inner)  # or it could not be moved
                os.rename(child.name, uuid4().hex, src_dir_fd=inner, dst_dir_fd=top)
            else:
                os.unlink(child.name, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(entry.name, dir_fd=top)
