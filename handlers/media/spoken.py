"""Reads the subtitles that a video carries: what is said, and when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from handlers.media.container import skip_all_but
from handlers.media.subtitles import plain

try:
    import av
except ImportError:  # the extra `video` is not installed
    av = None

TEXT_CODECS = frozenset(
    ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text")
)  # the others are pictures
MAX_TRACKS = 8
MAX_SUBTITLES = 20_000
MAX_CHARACTERS = 500_000
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}")


def subtitles_of(container: Any) -> list[dict[str, Any]]:
    """The lines of the first track that says something; one that is shown by default comes first."""
    tracks = [
        stream
        for stream in container.streams.subtitles
        if stream.codec_context is not None and stream.codec_context.name in TEXT_CODECS
    ]
    default = av.stream.Disposition.default
    tracks.sort(key=lambda stream: not stream.disposition & default)
    for track in tracks[:MAX_TRACKS]:
        lines = _lines(container, track)
        if lines:
            return lines
    return []


def _lines(container: Any, track: Any) -> list[dict[str, Any]]:
    container.seek(0)
    skip_all_but(container, track)
    lines: list[dict[str, Any]] = []
    characters = 0
    try:
        for packet in container.demux(track):
            text = "\n".join(_dialogue(packet))
            if not text or packet.pts is None:
                continue
            start = max(0.0, float(packet.pts * packet.time_base))
            end = start + max(0.0, float((packet.duration or 0) * packet.time_base))
            lines.append({"text": text, "time_s": round(start, 3), "end_s": round(end, 3)})
            characters += len(text)
            if len(lines) >= MAX_SUBTITLES or characters >= MAX_CHARACTERS:
                break
    except av.error.InvalidDataError:
        pass  # the rest is damaged
    return lines


def _dialogue(packet: Any) -> Iterator[str]:
    for line in packet.decode():
        spoken = (getattr(line, "dialogue", b"") or b"").decode("utf-8", "replace")
        if not _DRAWING.search(spoken):
            text = plain(spoken.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " "))
            if text:
                yield text
