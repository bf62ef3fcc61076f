"""Decks as a table that Anki imports and a spreadsheet opens, and as JSON with all that is known of a card."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from functions.cli.anki import BASIC, CLOZE
from functions.cli.card_fields import FIELDS, fields_of, tags_of
from functions.cli.decks import Deck

_HEAD = ("guid", "notetype", "deck", "tags")
_FIELDS = FIELDS[
    :-1
]  # not the picture: a text file brings none, and an empty cell would take it off the note


def write_csv(decks: Sequence[Deck]) -> bytes:
    """Tabs between the cells; the lines above tell Anki what the columns are, so that it asks nothing."""
    buffer = io.StringIO()
    buffer.write("#separator:tab\n#html:true\n")
    for number, column in enumerate(_HEAD, start=1):
        buffer.write(f"#{column} column:{number}\n")
    table = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    for deck in decks:
        for card in deck.cards:
            kind = CLOZE if card.type == "cloze" else BASIC
            row = [str(card.id), kind, deck.name, " ".join(tags_of(card))]
            table.writerow([*row, *fields_of(card, deck.title, None)[: len(_FIELDS)]])
    return buffer.getvalue().encode()


def as_json(org_id: str, decks: Sequence[Deck]) -> dict[str, Any]:
    """Every field of every card, texts as they are."""
    return {
        "org_id": org_id,
        "files": [
            {
                "file_id": deck.file.file_id,
                "bucket": deck.file.bucket_id,
                "path": deck.file.path,
                "version": deck.file.version,
                "title": deck.title,
                "deck": deck.name,
                "cards": [card.model_dump(mode="json", exclude={"file_id"}) for card in deck.cards],
            }
            for deck in decks
        ],
    }
