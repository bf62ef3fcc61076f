"""Reads videos and sounds, in the sandboxed child: facts, tags, subtitles, and a picture of a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from handlers.media import audio, hdr
from handlers.media.container import (
    DAMAGED,
    claimed_seconds,
    duration_of,
    is_cover,
    open_container,
    sounding_stream,
)
from handlers.media.limits import MEGAPIXEL, Limits
from handlers.media.pixels import PICTURE_SIDE, SIZES, from_rgba, write_picture, write_thumbnails
from handlers.media.refused import Refused
from handlers.media.spoken import subtitles_of
from handlers.media.tags import tags_of

try:
    import av
except ImportError:  # the extra `video` is not installed
    av = None

POSTER_POSITIONS = (0.02, 0.10, 0.25, 0.50, 0.75)
PROBE_WIDTH, PROBE_HEIGHT = 160, 90
BLANK = 4.0  # contrast, of 127: below it a picture shows nothing, noise at the most
LOOK_EVERY = 6  # pictures of a film that is followed from its beginning
RATE_PACKETS = 300  # of a video that claims too high a rate: enough to see its true one
MOST_OBLONG_PIXEL = 10
NOTHING_PLAYS = (
    "nothing in the file can be played: it is damaged or incomplete, or its encoding is not supported"
)


def inspect(
    source: Path,
    folder: Path,  # noqa: ARG001
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Duration, size as seen, codec, tags, chapters, and embedded subtitles with their times in seconds."""
    most = Limits.of(limits)
    with open_container(source) as container:
        video, sound = _video_stream(source, container, most), sounding_stream(container)
        if video is None and sound is None:
            raise Refused(NOTHING_PLAYS)
        facts: dict[str, Any] = {
            "duration_seconds": duration_of(source, container, most),
            "has_video": video is not None,
            "has_audio": sound is not None,
            "width": None,
            "height": None,
            "codec": None,
            "frames_per_second": None,
            "hdr": False,
            **tags_of(container, sound),
        }
        if video is not None:
            facts |= _video_facts(container, video, most)
        else:
            facts |= _sound_facts(container, sound)
        facts["subtitles"] = subtitles_of(container)
    return facts


