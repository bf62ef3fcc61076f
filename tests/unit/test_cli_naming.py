from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.cli.naming import guess_type, local_files
from functions.cli.terminal import Misuse

STORAGE_KEY = re.compile(r"^[A-Za-z0-9_/!.*'() &$=@;:+,?-]*$")


def make(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path))
    return paths


def test_a_file_is_stored_under_its_organisation_and_name(tmp_path: Path) -> None:
    (file,) = local_files(make(tmp_path, "slides.pdf"), "demo")
    assert (file.name, file.path, file.mime_type) == ("slides.pdf", "demo/slides.pdf", "application/pdf")
    assert file.size == len(str(file.source))


def test_files_of_the_same_name_keep_the_folders_that_tell_them_apart(tmp_path: Path) -> None:
    files = local_files(make(tmp_path, "x/a/n.md", "x/b/n.md", "c.md"), "demo")
    assert [file.path for file in files] == ["demo/a/n.md", "demo/b/n.md", "demo/c.md"]


def test_the_same_folder_name_further_up_is_told_apart_too(tmp_path: Path) -> None:
    files = local_files(make(tmp_path, "one/x/n.md", "two/x/n.md"), "demo")
    assert [file.path for file in files] == ["demo/one/x/n.md", "demo/two/x/n.md"]


def test_a_file_given_twice_is_uploaded_once(tmp_path: Path) -> None:
    (path,) = make(tmp_path, "n.md")
    assert len(local_files([path, tmp_path / "." / "n.md", path], "demo")) == 1


@pytest.mark.parametrize(
    "name",
    ["Grüße.pdf", "日本.pdf", "<img onerror=x>.png", "a\nb.md", ".emptyFolderPlaceholder", "50%#?.txt"],
)
def test_every_name_becomes_a_key_that_storage_takes_and_the_user_keeps_the_name(
    tmp_path: Path, name: str
) -> None:
    (file,) = local_files(make(tmp_path, name), "demo")
    assert STORAGE_KEY.match(file.path)
    assert not file.path.startswith("demo/.")
    assert file.name == name


def test_names_that_become_equal_in_storages_alphabet_are_numbered(tmp_path: Path) -> None:
    files = local_files(make(tmp_path, "ä.md", "a.md", "å.md"), "demo")
    assert [file.path for file in files] == ["demo/a.md", "demo/a-2.md", "demo/a-3.md"]


def test_a_folder_or_a_missing_file_is_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="is a folder"):
        local_files([tmp_path], "demo")
    with pytest.raises(Misuse, match="does not exist"):
        local_files([tmp_path / "no.pdf"], "demo")


@pytest.mark.parametrize("org", ["", " ", "a/b", "ä", ".", "..", ".hidden"])
def test_an_organisation_that_cannot_be_a_folder_is_refused(tmp_path: Path, org: str) -> None:
    with pytest.raises(Misuse, match="--org"):
        local_files(make(tmp_path, "n.md"), org)


def test_content_types_do_not_depend_on_the_machines_own_table() -> None:
    assert guess_type("A.MD") == "text/markdown"
    assert guess_type("film.MKV") == "video/x-matroska"
    assert guess_type("no-ending") == "application/octet-stream"
