"""Decodes pictures with libvips, in the sandboxed child: what they are, their thumbnails, and one for a provider.

libvips has no pixel limit of its own, so the header's size is checked before any pixel is decoded. A colour
profile that is damaged or of another kind of picture counts as sRGB there, so it never costs the picture.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvips

from handlers.media.limits import MEGAPIXEL, Limits
from handlers.media.not_supported import AS_JPEG
from handlers.media.pixels import PICTURE_SIDE, SIZES, write_picture, write_thumbnails
from handlers.media.refused import Refused
from handlers.media.sniff import type_of

PROOF_SIZE = 64
SIDEWAYS = range(5, 9)  # EXIF orientations that swap width and height
FAIL_ON = {"image/tiff": "error"}  # with less, a TIFF whose compression is unknown becomes a black picture
ANIMATED_AVIF = b"ftypavis"  # libvips reads its still picture, but does not know it by this brand


@dataclass(frozen=True)
class Picture:
    """A picture whose size is known and allowed, and of which no pixel is decoded yet."""

    width: int  # as seen, with the orientation applied
    height: int
    format: str
    pages: int
    scaled: Callable[[int], Any]  # the whole of it, upright, in sRGB, its longer side at most so many pixels

    @property
    def facts(self) -> dict[str, Any]:
        return {"width": self.width, "height": self.height, "format": self.format, "pages": self.pages}


def inspect(source: Path, folder: Path, limits: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG001
    """Size as seen (orientation applied), format and number of frames, of a picture that is complete."""
    with _vips_errors():
        picture = _open(source, Limits.of(limits))
        picture.scaled(PROOF_SIZE)  # small, but every byte of the file has to be right for it
        return picture.facts


def thumbnails(
    source: Path, folder: Path, sizes: Sequence[int] = SIZES, limits: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes `<size>.webp` for each size: upright, sRGB, first frame, metadata (places!) removed."""
    with _vips_errors():
        picture = _open(source, Limits.of(limits))
        return picture.facts | write_thumbnails(picture.scaled(max(sizes)), folder, sizes)


def picture(source: Path, folder: Path, limits: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Writes `picture.jpg`, for an AI provider that looks at pictures, and says its size in pixels."""
    with _vips_errors():
        return write_picture(load(source, PICTURE_SIDE, limits), folder)


def load(source: Path, size: int, limits: Mapping[str, Any] | None = None) -> Any:
    """The picture, upright and in sRGB, no side longer than `size`; a truncated file is refused."""
    with _vips_errors():
        return _open(source, Limits.of(limits)).scaled(size)


def _open(source: Path, limits: Limits) -> Picture:
    """What the header says, before any pixel is decoded; refuses what would be too much to decode."""
    sniffed = type_of(source)
    if sniffed.kind != "image":
        raise Refused("the file is not a picture")
    if sniffed.mime_type == "image/heic":
        return _open_heic(source, limits)
    is_animated_avif = _is_animated_avif(source)
    load = pyvips.Image.heifload if is_animated_avif else pyvips.Image.new_from_file
    header = load(str(source), access="sequential")
    pages = max(int(header.get("n-pages")), 1) if header.get_typeof("n-pages") else 1
    width, height = header.width, header.height
    if header.get_typeof("orientation") and header.get("orientation") in SIDEWAYS:
        width, height = height, width
    _check_size(width, height, pages, limits)
    image_format = sniffed.mime_type.removeprefix("image/")
    if is_animated_avif:
        return Picture(width, height, image_format, pages, lambda size: _scaled_still(source, size))
    fail_on = FAIL_ON.get(sniffed.mime_type, "truncated")
    return Picture(width, height, image_format, pages, lambda size: _scaled(source, size, fail_on))


def _open_heic(source: Path, limits: Limits) -> Picture:
    # Imported for these pictures only: its library brings Pillow along.
    heic = importlib.import_module("handlers.media.heic")
    file = heic.open_file(source)
    width, height = file.size
    _check_size(width, height, 1, limits)
    return Picture(width, height, "heic", 1, lambda size: heic.decode(file, size))


def _is_animated_avif(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(12)[4:] == ANIMATED_AVIF


def _scaled(source: Path, size: int, fail_on: str) -> Any:
    image = pyvips.Image.thumbnail(
        str(source), size, height=size, size="down", output_profile="srgb", fail_on=fail_on
    )
    return image.copy_memory()


def _scaled_still(source: Path, size: int) -> Any:
    still = pyvips.Image.heifload(str(source), fail_on="truncated")
    return still.thumbnail_image(size, height=size, size="down", output_profile="srgb").copy_memory()


def _check_size(width: int, height: int, pages: int, limits: Limits) -> None:
    """Refuses a picture that is too large to decode; `pages` are frames or pages of the same size."""
    side, megapixels = limits.max_image_side, limits.max_image_megapixels
    frames = f", {pages} frames" if pages > 1 else ""
    too_large = f"the picture is too large ({width} x {height}{frames}): at most"
    if max(width, height) > side:
        raise Refused(f"{too_large} {side:,} pixels a side are read")
    if width * height * pages > megapixels * MEGAPIXEL:
        raise Refused(f"{too_large} {megapixels:g} megapixels are read" + (", over all frames" * (pages > 1)))


@contextmanager
def _vips_errors() -> Iterator[None]:
    try:
        yield
    except pyvips.Error as error:
        if "out of memory" in str(error):
            raise MemoryError from None
        if "compression support is not configured" in str(error):
            raise Refused(f"the TIFF's compression is not supported: {AS_JPEG}") from None
        raise Refused("the picture is damaged or incomplete") from None