def thumbnails(
    source: Path, folder: Path, sizes: Sequence[int] = SIZES, limits: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Writes `<size>.webp` for each size, of the liveliest of five key frames; of a mere sound its own."""
    found = _poster_of(source, max(sizes), Limits.of(limits))
    if found is None:
        return audio.thumbnails(source, folder, sizes, limits)
    image, facts = found
    return facts | write_thumbnails(image, folder, sizes)


def picture(source: Path, folder: Path, limits: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Writes the same frame as `picture.jpg`, for an AI provider that looks at pictures; of a sound its cover."""
    most = Limits.of(limits)
    found = _poster_of(source, PICTURE_SIDE, most)
    image = found[0] if found is not None else audio.cover(source, folder, PICTURE_SIDE, most)
    if image is None:
        raise Refused("there is no picture in the sound")
    return write_picture(image, folder)


def _poster_of(source: Path, size: int, limits: Limits) -> tuple[Any, dict[str, Any]] | None:
    with open_container(source) as container:
        stream = _video_stream(source, container, limits)
        if stream is None:
            return None
        duration_of(source, container, limits)
        frame = _poster(container, stream, limits.max_video_frames)
        if frame is None:
            raise Refused(DAMAGED)
        width, height = _shown_size(frame, stream)
        facts = {
            "has_video": True,
            "time_s": _time_of(frame, stream),
            "hdr": _is_hdr(frame),
            "width": width,
            "height": height,
        }
        return _upright(frame, stream, size), facts


def _video_stream(source: Path, container: Any, limits: Limits) -> Any | None:
    """The first moving picture: the cover of a song is not one."""
    for stream in container.streams.video:
        if is_cover(stream):
            continue
        if stream.codec_context is None:
            raise Refused("the video's encoding is not supported")
        if stream.width * stream.height > limits.max_video_megapixels * MEGAPIXEL:
            limit = f"at most {limits.max_video_megapixels:g} megapixels are read"
            raise Refused(f"the video is too large ({stream.width} x {stream.height}): {limit}")
        if (stream.average_rate or 0) > limits.max_video_fps and _true_rate(source) > limits.max_video_fps:
            raise Refused(f"the video has more than {limits.max_video_fps:g} pictures a second")
        stream.thread_type = "SLICE"  # threads by frame hold back one picture per thread
        return stream
    return None


def _true_rate(source: Path) -> float:
    """Pictures a second at the beginning, counted: recordings of a changing rate claim any."""
    with open_container(source) as container:
        stream = next(stream for stream in container.streams.video if not is_cover(stream))
        packets = islice(container.demux(stream), RATE_PACKETS)
        times = [float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None]
    length = max(times, default=0.0) - min(times, default=0.0)
    return (len(times) - 1) / length if length > 0 else 0.0


def _video_facts(container: Any, stream: Any, limits: Limits) -> dict[str, Any]:
    frame = _next_frame(container, stream, limits.max_video_frames)
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


def _sound_facts(container: Any, stream: Any) -> dict[str, Any]:
    if _next_frame(container, stream, RATE_PACKETS) is None:
        raise Refused(DAMAGED)
    return {"codec": stream.codec_context.name}


def _time_of(frame: Any, stream: Any) -> float | None:
    """Seconds from the beginning. A picture that was held back does not know how its time is counted."""
    return None if frame.pts is None else float(frame.pts * stream.time_base)


def _shown_size(frame: Any, stream: Any) -> tuple[int, int]:
    """The size on screen: pixels may be oblong, and a phone's video carries its rotation apart."""
    width, height = max(1, round(frame.width * _pixel_ratio(stream))), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def _pixel_ratio(stream: Any) -> float:
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if 1 / MOST_OBLONG_PIXEL <= ratio <= MOST_OBLONG_PIXEL else 1.0


def _is_hdr(frame: Any) -> bool:
    return int(frame.color_trc) in hdr.TRANSFERS


def _next_frame(container: Any, stream: Any, max_packets: int) -> Any | None:
    """The next picture (or piece of sound) that can be decoded, within so many packets.

    A decoder holds pictures back to put them in order; where the file breaks off, they are asked for.
    """
    try:
        for count, packet in enumerate(container.demux(stream), 1):
            for frame in packet.decode():
                return frame
            if count >= max_packets:
                break
    except (av.error.InvalidDataError, av.error.EOFError):
        pass  # the rest is damaged; what came before may be complete
    try:
        return next(iter(stream.codec_context.decode(None)), None)
    except (av.error.InvalidDataError, av.error.EOFError):
        return None


def _poster(container: Any, stream: Any, max_frames: int) -> Any | None:
    """The key frame with the most contrast: the first one of a film is often black.

    `max_frames` are shared by the places that are looked at; the beginning is looked at again if the
    others gave nothing, as in a film that is shorter than it says.
    """
    stream.codec_context.skip_frame = "NONKEY"
    seconds = claimed_seconds(container) or 0.0
    share = max(max_frames // (len(POSTER_POSITIONS) + 1), 1)
    best, best_contrast = None, -1.0
    for position in (*POSTER_POSITIONS, 0.0):
        if position == 0.0 and best is not None:
            break
        try:
            if seconds:
                container.seek(int(seconds * position * av.time_base))
            frame = _next_frame(container, stream, share)
        except (av.error.FFmpegError, OSError):
            continue  # one unreadable place does not spoil the others
        contrast = _contrast(frame) if frame is not None else -1.0
        if contrast > best_contrast:
            best, best_contrast = frame, contrast
    if best is not None and best_contrast < BLANK:
        return _after_the_fade(container, stream, max_frames) or best
    return best


def _after_the_fade(container: Any, stream: Any, max_frames: int) -> Any | None:
    """The first picture from the beginning on that shows something, key frame or not.

    A short film often has one key frame, and where it fades in, that one is black.
    """
    stream.codec_context.skip_frame = "DEFAULT"
    try:
        container.seek(0)
        for count, frame in enumerate(islice(container.decode(stream), max_frames)):
            if count % LOOK_EVERY == 0 and _contrast(frame) >= BLANK:
                return frame
    except (av.error.FFmpegError, OSError):
        pass  # what is there is damaged, or ends: the blank picture has to do
    return None


def _contrast(frame: Any) -> float:
    grey = _sdr(frame, PROBE_WIDTH, PROBE_HEIGHT).colourspace("b-w")
    return float(grey.deviate())


def _upright(frame: Any, stream: Any, size: int) -> Any:
    width, height = frame.width * _pixel_ratio(stream), float(frame.height)
    scale = min(1.0, size / max(width, height))
    target = max(1, round(width * scale)), max(1, round(height * scale))
    image = _tone_mapped(frame, *target) if _is_hdr(frame) else _sdr(frame, *target)
    return image.rot(f"d{-frame.rotation % 360}") if frame.rotation % 90 == 0 else image


def _sdr(frame: Any, width: int, height: int) -> Any:
    plane = frame.reformat(width=width, height=height, format="rgba").planes[0]
    return from_rgba(bytes(plane), plane.line_size // 4, height).crop(0, 0, width, height)


def _tone_mapped(frame: Any, width: int, height: int) -> Any:
    plane = frame.reformat(width=width, height=height, format="rgb48le").planes[0]
    image = hdr.tone_mapped(bytes(plane), plane.line_size // 6, height, int(frame.color_trc))
    return image.crop(0, 0, width, height)
