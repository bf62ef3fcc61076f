"""Decks as an .apkg, which Anki imports: what it has already is updated, what it lacks is added.

Anki knows a note by its GUID, which is the card's id, and replaces it if the file's one changed later. The
ids of the note types and decks follow from their names. So the same cards always give the same file.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import itertools
import json
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from functions.cli.card_fields import FIELDS, fields_of, tags_of
from functions.cli.decks import Deck, last_change
from functions.cli.rows import ExportedCard
from functions.cli.terminal import Misuse

BASIC, CLOZE = (
    "crontick basic",
    "crontick cloze",
)  # another name is another note type in everyone's collection

_STYLE = Path(__file__).with_name("anki.css")
_HINT = '{{#Hint}}<p class="hint">{{hint:Hint}}</p>{{/Hint}}'
_SOURCE = """
{{#Quote}}<p class="quote" dir="auto">{{Quote}}</p>{{/Quote}}
<p class="source">{{Source}}</p>
{{Picture}}
"""
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip archive


def write_apkg(decks: Sequence[Deck]) -> bytes:
    """The file's content. Needs the extra `anki`."""
    genanki = require_genanki()
    models = {"basic": _basic(genanki), "cloze": _cloze(genanki)}
    media = {name: deck.picture for deck in decks if deck.picture and (name := picture_name(deck))}
    package = genanki.Package([_deck(genanki, models, deck) for deck in decks])
    changed = last_change(decks).timestamp()
    with sqlite3.connect(":memory:") as database:
        package.write_to_db(database.cursor(), changed, itertools.count(int(changed * 1000)))
        database.commit()
        collection = database.serialize()
    database.close()
    names = dict(enumerate(media))
    entries = {"collection.anki2": collection, "media": json.dumps(names).encode()}
    entries |= {str(number): media[name] for number, name in names.items()}
    return _archive(entries)


def picture_name(deck: Deck) -> str | None:
    """The media file of a deck, named by its content: Anki's media folder is one for all decks."""
    if deck.picture is None:
        return None
    return f"crontick-{hashlib.sha256(deck.picture).hexdigest()[:20]}.webp"


def stable_id(name: str) -> int:
    """A number that Anki may take for a deck or a note type, always the same for a name."""
    return (1 << 30) + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % (1 << 30)


def require_genanki() -> ModuleType:
    """The package that knows Anki's format: an extra, looked for before anything is read or written."""
    try:
        return importlib.import_module("genanki")
    except ModuleNotFoundError as error:
        raise Misuse(
            "an .apkg needs the package genanki",
            "Install it with: uv sync --extra anki    (or export with --format csv, which Anki imports too)",
        ) from error


def _basic(genanki: ModuleType) -> Any:
    question = f'<div class="front" dir="auto">{{{{Front}}}}</div>{_HINT}'
    answer = f'{{{{FrontSide}}}}<hr id="answer"><div class="back" dir="auto">{{{{Back}}}}</div>{_SOURCE}'
    template = {"name": "Card", "qfmt": question, "afmt": answer}
    return genanki.Model(
        stable_id(BASIC), BASIC, fields=_field_names(), templates=[template], css=_STYLE.read_text()
    )


def _cloze(genanki: ModuleType) -> Any:
    text = '<div class="front" dir="auto">{{cloze:Front}}</div>'
    template = {"name": "Cloze", "qfmt": text + _HINT, "afmt": f'{text}<hr id="answer">{_SOURCE}'}
    return genanki.Model(
        stable_id(CLOZE),
        CLOZE,
        fields=_field_names(),
        templates=[template],
        css=_STYLE.read_text(),
        model_type=genanki.Model.CLOZE,
    )


def _field_names() -> list[dict[str, str]]:
    return [{"name": name} for name in FIELDS]


def _deck(genanki: ModuleType, models: dict[str, Any], deck: Deck) -> Any:
    made = genanki.Deck(stable_id(deck.name), deck.name)
    picture = picture_name(deck)
    for card in deck.cards:
        made.add_note(_note(genanki, models, deck, card, picture))
    return made


def _note(
    genanki: ModuleType, models: dict[str, Any], deck: Deck, card: ExportedCard, picture: str | None
) -> Any:
    class DatedNote(genanki.Note):  # type: ignore[misc, name-defined]
        """With the time of its own last change: a note that somebody changed in Anki later stays theirs."""

        def write_to_db(self, cursor: sqlite3.Cursor, _: float, deck_id: int, id_gen: Iterator[int]) -> None:
            super().write_to_db(cursor, card.updated_at.timestamp(), deck_id, id_gen)

    return DatedNote(
        model=models[card.type],
        fields=fields_of(card, deck.title, picture),
        guid=str(card.id),
        tags=tags_of(card),
        due=card.position,
    )


def _archive(entries: dict[str, bytes]) -> bytes:
    """A zip that says nothing of when it was made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
