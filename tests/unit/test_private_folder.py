"""A private folder is gone afterwards, whatever a decoder has put into it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from functions.private_folder import private_folder, remove_folder
from functions.sandbox import Sandbox
from tests.fixtures.sandboxes import HOSTILE, ROOT, make_sandbox


def nest(folder: Path, depth: int) -> None:
    """Folders in folders, each with a file in it; deeper than a path can be long."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(depth):
            Path("file").touch()
            Path("deeper").mkdir()
            os.chdir("deeper")
    finally:
        os.chdir(here)


def test_a_private_folder_belongs_to_its_user_and_is_removed_at_the_end() -> None:
    with private_folder() as folder:
        (folder / "file").write_text("text")
        assert folder.stat().st_mode & 0o777 == 0o700

    assert not folder.exists()


def test_it_is_removed_when_its_user_fails() -> None:
    with pytest.raises(KeyError), private_folder() as folder:
        raise KeyError

    assert not folder.exists()


def test_folders_nested_by_the_thousand_are_removed() -> None:
    with private_folder() as folder:
        nest(folder, 3000)

    assert not folder.exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "link").symlink_to(kept)
    (folder / "link").symlink_to(kept)

    remove_folder(folder)

    assert not folder.exists()
    assert (kept / "file").exists()


def test_locked_folders_are_removed() -> None:
    # Nothing is locked for root, so the test becomes an ordinary user.
    program = """
import os, pathlib, tempfile
from functions.private_folder import remove_folder
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "locked" / "inner" / "innermost").mkdir(parents=True)
for name in ("locked/inner/innermost", "locked/inner", "locked"):
    (folder / name).chmod(0)
remove_folder(folder)
print(folder.exists())
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)
    assert run.stdout == b"False\n"


def test_what_cannot_be_removed_is_logged_and_not_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        remove_folder(tmp_path / "missing")

    assert [record.message for record in caplog.records] == ["folder_left_behind"]


def test_a_decoder_that_nests_folders_costs_its_file_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "upload"
    source.write_text("hello")
    sandbox: Sandbox = make_sandbox()

    facts = sandbox.run(HOSTILE + "nests", source, timeout=30).facts

    assert not Path(facts["private"]).exists()
