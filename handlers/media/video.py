"""Reads videos and sounds with FFmpeg's libraries, in the sandboxed child: facts, subtitles, a poster.

FFmpeg guesses the container from the content and follows references to other files and addresses. So the
container's name is forced from the sniffed type, the input is an open file without a name, and only the
listed formats, and no protocols, are allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handlers.media.pixels import SIZES, from_rgba, write_thumbnails
from handlers.media.refused import Refused
from handlers.media.sniff import sniff_file

try:
    import av
except ImportError:  # the extra `video` is not installed
    av = None

CONTAINERS = {
    **dict.fromkeys(("video/mp4", "video/quicktime", "audio/mp4"), "mov"),
    **dict.fromkeys(("video/webm", "video/x-matroska"), "matroska"),
    **dict.fromkeys(("audio/ogg", "video/ogg"), "ogg"),
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/aac": "aac",
}
WHITELISTS = {"format_whitelist": "mov,matroska,webm,mp3,wav,flac,ogg,aac", "protocol_whitelist": ""}
MAX_SECONDS = 4 * 3600
MAX_PIXELS = 8_300_000
MAX_SUBTITLES = 20_000
MAX_SUBTITLE_CHARACTERS = 500_000
MAX_PACKETS_PER_FRAME = 300
POSTER_POSITIONS = (0.02, 0.10, 0.25, 0.50, 0.75)
PROBE_WIDTH, PROBE_HEIGHT = 160, 90
HDR_TRANSFERS = (16, 18)  # PQ and HLG
ASS_OVERRIDE = re.compile(r"\{[^{}]*\}|<[^<>]{0,80}>")
DAMAGED = "the video or sound is damaged or incomplete"


def inspect(
    source: Path,
    folder: Path,  # noqa: ARG001
    max_seconds: int = MAX_SECONDS,
    max_pixels: int = MAX_PIXELS,
) -> dict[str, Any]:
    """Duration, size as seen, codecs and embedded subtitles with their times in seconds."""
    with _open(source) as container:
        video = _video_stream(container, max_pixels)
        seconds = _duration(container)
        if seconds is not None and seconds > max_seconds:
            raise Refused(f"the video or sound is longer than {max_seconds // 3600} hours")
        facts: dict[str, Any] = {
            "duration_seconds": seconds,
            "has_video": video is not None,
            "has_audio": bool(container.streams.audio),
            "width": None,
            "height": None,
            "codec": None,
            "frames_per_second": None,
            "hdr": False,
            "title": container.metadata.get("title"),
        }
        if video is not None:
            facts |= _video_facts(container, video)
        facts["subtitles"] = _subtitles(container)
    return facts


def thumbnails(
    source: Path, folder: Path, sizes: Sequence[int] = SIZES, max_pixels: int = MAX_PIXELS
) -> dict[str, Any]:
    """Writes `<size>.webp` for each size, of the liveliest of five key frames; none for a mere sound."""
    with _open(source) as container:
        video = _video_stream(container, max_pixels)
        if video is None:
            return {"thumbnails": [], "placeholder": None, "has_video": False}
        frame = _poster(container, video)
        if frame is None:
            raise Refused(DAMAGED)
        image = _upright(frame, video, max(sizes))
        facts = {"has_video": True, "time_s": frame.time, "hdr": _is_hdr(frame)}
    return facts | write_thumbnails(image, folder, sizes)


@contextmanager
def _open(source: Path) -> Iterator[Any]:
    if av is None:
        raise Refused("videos and sounds are not read here: the extra 'video' is not installed")
    container_format = CONTAINERS.get(sniff_file(source, name="", claimed=None).mime_type)
    if container_format is None:
        raise Refused("the file is not a video or a sound")
    with source.open("rb") as file:
        try:
            with av.open(
                file, format=container_format, options=WHITELISTS, metadata_errors="replace"
            ) as container:
                yield container
        except av.error.MemoryError:
            raise MemoryError from None
        except av.error.FFmpegError:
            raise Refused(DAMAGED) from None


def _video_stream(container: Any, max_pixels: int) -> Any | None:
    """The first moving picture: the cover of a song is not one."""
    for stream in container.streams.video:
        if stream.disposition & av.stream.Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise Refused("the video's encoding is not supported")
        if stream.width * stream.height > max_pixels:
            limit = f"at most {max_pixels / 1e6:g} megapixels are read"
            raise Refused(f"the video is too large ({stream.width} x {stream.height}): {limit}")
        stream.thread_type = "SLICE"  # threads by frame hold back one picture per thread
        return stream
    return None


def _duration(container: Any) -> float | None:
    if container.duration is None or container.duration <= 0:
        return None
    return round(float(container.duration) / float(av.time_base), 3)


def _video_facts(container: Any, stream: Any) -> dict[str, Any]:
    frame = _next_frame(container, stream)
    if frame is None:
        raise Refused(DAMAGED)
    width, height = _shown_size(frame, stream)
    rate = stream.average_rate
    return {
        "width": width,
        "height": height,
        "codec": stream.codec_context.name,
        "frames_per_second": round(float(rate), 3) if rate else None,
        "hdr": _is_hdr(frame),
    }


def _shown_size(frame: Any, stream: Any) -> tuple[int, int]:
    """The size on screen: pixels may be oblong, and a phone's video carries its rotation apart."""
    ratio = float(stream.sample_aspect_ratio or 1)
    width, height = max(1, round(frame.width * ratio)), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def _is_hdr(frame: Any) -> bool:
    return int(frame.color_trc) in HDR_TRANSFERS


