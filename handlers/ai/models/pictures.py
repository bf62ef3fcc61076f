"""Which pictures of a file are worth sending to a provider: those of a file, or of a page, without much text.

They are made in the sandbox like every other decoding, upright, small and without metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handlers.ai.provider import Picture
from handlers.ai.reading.facts import Reading
from handlers.contract import Context, Reject
from handlers.outputs import Passage

SHORT_TEXT = 600  # characters: a picture with more of it says little besides
EMPTY_PAGE = 20  # characters; what a scan has that was not recognised
PAGES = 3  # at most, the first ones
FILE_NAME = "picture.jpg"  # what the decoders write


def pictures_of(reading: Reading, passages: Sequence[Passage], source: Path, ctx: Context) -> list[Picture]:
    """None for texts and sounds. A picture that cannot be made is left out: the file was read without it."""
    if reading.kind == "pdf":
        made = [
            _picture("handlers.media.pdf:picture", source, ctx, page)
            for page in _empty_pages(reading, passages)
        ]
        return [picture for picture in made if picture]
    decoder = {"image": "handlers.media.image:picture", "video": "handlers.media.video:picture"}.get(
        reading.kind
    )
    if decoder is None or sum(len(passage.text) for passage in passages) >= SHORT_TEXT:
        return []
    picture = _picture(decoder, source, ctx)
    return [picture] if picture else []


def _empty_pages(reading: Reading, passages: Sequence[Passage]) -> list[int]:
    lengths = dict.fromkeys(range(1, (reading.pages or 0) + 1), 0)
    for passage in passages:
        if passage.page in lengths:
            lengths[passage.page] += len(passage.text)
    return [page for page, length in lengths.items() if length < EMPTY_PAGE][:PAGES]


def _picture(decoder: str, source: Path, ctx: Context, page: int | None = None) -> Picture | None:
    options: dict[str, Any] = {"limits": ctx.settings.limits()} | ({"page": page} if page else {})
    try:
        made = ctx.decode(decoder, source, **options)
    except Reject:
        return None
    return Picture(made.files[FILE_NAME], page) if FILE_NAME in made.files else None
