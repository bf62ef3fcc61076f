"""What the file handlers return: `resolve_jobs` applies it to the tables that hold a file's results.

The keys are a contract with the database functions of `supabase/migrations`: `Analysis` becomes a row of
`file_analyses`, `Thumbnails` rows of `thumbnails`, `Cards` rows of `cards`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["image", "pdf", "video", "audio", "text"]


class Output(BaseModel):
    """Base of every output: frozen, and without keys that the database would silently ignore."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Passage(Output):
    """A piece of a file's text and where in the file it stands."""

    text: str
    page: int | None = None  # counted from 1
    time_s: float | None = None


class Analysis(Output):
    """Output of `analyze_file`, and what `create_cards` reads as its parent."""

    kind: Kind
    mime_type: str  # what the bytes say
    mime_mismatch: bool = False  # the uploader claimed something else
    title: str
    language: str | None = None  # ISO 639-1
    summary: str
    topics: list[str] = Field(default_factory=list)
    key_terms: list[str] = Field(default_factory=list)
    pages: int | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    content: list[Passage] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)  # what is missing and why: "ocr: unavailable"
    provider: str = "offline"
    degraded: bool = False  # less than the file could give: a provider or text recognition did not answer
    content_sha256: str


class Thumbnail(Output):
    """One stored picture. `size` names the box it was fitted into; `width` and `height` are its own."""

    bucket: str
    path: str
    width: int
    height: int
    bytes: int
    size: int


class Thumbnails(Output):
    """Output of `create_thumbnail`."""

    thumbnails: list[Thumbnail] = Field(default_factory=list)
    placeholder: str | None = None  # base64 of a tiny WebP, shown while the thumbnail loads
    notes: list[str] = Field(default_factory=list)


class CardSource(Output):
    """Where a card comes from; `quote` is a literal span of the file's text."""

    page: int | None = None
    time_s: float | None = None
    quote: str


class Card(Output):
    """One question and answer. `key` stays the same when the same file is read again."""

    key: str
    type: Literal["basic", "cloze"]
    front: str
    back: str
    hint: str | None = None
    tags: list[str] = Field(default_factory=list)
    source: CardSource
    difficulty: float = Field(ge=0, le=1)
    confidence: float = Field(ge=0, le=1)


class Cards(Output):
    """Output of `create_cards`. `dropped` counts the candidates that failed a check, by reason."""

    cards: list[Card] = Field(default_factory=list)
    dropped: dict[str, int] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
