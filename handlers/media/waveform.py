"""Draws a sound: how loud it is from its beginning to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pypdfium2
import pyvips

from handlers.media import pdf
from handlers.media.container import sounding_stream
from handlers.media.page import Colour, Page, text_width, write_pdf
from handlers.media.preview import ACCENT, GREY

try:
    import av
except ImportError:  # the extra `video` is not installed
    av = None

WIDTH, HEIGHT, MARGIN = 640.0, 360.0, 44.0
BACKGROUND: Colour = (0.945, 0.953, 0.988)
BARS = 64
BAR_WIDTH = 5.0
MIDDLE, TALLEST, SMALLEST = 150.0, 200.0, 0.5  # a bar's round ends come on top
SAMPLES_PER_SECOND = 8_000
DECODED_SECONDS = 300.0  # of a longer sound so much is heard, in pieces spread over all of it
QUIET = 60.0  # of 32,767: what is no louder than that throughout is silence, not to be blown up
SOFTNESS = 0.6  # the ear hears less than the numbers say


def loudness(container: Any, seconds: float | None) -> list[float]:
    """How loud each of `BARS` equal parts is, 0 to 1; nothing if no sound can be decoded."""
    stream = sounding_stream(container)
    if stream is None:
        return []
    if seconds is not None and seconds > DECODED_SECONDS:
        levels = [_level(_piece(container, stream, at)) for at in _places(seconds)]
    else:
        levels = _levels_of(b"".join(_samples(container, stream, DECODED_SECONDS)))
    heard = [level for level in levels if level is not None]
    if not heard:
        return []
    loudest = max(*heard, QUIET)
    return [((level or 0.0) / loudest) ** SOFTNESS for level in levels]


def draw(levels: Sequence[float], title: str, details: str, side: int) -> Any:
    """The picture, its longer side `side` pixels: bars with round ends, the title and a line below it."""
    page = Page(WIDTH, HEIGHT)
    page.rectangle(0, 0, WIDTH, HEIGHT, BACKGROUND)
    step = (WIDTH - 2 * MARGIN) / max(len(levels), 1)
    for number, level in enumerate(levels):
        height = max(SMALLEST, level * TALLEST)
        page.bar(MARGIN + step * (number + 0.5), MIDDLE - height / 2, height, BAR_WIDTH, ACCENT)
    page.text(MARGIN, HEIGHT - 58, _fitting(title, 21), 21, "bold")
    page.text(MARGIN, HEIGHT - 34, _fitting(details, 14), 14, colour=GREY)
    document = pypdfium2.PdfDocument(write_pdf([page]))
    try:
        return pdf.render(document, 1, side)
    finally:
        document.close()


def _fitting(text: str, size: float) -> str:
    shown = " ".join(text.split())[:200]
    while shown and text_width(shown, size, "bold") > WIDTH - 2 * MARGIN:
        shown = shown[:-1]
    return shown


def _places(seconds: float) -> list[float]:
    return [seconds * number / BARS for number in range(BARS)]


def _piece(container: Any, stream: Any, at: float) -> bytes:
    """The samples of a few seconds; none where the file cannot be read."""
    try:
        container.seek(int(at * av.time_base))
    except (av.error.FFmpegError, OSError):
        return b""
    return b"".join(_samples(container, stream, DECODED_SECONDS / BARS))


def _samples(container: Any, stream: Any, seconds: float) -> Iterator[bytes]:
    """Two bytes per sample, one channel, for at most so many seconds; damaged packets are left out."""
    resampler = av.AudioResampler("s16", "mono", SAMPLES_PER_SECOND)
    left = int(seconds * SAMPLES_PER_SECOND)
    try:
        for packet in container.demux(stream):
            for frame in _frames(packet):
                for part in resampler.resample(frame):
                    yield bytes(part.planes[0])[: 2 * min(part.samples, left)]
                    left -= part.samples
                    if left <= 0:
                        return
    except (av.error.InvalidDataError, ValueError):
        return  # the sound breaks off, or changes into another one on the way


def _frames(packet: Any) -> list[Any]:
    try:
        return list(packet.decode())
    except av.error.InvalidDataError:
        return []


def _levels_of(samples: bytes) -> list[float | None]:
    step = len(samples) // 2 / BARS
    return [_level(samples[2 * int(bar * step) : 2 * int((bar + 1) * step)]) for bar in range(BARS)]


def _level(samples: bytes) -> float | None:
    """The root of the mean square, of numbers up to 32,767."""
    count = len(samples) // 2
    if not count:
        return None
    return float(pyvips.Image.new_from_memory(samples[: 2 * count], count, 1, 1, "short").deviate())
