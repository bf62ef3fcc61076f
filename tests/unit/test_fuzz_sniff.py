"""The sniffing runs in the worker itself: whatever the bytes are, it says what they are or refuses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import strategies as st

from handlers.media.refused import Refused
from handlers.media.sniff import Kind, sniff_file
from tests.fixtures.hostile_files import archives, disguises, good_files
from tests.fixtures.mangled import mangled
from tests.unit.fuzzing import fuzz

HEAD_BYTES = 5_000
NAMES = st.sampled_from(("a", "a.jpg", "a.md", "a.csv", "a.docx", "a.mp4", "\x00.pdf", ".", "a." + "x" * 300))
CLAIMS = st.none() | st.sampled_from(
    ("", "text/csv", "image/png", "IMAGE/JPEG; a=b", "video/mp2t", ";", "\x00")
)


@pytest.fixture(scope="module")
def heads() -> list[bytes]:
    """The beginnings of files of all kinds, ordinary ones and a few that are two kinds at once."""
    good: tuple[Callable[[], bytes], ...] = (
        *(good_files.jpeg, good_files.png, good_files.webp, good_files.gif, good_files.tiff, good_files.avif),
        *(good_files.pdf, good_files.docx, good_files.mp4, good_files.mov, good_files.webm),
        *(good_files.mp3, good_files.m4a, good_files.wav, good_files.flac, good_files.ogg),
        lambda: good_files.NOTE.encode("utf-16"),
    )
    odd = (file.make for file in (*disguises.FILES, *archives.FILES))
    return [make()[:HEAD_BYTES] for make in (*good, *odd)]


def test_any_bytes_are_something_or_refused_with_a_sentence(
    tmp_path: Path, pytestconfig: pytest.Config, heads: list[bytes]
) -> None:
    source = tmp_path / "source"

    def check(given: tuple[bytes, str, str | None]) -> None:
        data, name, claimed = given
        source.write_bytes(data)
        try:
            found = sniff_file(source, name=name, claimed=claimed)
        except Refused as refused:
            said = str(refused)
        else:
            said = found.mime_type
            assert found.kind in get_args(Kind)
            assert found.mime_type.count("/") == 1
        assert said.strip()
        assert said.isprintable()

    some_bytes = st.binary(max_size=HEAD_BYTES) | mangled(heads)
    fuzz(pytestconfig, st.tuples(some_bytes, NAMES, CLAIMS), check)
