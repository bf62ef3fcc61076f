"""Decodes HEIC pictures, the photos of phones, in the sandboxed child: pi-heif reads them, libvips goes on.

The wheel of libvips has no HEVC decoder. libheif turns a picture upright by itself; an orientation in its
EXIF says the same once more and is not applied again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pi_heif
import pyvips

from handlers.media.refused import Refused

# Nothing of these is used, and all of it would be parsed.
pi_heif.options.THUMBNAILS = False
pi_heif.options.DEPTH_IMAGES = False
pi_heif.options.AUX_IMAGES = False

BANDS = {"L": 1, "I": 1, "LA": 2, "RGB": 3, "RGBA": 4}
DISPLAY_P3 = 12  # as colour primaries in a profile of four numbers (ITU-T H.273)
DAMAGED = "the picture is damaged or incomplete"
TOO_MUCH_MEMORY = "the picture needs more memory than a picture may use"


def open_file(source: Path) -> Any:
    """The primary picture of a file, not decoded yet: `size` is as seen."""
    try:
        file = pi_heif.open_heif(source, convert_hdr_to_8bit=True)
        return file[file.primary_index]
    except Exception as error:
        raise _refused(error) from None


def decode(file: Any, size: int) -> Any:
    """The primary picture in sRGB, 8 bits a band, no side longer than `size` pixels."""
    try:
        image = _image(file.data, file.size, file.mode, file.stride)
    except Exception as error:
        raise _refused(error) from None
    profile = file.info.get("icc_profile")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    elif file.info.get("nclx_profile", {}).get("color_primaries") == DISPLAY_P3:
        image = image.icc_transform("srgb", input_profile="p3")
    return image.thumbnail_image(
        size, height=size, size="down", no_rotate=True, output_profile="srgb"
    ).copy_memory()


def _image(data: bytes, size: tuple[int, int], mode: str, stride: int) -> Any:
    deep = mode.endswith(";16")
    bands = BANDS[mode.removesuffix(";16")]
    width, height = size
    if stride != width * bands * (2 if deep else 1) or len(data) < stride * height:
        raise Refused(DAMAGED)
    image = pyvips.Image.new_from_memory(data, width, height, bands, "ushort" if deep else "uchar")
    if deep:
        return image.copy(interpretation="grey16" if bands < 3 else "rgb16")
    return image.copy(interpretation="b-w" if bands < 3 else "srgb")


def _refused(error: Exception) -> Refused:
    """libheif says as half a dozen kinds of exception what is always the file's fault."""
    if isinstance(error, Refused):
        return error
    exhausted = isinstance(error, MemoryError) or "memory" in str(error).lower()
    return Refused(TOO_MUCH_MEMORY if exhausted else DAMAGED)
