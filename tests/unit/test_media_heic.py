"""HEIC, the photos of phones: pi-heif reads them and libvips goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import pyvips

from functions.sandbox import Sandbox
from handlers.contract import Reject
from handlers.media import heic, image
from handlers.media.refused import Refused
from tests.fixtures.picture_files import (
    PICTURES,
    assert_quarters,
    shown,
)


def test_a_photo_of_a_phone_stands_upright_in_the_right_colours_without_its_place(tmp_path: Path) -> None:
    """Stored on its side with a turn of its own, the same turn in EXIF once more, P3 and a place."""
    source = PICTURES / "turned-p3.heic"
    assert b"irot" in source.read_bytes()

    facts = image.thumbnails(source, tmp_path)

    assert (facts["width"], facts["height"], facts["format"]) == (96, 64, "heic")
    assert_quarters(source, tmp_path)
    made = pyvips.Image.new_from_file(str(tmp_path / "1024.webp"))
    assert [name for name in made.get_fields() if name.startswith(("exif", "icc", "xmp", "iptc"))] == []


def test_ten_bits_of_a_phone_become_eight(tmp_path: Path) -> None:
    assert_quarters(PICTURES / "ten-bit.heic", tmp_path)


def test_a_transparent_photo_of_a_phone_stays_so(tmp_path: Path) -> None:
    assert shown(PICTURES / "half-transparent.heic", tmp_path)[3] == 128
    assert image.picture(PICTURES / "half-transparent.heic", tmp_path) == {"width": 96, "height": 64}


def test_a_photo_of_a_phone_is_measured_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heic, "decode", lambda *_: pytest.fail("it was decoded"))

    with pytest.raises(Refused, match=r"\(96 x 64\): at most 0\.006 megapixels"):
        image.thumbnails(PICTURES / "turned-p3.heic", tmp_path, limits={"max_image_megapixels": 0.006})


@pytest.mark.parametrize("size", [40, 300, 700, 1000, 1400])
def test_a_photo_of_a_phone_that_ends_early_is_refused(tmp_path: Path, size: int) -> None:
    source = tmp_path / "upload"
    source.write_bytes((PICTURES / "turned-p3.heic").read_bytes()[:size])

    with pytest.raises(Refused, match=r"^the picture is damaged or incomplete$"):
        image.inspect(source, tmp_path)


@pytest.mark.parametrize("error", [MemoryError(), OSError("Memory allocation error")])
def test_a_photo_of_a_phone_that_needs_too_much_memory_is_refused(error: Exception) -> None:
    class Exhausting:
        size, mode, stride = (10, 10), "RGB", 30

        @property
        def data(self) -> bytes:
            raise error

    with pytest.raises(Refused, match="more memory"):
        heic.decode(Exhausting(), 100)


def test_rows_that_are_not_as_long_as_they_should_be_are_refused() -> None:
    class Padded:
        size, mode, stride, data = (10, 10), "RGB", 32, bytes(320)

    with pytest.raises(Refused, match="damaged"):
        heic.decode(Padded(), 100)


def test_a_photo_of_a_phone_is_decoded_within_the_sandbox(tmp_path: Path) -> None:
    sandbox = Sandbox()

    decoded = sandbox.run("handlers.media.image:thumbnails", PICTURES / "turned-p3.heic", timeout=60)

    assert (decoded.facts["width"], sorted(decoded.files)) == (96, ["1024.webp", "256.webp"])
    broken = tmp_path / "upload"
    broken.write_bytes((PICTURES / "turned-p3.heic").read_bytes()[:700])
    with pytest.raises(Reject, match="damaged or incomplete"):
        sandbox.run("handlers.media.image:inspect", broken, timeout=60)
