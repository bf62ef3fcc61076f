"""Decodes pictures with libvips, in the sandboxed child: what they are, and their thumbnails.

libvips has no pixel limit of its own, so the header's size is checked before any pixel is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyvips

from handlers.media.pixels import SIZES, write_thumbnails
from handlers.media.refused import Refused
from handlers.media.sniff import sniff_file

MAX_PIXELS = 50_000_000  # over all frames
MAX_SIDE = 16_384
PROOF_SIZE = 64
SIDEWAYS = range(5, 9)  # EXIF orientations that swap width and height
NOT_READ = {
    "image/heic": "HEIC pictures are not supported: save the picture as JPEG",
}


def inspect(source: Path, folder: Path, max_pixels: int = MAX_PIXELS) -> dict[str, Any]:  # noqa: ARG001
    """Size as seen (orientation applied), format and number of frames, of a picture that is complete."""
    with _vips_errors():
        facts = _facts(source, max_pixels)
        _scaled(source, PROOF_SIZE)  # small, but every byte of the file has to be right for it
        return facts


def thumbnails(
    source: Path, folder: Path, sizes: Sequence[int] = SIZES, max_pixels: int = MAX_PIXELS
) -> dict[str, Any]:
    """Writes `<size>.webp` for each size: upright, sRGB, first frame, metadata (places!) removed."""
    with _vips_errors():
        facts = _facts(source, max_pixels)
        return facts | write_thumbnails(_scaled(source, max(sizes)), folder, sizes)


def load(source: Path, size: int, max_pixels: int = MAX_PIXELS) -> Any:
    """The picture, upright and in sRGB, no side longer than `size`; a truncated file is refused."""
    with _vips_errors():
        _facts(source, max_pixels)
        return _scaled(source, size)


def _scaled(source: Path, size: int) -> Any:
    image = pyvips.Image.thumbnail(
        str(source), size, height=size, size="down", output_profile="srgb", fail_on="truncated"
    )
    return image.copy_memory()


def _facts(source: Path, max_pixels: int) -> dict[str, Any]:
    """What the header says, before any pixel is decoded; refuses what would be too much to decode."""
    sniffed = sniff_file(source, name="", claimed=None)
    if sniffed.kind != "image":
        raise Refused("the file is not a picture")
    if sniffed.mime_type in NOT_READ:
        raise Refused(NOT_READ[sniffed.mime_type])
    header = pyvips.Image.new_from_file(str(source), access="sequential")
    pixels = header.width * header.height * _pages(header)
    if pixels > max_pixels or max(header.width, header.height) > MAX_SIDE:
        limit = f"at most {max_pixels / 1e6:g} megapixels and {MAX_SIDE} pixels a side are read"
        raise Refused(f"the picture is too large ({header.width} x {header.height}): {limit}")
    width, height = header.width, header.height
    if header.get_typeof("orientation") and header.get("orientation") in SIDEWAYS:
        width, height = height, width
    image_format = sniffed.mime_type.removeprefix("image/")
    return {"width": width, "height": height, "format": image_format, "pages": _pages(header)}


def _pages(header: Any) -> int:
    return max(int(header.get("n-pages")), 1) if header.get_typeof("n-pages") else 1


@contextmanager
def _vips_errors() -> Iterator[None]:
    try:
        yield
    except pyvips.Error as error:
        if "out of memory" in str(error):
            raise MemoryError from None
        raise Refused("the picture is damaged or incomplete") from None
