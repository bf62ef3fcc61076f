"""Reads files of subtitles (SubRip, WebVTT): what is said, and when."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from handlers.media.limits import Limits
from handlers.media.refused import Refused
from handlers.media.sections import Cue, Text

MAX_CUES = 20_000
_CLOCK = r"(?:(\d{1,3}):)?(\d{1,2}):(\d\d)[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_CLOCK}[ \t]*-->[ \t]*{_CLOCK}(?:\s|$)")
_TAG = re.compile(r"<[^<>\n]{0,200}>|\{[^{}\n]{0,200}\}")


def read(text: str, notes: Sequence[str], limits: Limits) -> Text:
    """The cues in the order of their times, without markup, and without the lines that only scroll by."""
    cues: list[Cue] = []
    characters, truncated = 0, False
    before: list[str] = []
    for cue in _cues(text.split("\n")):
        lines = cue.text.split("\n")
        spoken = "\n".join(line for line in lines if line not in before)
        before = lines
        if not spoken:
            continue
        characters += len(spoken)
        truncated = len(cues) >= MAX_CUES or characters > limits.max_text_characters
        if truncated:
            break
        cues.append(Cue(spoken, cue.start, cue.end))
    if not cues:
        raise Refused("there are no subtitles in the file")
    return Text(cues=sorted(cues, key=_start), truncated=truncated, notes=notes)


def plain(text: str) -> str:
    """A cue's text without tags and styling; one that says nothing is empty."""
    lines = (html.unescape(_TAG.sub("", line)).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _start(cue: Cue) -> float:
    return cue.start


def _cues(lines: Sequence[str]) -> Iterator[Cue]:
    """What stands between a line of times and the next empty one; all else is numbers, notes and styles."""
    times: tuple[float, float] | None = None
    spoken: list[str] = []
    for line in (*lines, ""):
        timing = _TIMING.match(line)
        if timing is None and line.strip():
            spoken.append(line)
            continue
        if times is not None:
            if timing is not None and spoken and spoken[-1].strip().isdecimal():
                spoken.pop()  # the next cue's number: the empty line before it is missing
            text = plain("\n".join(spoken))
            if text:
                yield Cue(text, *times)
        times = _times(timing) if timing is not None else None
        spoken = []


def _times(timing: re.Match[str]) -> tuple[float, float]:
    start, end = _seconds(timing.groups()[:4]), _seconds(timing.groups()[4:])
    return start, max(start, end)


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
