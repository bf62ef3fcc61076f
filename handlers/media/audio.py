"""Makes the picture of a sound, in the sandboxed child: its cover, or else how loud it is over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyvips

from handlers.media import image
from handlers.media.container import DAMAGED, duration_of, is_cover, open_container, sounding_stream
from handlers.media.limits import MEGABYTE, Limits
from handlers.media.pixels import SIZES, write_thumbnails
from handlers.media.refused import Refused
from handlers.media.tags import tags_of
from handlers.media.waveform import draw, loudness

UNTITLED = "Sound recording"


def thumbnails(
    source: Path, folder: Path, sizes: Sequence[int] = SIZES, limits: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes `<size>.webp` for each size. A cover that is damaged or too large counts as none."""
    picture = cover(source, folder, max(sizes), Limits.of(limits))
    if picture is None:
        picture = _waveform(source, max(sizes), Limits.of(limits))
    return {"has_video": False, **write_thumbnails(picture, folder, sizes)}


def cover(source: Path, folder: Path, size: int, limits: Limits) -> Any | None:
    """The picture that goes with the sound, no side longer than `size`."""
    with open_container(source) as container:
        stream = next(filter(is_cover, container.streams.video), None)
        if stream is None:
            return None
        data = next((bytes(packet) for packet in container.demux(stream) if packet.size), b"")
    if not data or len(data) > limits.max_image_mb * MEGABYTE:
        return None
    file = folder / "cover"
    file.write_bytes(data)
    try:
        return image.load(file, size, limits.model_dump()).copy_memory()
    except (Refused, pyvips.Error):
        return None
    finally:
        file.unlink()


def _waveform(source: Path, size: int, limits: Limits) -> Any:
    with open_container(source) as container:
        seconds = duration_of(source, container, limits)
        known = tags_of(container, sounding_stream(container))
        levels = loudness(container, seconds)
    if not levels:
        raise Refused(DAMAGED)
    artist = known["tags"]["artist"]
    length = f"{int(seconds) // 60}:{int(seconds) % 60:02}" if seconds else ""
    return draw(levels, known["title"] or UNTITLED, " · ".join(filter(None, (artist, length))), size)
