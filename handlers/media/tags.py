"""Reads what a video or sound says about itself: title, artist, album, chapters, lyrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LONGEST_TAG = 300
LONGEST_TEXT = 50_000
MAX_CHAPTERS = 1_000
SHORT_TAGS = {  # our name -> theirs, the best first
    "title": ("title",),
    "artist": ("artist", "album_artist", "composer", "author"),
    "album": ("album", "show"),
    "track": ("track",),
    "year": ("date", "year", "originaldate"),
    "genre": ("genre",),
}
LONG_TAGS = ("lyrics", "unsyncedlyrics", "description", "synopsis", "comment")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
# What no reader sees or what turns the text around it: it would reach a title otherwise.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def tags_of(container: Any, sound: Any | None) -> dict[str, Any]:
    """Short tags by name, longer texts, and chapters with their beginning in seconds.

    Ogg keeps its tags with the sound, the others with the container.
    """
    known = {**_lower(sound.metadata if sound is not None else {}), **_lower(container.metadata)}
    tags = {name: _first(known, theirs) for name, theirs in SHORT_TAGS.items()}
    year = _YEAR.search(tags["year"] or "")
    tags["year"] = year[0] if year else None
    return {
        "title": tags.pop("title"),
        "tags": tags,
        "texts": _texts(known),
        "chapters": _chapters(container),
    }


def _lower(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in metadata.items()}


def _first(known: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    values = (" ".join(_UNSEEN.sub("", known.get(name, "")).split())[:LONGEST_TAG] for name in names)
    return next(filter(None, values), None)


def _texts(known: Mapping[str, str]) -> list[str]:
    """Lyrics and descriptions, each once; ID3 adds a language to the name: "lyrics-eng"."""
    found = {
        _UNSEEN.sub("", value.replace("\r\n", "\n").replace("\r", "\n")).strip()[:LONGEST_TEXT]: None
        for long in LONG_TAGS
        for name, value in known.items()
        if name.split("-")[0] == long
    }
    return [text for text in found if text]


def _chapters(container: Any) -> list[dict[str, Any]]:
    chapters = []
    for chapter in container.chapters()[:MAX_CHAPTERS]:
        title = _first(_lower(chapter["metadata"]), ("title",))
        start = float(chapter["start"] * chapter["time_base"])
        if title and start >= 0:
            chapters.append({"title": title, "time_s": round(start, 3)})
    return chapters
