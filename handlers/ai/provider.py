"""What any AI provider has to answer, and what it is given: text that a decoder already extracted.

`analyze_file` and `create_cards` know only this protocol. A provider never sees the original bytes, the
storage path or the organisation, and the text is data: whatever it says, nothing in it is an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from handlers.contract import Context
from handlers.outputs import AiUse, Analysis, Cards, Kind, Passage, SafetyFlag


@dataclass(frozen=True)
class Picture:
    """A picture of the file or of one of its pages, as JPEG and small enough to be sent."""

    jpeg: bytes
    page: int | None = None


@dataclass(frozen=True)
class ExtractedFile:
    """A file after decoding: its text, and the few facts that are known without reading it."""

    kind: Kind
    file_name: str
    passages: Sequence[Passage] = field(default_factory=tuple)
    title: str | None = None  # from the file's metadata
    pages: int | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    pictures: Sequence[Picture] = ()  # where there is little text, for a provider that wants them


@dataclass(frozen=True)
class Description:
    """What a provider says about a file; `analyze_file` adds what the decoders know."""

    title: str
    summary: str
    language: str | None = None  # ISO 639-1, `None` when unsure
    topics: Sequence[str] = ()
    key_terms: Sequence[str] = ()
    safety_flags: Sequence[SafetyFlag] = ()
    readings: Sequence[Passage] = ()  # what it read in the pictures
    notes: Sequence[str] = ()
    provider: str = "offline"  # who described it in the end
    degraded: bool = False  # the provider did not answer and the offline rules did
    use: AiUse = field(default_factory=AiUse)


class Provider(Protocol):
    """Turns text into a description and cards."""

    @property
    def name(self) -> str:
        """Recorded with the analysis: "offline", or service and model."""
        ...

    @property
    def version(self) -> str:
        """All that its answers depend on besides the file: results of another version are not reused."""
        ...

    @property
    def wants_pictures(self) -> bool:
        """Whether `ExtractedFile.pictures` are of use to it."""
        ...

    def analyze(self, source: ExtractedFile, ctx: Context) -> Description:
        """Title, language, summary, topics and key terms of a file.

        From the context it needs how much time is left, what was paid for already, and where costs are told.
        """
        ...

    def cards(self, analysis: Analysis, ctx: Context) -> Cards:
        """The cards of an analysed file; every quote is a literal span of its content."""
        ...
