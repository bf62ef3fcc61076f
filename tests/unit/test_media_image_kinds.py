"""Every kind of picture that arrives: its colours, its orientation, its frames, and the limits on its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pyvips

from handlers.media import image
from handlers.media.refused import Refused
from tests.fixtures.picture_files import (
    BLUE,
    GREEN,
    RED,
    animated_png,
    animation,
    assert_quarters,
    plain,
    quarters,
    save,
    shown,
    with_profile,
)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_the_colours_of_a_wide_gamut_are_converted(tmp_path: Path, suffix: str) -> None:
    wide = plain(RED).icc_transform("p3", input_profile="srgb")
    assert wide.getpoint(1, 1) == [234, 51, 34]  # what pure red would become if the profile were dropped

    assert shown(save(tmp_path, wide, suffix, Q=95), tmp_path) == pytest.approx(RED, abs=6)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("profile", ["its own", "none", "rubbish", "one of RGB"])
def test_inks_become_colours_with_and_without_a_profile(tmp_path: Path, suffix: str, profile: str) -> None:
    inks = plain(RED).icc_transform("cmyk", input_profile="srgb")
    if profile == "none":
        inks = inks.copy()
        inks.remove("icc-profile-data")
    if profile == "rubbish":
        inks = with_profile(inks, b"rubbish " * 40)
    if profile == "one of RGB":
        inks = with_profile(
            inks, plain(RED).icc_transform("p3", input_profile="srgb").get("icc-profile-data")
        )

    assert shown(save(tmp_path, inks, suffix), tmp_path) == pytest.approx([232, 31, 42], abs=6)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("damage", ["rubbish", "cut off", "emptied", "one of inks"])
def test_a_bad_profile_counts_as_srgb_and_does_not_cost_the_picture(
    tmp_path: Path, suffix: str, damage: str
) -> None:
    good: bytes = plain(RED).icc_transform("p3", input_profile="srgb").get("icc-profile-data")
    bad = {
        "rubbish": b"rubbish " * 40,
        "cut off": good[:200],
        "emptied": good[:132] + bytes(len(good) - 132),
        "one of inks": plain(RED).icc_transform("cmyk", input_profile="srgb").get("icc-profile-data"),
    }[damage]

    assert shown(save(tmp_path, with_profile(plain(RED), bad), suffix), tmp_path) == pytest.approx(RED, abs=6)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_become_eight_without_clipping(tmp_path: Path, suffix: str) -> None:
    grey = (pyvips.Image.black(60, 40) + 40_000).cast("ushort").copy(interpretation="grey16")
    colour = (
        pyvips.Image.black(60, 40).cast("ushort").new_from_image([65_535, 0, 0]).copy(interpretation="rgb16")
    )

    assert shown(save(tmp_path, grey, suffix), tmp_path) == pytest.approx([155] * 3, abs=4)
    assert shown(save(tmp_path, colour, suffix), tmp_path) == pytest.approx(RED, abs=4)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_a_grey_picture_stays_grey(tmp_path: Path, suffix: str) -> None:
    grey = (pyvips.Image.black(60, 40) + 128).cast("uchar").copy(interpretation="b-w")

    assert shown(save(tmp_path, grey, suffix), tmp_path) == pytest.approx([128] * 3, abs=4)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".avif", ".gif"])
def test_what_is_transparent_stays_so(tmp_path: Path, suffix: str) -> None:
    assert shown(save(tmp_path, plain(BLUE).bandjoin(0), suffix), tmp_path)[3] == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_whatever_the_orientation_says_is_done(tmp_path: Path, suffix: str, orientation: int) -> None:
    """Stored as a camera that was held that way stores it, the picture comes out as it was seen."""
    undo = {
        1: lambda seen: seen,
        2: lambda seen: seen.fliphor(),
        3: lambda seen: seen.rot180(),
        4: lambda seen: seen.flipver(),
        5: lambda seen: seen.rot90().fliphor(),
        6: lambda seen: seen.rot270(),
        7: lambda seen: seen.rot270().fliphor(),
        8: lambda seen: seen.rot90(),
    }
    stored = undo[orientation](quarters()).copy()
    stored.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    source = save(tmp_path, stored, suffix, **({"Q": 95} if suffix == ".jpg" else {}))

    facts = image.inspect(source, tmp_path)

    assert (facts["width"], facts["height"]) == (96, 64)
    assert_quarters(source, tmp_path)


@pytest.mark.parametrize(
    ("suffix", "options"), [(".png", {"interlace": True}), (".jpg", {"interlace": True})]
)
def test_interlaced_pictures_are_read(tmp_path: Path, suffix: str, options: dict[str, Any]) -> None:
    assert_quarters(save(tmp_path, quarters(), suffix, **options), tmp_path)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif"])
def test_of_an_animation_the_first_frame_is_shown_and_all_are_counted(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path, animation([RED, GREEN, BLUE]), suffix)

    assert image.inspect(source, tmp_path)["pages"] == 3
    assert shown(source, tmp_path)[:3] == pytest.approx(RED, abs=6)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif"])
def test_all_frames_count_towards_the_limit(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path, animation([RED, GREEN, BLUE]), suffix)

    with pytest.raises(
        Refused, match=r"\(60 x 40, 3 frames\): at most 0\.007 megapixels are read, over all frames"
    ):
        image.thumbnails(source, tmp_path, limits={"max_image_megapixels": 0.007})
    image.thumbnails(source, tmp_path, limits={"max_image_megapixels": 0.0072})


def test_of_an_animated_avif_the_still_picture_is_shown(tmp_path: Path) -> None:
    source = save(tmp_path, quarters(), ".avif", Q=90)
    source.write_bytes(source.read_bytes().replace(b"ftypavif", b"ftypavis", 1))

    assert image.inspect(source, tmp_path) == {"width": 96, "height": 64, "format": "avif", "pages": 1}
    assert_quarters(source, tmp_path)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_an_animated_avif_that_ends_early_is_refused(tmp_path: Path, share: float) -> None:
    source = save(tmp_path, quarters(), ".avif", lossless=True)
    data = source.read_bytes().replace(b"ftypavif", b"ftypavis", 1)
    source.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(Refused, match=r"^the picture is damaged or incomplete$"):
        image.thumbnails(source, tmp_path)


def test_a_tiff_with_long_offsets_is_read(tmp_path: Path) -> None:
    assert_quarters(save(tmp_path, quarters(), ".tif", bigtiff=True), tmp_path)


@pytest.mark.parametrize("decoder", [image.inspect, image.thumbnails, image.picture])
def test_a_tiff_of_an_unknown_compression_is_refused_and_not_black(tmp_path: Path, decoder: Any) -> None:
    source = save(tmp_path, quarters(), ".tif")
    compression, none, zstd = b"\x03\x01\x03\x00\x01\x00\x00\x00", b"\x01\x00", b"\x50\xc3"
    data = source.read_bytes()
    assert data.count(compression + none) == 1
    source.write_bytes(data.replace(compression + none, compression + zstd))

    with pytest.raises(Refused, match=r"^the TIFF's compression is not supported: save it as JPEG or PNG$"):
        decoder(source, tmp_path)


def test_an_animated_png_is_read_as_its_first_picture(tmp_path: Path) -> None:
    source = tmp_path / "upload"
    source.write_bytes(animated_png(plain(RED), plain(BLUE)))

    assert shown(source, tmp_path) == pytest.approx(RED, abs=6)


@pytest.mark.parametrize("decoder", [image.inspect, image.thumbnails, image.picture])
def test_a_picture_that_is_too_wide_is_refused_with_the_limit(tmp_path: Path, decoder: Any) -> None:
    source = save(tmp_path, plain(RED, 300, 2), ".png")

    with pytest.raises(
        Refused, match=r"^the picture is too large \(300 x 2\): at most 299 pixels a side are read$"
    ):
        decoder(source, tmp_path, limits={"max_image_side": 299})


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".tif", ".avif"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_picture_that_ends_early_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = pyvips.Image.gaussnoise(300, 200, seed=1, mean=128).cast("uchar")
    source = save(tmp_path, pyvips.Image.bandjoin(noise, [noise, noise]).copy(interpretation="srgb"), suffix)
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(Refused, match=r"^the picture is damaged or incomplete$"):
        image.thumbnails(source, tmp_path)
