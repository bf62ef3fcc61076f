"""What reading a file gives, whatever its kind: the text with its place in the file, and the bare facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from handlers.outputs import Kind, Passage


@dataclass(frozen=True)
class Reading:
    """What the decoders said about a file."""

    kind: Kind
    passages: Sequence[Passage] = ()
    title: str | None = None
    pages: int | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    notes: Sequence[str] = field(default_factory=tuple)
