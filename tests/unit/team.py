"""Packages of handlers as a team may keep them outside of the repository, for the time of one test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HANDLER = """
from handlers.contract import Context, FilePayload, Job, handler

@handler(timeout=7)
def {name}(job: Job[FilePayload], context: Context) -> FilePayload:
    return job.payload
"""


def handler_text(*names: str) -> str:
    """A module with handlers of these names."""
    return "".join(HANDLER.format(name=name) for name in names)


@contextmanager
def importable(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Writes modules, by their dotted names (a package's own is `name.__init__`), and forgets them at the end."""
    tops = set()
    for name, text in files.items():
        file = folder.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        tops.add(name.split(".")[0])
    monkeypatch.syspath_prepend(str(folder))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in tops]:
        del sys.modules[name]
