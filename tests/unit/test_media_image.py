from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import pyvips

from handlers.media import image
from handlers.media.refused import Refused
from handlers.media.sniff import Sniffed, type_of
from tests.fixtures import broken_files

SAMPLES = broken_files.SAMPLES


def save(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(data)
    return path


def pixel(path: Path, x: int, y: int) -> list[float]:
    found: list[float] = pyvips.Image.new_from_file(str(path)).getpoint(x, y)
    return found


def plain(width: int, height: int, colour: list[int]) -> Any:
    picture = pyvips.Image.black(width, height).new_from_image(colour)
    return picture.cast("uchar").copy(interpretation="srgb")


def test_the_size_of_a_photo_is_the_one_seen_not_the_one_stored(tmp_path: Path) -> None:
    facts = image.inspect(SAMPLES / "lake-at-dawn.jpg", tmp_path)

    assert facts == {"width": 1600, "height": 1200, "format": "jpeg", "pages": 1}


@pytest.mark.parametrize("decoder", [image.inspect, image.thumbnails])
def test_a_picture_is_sniffed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoder: Any) -> None:
    sniffed: list[Path] = []

    def record(source: Path) -> Sniffed:
        sniffed.append(source)
        return type_of(source)

    monkeypatch.setattr(image, "type_of", record)

    decoder(SAMPLES / "lake-at-dawn.jpg", tmp_path)

    assert len(sniffed) == 1


def test_thumbnails_fit_their_boxes_and_stand_upright(tmp_path: Path) -> None:
    facts = image.thumbnails(SAMPLES / "lake-at-dawn.jpg", tmp_path)

    assert facts["thumbnails"] == [
        {"name": "256.webp", "size": 256, "width": 256, "height": 192},
        {"name": "1024.webp", "size": 1024, "width": 1024, "height": 768},
    ]
    sky, water = pixel(tmp_path / "1024.webp", 700, 20), pixel(tmp_path / "1024.webp", 512, 250)
    assert sky[2] > sky[0] + 60  # blue above
    assert water[0] > water[2]  # the dawn's orange at the horizon


def test_thumbnails_carry_no_metadata(tmp_path: Path) -> None:
    image.thumbnails(SAMPLES / "lake-at-dawn.jpg", tmp_path)

    stored = pyvips.Image.new_from_file(str(tmp_path / "1024.webp"))
    assert pyvips.Image.new_from_file(str(SAMPLES / "lake-at-dawn.jpg")).get_typeof("exif-data")
    assert [name for name in stored.get_fields() if name.startswith(("exif", "icc", "xmp", "iptc"))] == []


def test_the_placeholder_is_a_tiny_webp(tmp_path: Path) -> None:
    placeholder = image.thumbnails(SAMPLES / "lake-at-dawn.jpg", tmp_path)["placeholder"]

    scheme, _, data = placeholder.partition(",")
    tiny = pyvips.Image.new_from_buffer(base64.b64decode(data), "")
    assert scheme == "data:image/webp;base64"  # complete: what an <img> takes as its src
    assert (tiny.width, tiny.height) == (16, 12)
    assert len(placeholder) < 300


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    source = save(tmp_path, plain(40, 30, [10, 20, 30]).write_to_buffer(".png"))

    sizes = [(made["width"], made["height"]) for made in image.thumbnails(source, tmp_path)["thumbnails"]]
    assert sizes == [(40, 30), (40, 30)]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".jpg", ".tif"])
def test_every_allowed_format_is_read(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path, plain(300, 200, [200, 60, 20]).write_to_buffer(suffix))

    facts = image.thumbnails(source, tmp_path)

    assert (facts["width"], facts["height"]) == (300, 200)
    assert pixel(tmp_path / "256.webp", 100, 80) == pytest.approx([200, 60, 20], abs=6)


@pytest.mark.parametrize("decoder", [image.inspect, image.thumbnails, image.picture])
def test_a_picture_of_900_megapixels_is_refused_from_its_header(tmp_path: Path, decoder: Any) -> None:
    source = save(tmp_path, broken_files.huge_png())

    with pytest.raises(Refused, match="too large \\(30000 x 30000\\)"):
        decoder(source, tmp_path)


@pytest.mark.parametrize("decoder", [image.inspect, image.thumbnails, image.picture])
@pytest.mark.parametrize("make", [broken_files.truncated_jpeg, broken_files.half_png])
def test_a_truncated_picture_is_refused(tmp_path: Path, decoder: Any, make: Any) -> None:
    with pytest.raises(Refused, match="damaged or incomplete"):
        decoder(save(tmp_path, make()), tmp_path)


def test_a_head_without_a_body_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="damaged or incomplete"):
        image.inspect(save(tmp_path, b"\xff\xd8\xff\xe0"), tmp_path)


def test_a_picture_for_a_provider_is_a_jpeg_without_metadata_on_white(tmp_path: Path) -> None:
    source = save(tmp_path, plain(3000, 1500, [0, 0, 255]).bandjoin(0).write_to_buffer(".png"))

    facts = image.picture(source, tmp_path)

    made = pyvips.Image.new_from_file(str(tmp_path / "picture.jpg"))
    assert facts == {"width": 1568, "height": 784} == {"width": made.width, "height": made.height}
    assert made.get("vips-loader") == "jpegload"
    assert made.getpoint(700, 400) == [255, 255, 255]


def test_a_picture_for_a_provider_tells_no_place(tmp_path: Path) -> None:
    image.picture(SAMPLES / "lake-at-dawn.jpg", tmp_path)

    made = pyvips.Image.new_from_file(str(tmp_path / "picture.jpg"))
    assert (made.width, made.height) == (1568, 1176)
    assert [name for name in made.get_fields() if name.startswith(("exif", "icc", "xmp", "iptc"))] == []


def test_the_largest_thumbnail_is_decoded_and_the_others_made_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    scaled = image._scaled

    def record(source: Path, size: int, fail_on: str) -> Any:
        asked.append(size)
        return scaled(source, size, fail_on)

    monkeypatch.setattr(image, "_scaled", record)

    facts = image.thumbnails(SAMPLES / "lake-at-dawn.jpg", tmp_path, sizes=[64, 300, 800])

    assert asked == [800]
    assert [made["name"] for made in facts["thumbnails"]] == ["64.webp", "300.webp", "800.webp"]


def test_a_text_given_to_the_picture_decoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not a picture"):
        image.thumbnails(save(tmp_path, broken_files.plain_text()), tmp_path)
