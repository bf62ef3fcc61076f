"""The most memory that this process has had; and the decoder of create_thumbnail, which says so of its child."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BOXES = (1024, 256)


def peak_mb() -> float:
    """VmHWM: the most that was resident at once, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no VmHWM: memory is measured on Linux only")


def decode(source: Path, folder: Path, **options: Any) -> dict[str, Any]:
    """A decoder for the sandbox."""
    from handlers.media import image  # noqa: PLC0415 - Pillow's process, which asks for its peak too, has no libvips

    made = image.thumbnails(source, folder, **options)
    sizes = sorted(((one["width"], one["height"]) for one in made["thumbnails"]), reverse=True)
    return {"sizes": sizes, "peak_mb": peak_mb()}
