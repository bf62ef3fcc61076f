"""What `crontick export` takes out of a project: an organisation's cards, a deck per file.

Read with the secret key, so the organisation is asked for in every query, and only files that are current
are exported: an overwritten or deleted one is as gone here as it is for its owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.cli import files
from functions.cli.connection import Connection
from functions.cli.rows import ExportedCard, FileStatus, Thumbnail
from functions.cli.terminal import Problem, command


@dataclass(frozen=True)
class Deck:
    """One file's cards, in their order, and what is shown beside them."""

    file: FileStatus
    title: str
    cards: Sequence[ExportedCard]
    thumbnail: Thumbnail | None = None
    picture: bytes | None = None  # the thumbnail's bytes, where they are wanted

    @property
    def name(self) -> str:
        """How the deck is called in Anki, which parts levels by colons: the file below its organisation."""
        path = self.file.path.removeprefix(f"{self.file.org_id}/")
        parts = (" ".join(part.replace("::", ":").split()) for part in (self.file.org_id, path))
        # No cell of a table may begin like a formula, and the deck has the same name in every format.
        return "::".join(part.lstrip("=+-@ ") or "deck" for part in parts)


def read_decks(
    connection: Connection, org_id: str, *, file_id: int | None, bucket: str, path: str | None
) -> list[Deck]:
    """The decks of an organisation, of one of its files, or of the file at a path. `Problem` if there are none."""
    found = [
        status
        for status in files.of_organisation(connection, org_id)
        if (file_id is None or status.file_id == file_id)
        and (path is None or (status.bucket_id, status.path) == (bucket, path))
    ]
    ids = [status.file_id for status in found]
    cards = files.cards_of_files(connection, ExportedCard, ids)
    analyses = files.analyses_of_files(connection, ids)
    thumbnails = files.thumbnails_of_files(connection, ids)
    decks = [
        Deck(
            file=status,
            title=next((one.title for one in analyses[status.file_id] if one.title), status.path),
            cards=cards[status.file_id],
            thumbnail=next(iter(thumbnails[status.file_id]), None),
        )
        for status in found
        if cards[status.file_id]
    ]
    if not decks:
        raise _nothing(found, org_id, file_id, f"{bucket}/{path}" if path else None)
    return decks


def last_change(decks: Sequence[Deck]) -> datetime:
    """When one of the cards changed last: the time of an export that is repeatable."""
    return max(card.updated_at for deck in decks for card in deck.cards)


def _nothing(found: Sequence[FileStatus], org_id: str, file_id: int | None, place: str | None) -> Problem:
    which = f"file {file_id}" if file_id is not None else place or "no file"
    if not found:
        return Problem(
            f"organisation {org_id} has {which}" if which == "no file" else f"{org_id} has no {which}",
            f"See its files, with their organisations, by: {command('status')}",
        )
    what = which if len(found) == 1 and which != "no file" else f"organisation {org_id}"
    return Problem(
        f"{what} has no cards to export",
        f"Are its jobs done, and is there text in the files to ask about? Look with: {command('status')}",
    )
