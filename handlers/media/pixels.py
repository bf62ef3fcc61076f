"""Turns decoded pictures into stored ones: what all decoders that make thumbnails share, on libvips.

Importing this module blocks every loader of libvips but a few, for the whole process.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyvips

SIZES = (256, 1024)
QUALITY = 80
PICTURE_SIDE = 1568  # the largest that providers look at without scaling it down themselves
PLACEHOLDER_SIZE = 16
PLACEHOLDER_QUALITY = 40
LOADERS = ("Jpeg", "Png", "Webp", "Heif", "Nsgif", "Tiff")  # Heif: AVIF only, the wheel has no HEVC

pyvips.block_untrusted_set(True)
pyvips.operation_block_set("VipsForeignLoad", True)
for _loader in LOADERS:
    pyvips.operation_block_set(f"VipsForeignLoad{_loader}", False)
pyvips.cache_set_max(0)


def write_thumbnails(image: Any, folder: Path, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Fits an upright sRGB picture into each box and writes `<size>.webp`, without any metadata.

    The placeholder is a `data:` URI that is complete, so that a page shows it without a script: a decoder
    of ThumbHash or BlurHash would save some hundred bytes a row and need one.
    """
    thumbnails: list[dict[str, Any]] = []
    for size in sorted(sizes, reverse=True):
        image = fit(image, size)
        name = f"{size}.webp"
        data = image.write_to_buffer(".webp", Q=QUALITY, effort=4, keep=0)
        (folder / name).write_bytes(data)
        thumbnails.append({"name": name, "size": size, "width": image.width, "height": image.height})
    tiny = fit(image, PLACEHOLDER_SIZE).write_to_buffer(".webp", Q=PLACEHOLDER_QUALITY, effort=4, keep=0)
    placeholder = f"data:image/webp;base64,{base64.b64encode(tiny).decode('ascii')}"
    return {"thumbnails": thumbnails[::-1], "placeholder": placeholder}


def write_picture(image: Any, folder: Path) -> dict[str, Any]:
    """Writes an upright sRGB picture as `picture.jpg`, without any metadata and with white behind it."""
    image = fit(image, PICTURE_SIDE)
    image = image.flatten(background=255) if image.hasalpha() else image
    image.write_to_file(str(folder / "picture.jpg"), Q=QUALITY, keep=0)
    return {"width": image.width, "height": image.height}


def fit(image: Any, size: int) -> Any:
    """The picture in memory, no side longer than `size`; a smaller one stays as it is."""
    if max(image.width, image.height) > size:
        image = image.thumbnail_image(size, height=size, size="down", no_rotate=True)
    return image.copy_memory()


def from_rgba(data: bytes, width: int, height: int) -> Any:
    """A picture from rows of four bytes per pixel, the fourth being of no use."""
    image = pyvips.Image.new_from_memory(data, width, height, 4, "uchar")
    return image.extract_band(0, n=3).copy(interpretation="srgb")
