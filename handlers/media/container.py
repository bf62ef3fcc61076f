"""Opens videos and sounds with FFmpeg's libraries, so that they can do no harm: for all decoders that need them.

FFmpeg guesses the container from the content and follows references to other files and addresses. So the
container's name is forced from the sniffed type, the input is an open file without a name, and only the
listed formats, and no protocols, are allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handlers.media.limits import Limits
from handlers.media.refused import Refused
from handlers.media.sniff import type_of

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
ESTIMATED = ("aac",)  # a bare stream without any header: FFmpeg extrapolates its first packets
LEAST_BYTES_PER_SECOND = 1000  # of a file that plays as long as it says
MAX_PACKETS = 3_000_000
DAMAGED = "the video or sound is damaged or incomplete"


@contextmanager
def open_container(source: Path) -> Iterator[Any]:
    """The file's container; what FFmpeg says against it, then or later, becomes `Refused`."""
    if av is None:
        raise Refused("videos and sounds are not read here: the extra 'video' is not installed")
    container_format = CONTAINERS.get(type_of(source).mime_type)
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


def duration_of(source: Path, container: Any, limits: Limits) -> float | None:
    """How many seconds the file plays; raises `Refused` above the limit.

    What the header says is believed where the file is large enough for it. Otherwise, and where it says
    nothing (a recording that was streamed), the packets are counted, without decoding any.
    """
    most = limits.max_video_hours * 3600
    seconds = None if container.format.name in ESTIMATED else claimed_seconds(container)
    if seconds is None or seconds > min(most, source.stat().st_size / LEAST_BYTES_PER_SECOND):
        seconds = _measured_seconds(source, most)
    if seconds is not None and seconds > most:
        raise Refused(f"the video or sound is longer than {limits.max_video_hours:g} hours")
    return None if seconds is None else round(seconds, 3)


def claimed_seconds(container: Any) -> float | None:
    """What the header says."""
    if container.duration is None or container.duration <= 0:
        return None
    return float(container.duration) / float(av.time_base)


def sounding_stream(container: Any) -> Any | None:
    """The first audio track that can be decoded."""
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def is_cover(stream: Any) -> bool:
    """Whether a stream of pictures is the one picture that goes with a sound."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def skip_all_but(container: Any, wanted: Any) -> None:
    """Lets the reading pass over the other tracks' bytes."""
    choices = av.stream.Discard
    for stream in container.streams:
        stream.discard = choices.default if stream is wanted else choices.all


def _measured_seconds(source: Path, most: float) -> float | None:
    """The end of the last packet, as far as the file can be read and not much beyond `most` seconds."""
    last = 0.0
    with open_container(source) as container:
        moving = (stream for stream in container.streams.video if not is_cover(stream))
        stream = sounding_stream(container) or next(moving, None)
        if stream is None:
            return None
        skip_all_but(container, stream)
        try:
            for count, packet in enumerate(container.demux(stream)):
                if packet.pts is not None and packet.time_base:
                    last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if last > most or count > MAX_PACKETS:
                    break
        except av.error.InvalidDataError:
            pass  # what came before can be played
    return last or None
