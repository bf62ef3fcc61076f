"""An .apkg opened for tests."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from typing import Any


class Apkg:
    """An .apkg as Anki reads it."""

    def __init__(self, content: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            self.files = {name: archive.read(name) for name in archive.namelist()}
        self.media: dict[str, str] = json.loads(self.files["media"])
        self._database = sqlite3.connect(":memory:")
        self._database.deserialize(self.files["collection.anki2"])
        self.notes = self.query("select guid, mid, mod, tags, flds from notes order by id")
        ((models, decks),) = self.query("select models, decks from col")
        self.models = {model["name"]: model for model in json.loads(models).values()}
        self.decks = {deck["name"]: deck["id"] for deck in json.loads(decks).values() if deck["id"] != 1}
        self.cards = self.query("select did, ord, due from cards order by id")
        self._database.close()

    def query(self, query: str) -> list[tuple[Any, ...]]:
        return self._database.execute(query).fetchall()
