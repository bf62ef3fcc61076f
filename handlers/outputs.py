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


SafetyFlag = Literal["sexual", "violence", "hate", "self_harm", "dangerous", "personal_data"]


class AiUse(Output):
    """What the provider was asked for, all requests together; `cost` where the prices are configured."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None


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
    safety_flags: list[SafetyFlag] = Field(default_factory=list)  # what a provider warned of
    use: AiUse = AiUse()
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
    """Output of `create_thumbnail`. `width` and `height` are the original's as seen: pixels, a PDF's in points."""

    thumbnails: list[Thumbnail] = Field(default_factory=list)
    placeholder: str | None = None  # data: URI of a tiny WebP, shown while the thumbnail loads
    width: int | None = None
    height: int | None = None
    notes: list[str] = Field(default_factory=list)


class CardSource(Output):
    """Where a card comes from; `quote` is a literal span of the file's text."""

    page: int | None = None
    time_s: float | None = None
    quote: str


class Schedule(Output):
    """Where a card stands in the memory model FSRS; the defaults are a new card's, which is due at once."""

    state: int = 1  # 1 learning, 2 review, 3 relearning
    step: int | None = 0
    stability: float | None = None  # days
    difficulty: float | None = None  # 1 to 10


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
    confidence: float = Field(ge=0, le=1)  # how sure the rule or the provider is that the card is true
    quality: float = Field(1.0, ge=0, le=1)  # how good a card it is: one fact, short, easy to read
    fsrs: Schedule = Schedule()


class Cards(Output):
    """Output of `create_cards`. `dropped` counts the candidates that failed a check, by reason."""

    cards: list[Card] = Field(default_factory=list)
    dropped: dict[str, int] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    provider: str = "offline"
    degraded: bool = False  # the provider did not answer, and the rules did
    use: AiUse = AiUse()