def _next_frame(container: Any, stream: Any) -> Any | None:
    """The next picture that can be decoded, within a bounded number of packets.

    A decoder holds pictures back to put them in order; where the file breaks off, they are asked for.
    """
    try:
        for count, packet in enumerate(container.demux(stream)):
            for frame in packet.decode():
                return frame
            if count > MAX_PACKETS_PER_FRAME:
                break
    except av.error.InvalidDataError:
        pass  # the rest is damaged; what came before may be complete
    try:
        return next(iter(stream.codec_context.decode(None)), None)
    except (av.error.InvalidDataError, av.error.EOFError):
        return None


def _poster(container: Any, stream: Any) -> Any | None:
    """The key frame with the most contrast: the first one of a film is often black."""
    stream.codec_context.skip_frame = "NONKEY"
    seconds = _duration(container) or 0.0
    best, best_contrast = None, -1.0
    for position in POSTER_POSITIONS:
        try:
            if seconds:
                container.seek(int(seconds * position * av.time_base))
            frame = _next_frame(container, stream)
        except (av.error.InvalidDataError, OSError):
            continue  # one unreadable place does not spoil the others
        contrast = _contrast(frame) if frame is not None else -1.0
        if contrast > best_contrast:
            best, best_contrast = frame, contrast
    return best


def _contrast(frame: Any) -> float:
    grey = _picture(frame, PROBE_WIDTH, PROBE_HEIGHT).colourspace("b-w")
    return float(grey.deviate())


def _upright(frame: Any, stream: Any, size: int) -> Any:
    ratio = float(stream.sample_aspect_ratio or 1)
    width, height = frame.width * ratio, float(frame.height)
    scale = min(1.0, size / max(width, height))
    image = _picture(frame, max(1, round(width * scale)), max(1, round(height * scale)))
    return image.rot(f"d{-frame.rotation % 360}") if frame.rotation % 90 == 0 else image


def _picture(frame: Any, width: int, height: int) -> Any:
    plane = frame.reformat(width=width, height=height, format="rgba").planes[0]
    return from_rgba(bytes(plane), plane.line_size // 4, height).crop(0, 0, width, height)


def _subtitles(container: Any) -> list[dict[str, Any]]:
    """The first text subtitle track: what is said, and when."""
    if not container.streams.subtitles:
        return []
    container.seek(0)
    stream = container.streams.subtitles[0]
    lines: list[dict[str, Any]] = []
    characters = 0
    for packet in container.demux(stream):
        text = "\n".join(_dialogue(packet))
        if not text or packet.pts is None:
            continue
        start = float(packet.pts * packet.time_base)
        end = start + float((packet.duration or 0) * packet.time_base)
        lines.append({"text": text, "time_s": round(start, 3), "end_s": round(end, 3)})
        characters += len(text)
        if len(lines) >= MAX_SUBTITLES or characters >= MAX_SUBTITLE_CHARACTERS:
            break
    return lines


def _dialogue(packet: Any) -> Iterator[str]:
    for line in packet.decode():
        spoken = getattr(line, "dialogue", b"") or b""
        text = spoken.decode("utf-8", "replace").replace("\\N", "\n").replace("\\h", " ")
        text = ASS_OVERRIDE.sub("", text).strip()
        if text:
            yield text
