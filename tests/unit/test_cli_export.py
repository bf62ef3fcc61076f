"""`crontick export`: what stands in the files that Anki and spreadsheets read."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import respx
from typer.testing import CliRunner, Result

from functions.cli import app, connection
from functions.cli.anki import BASIC, CLOZE, stable_id, write_apkg
from functions.cli.card_fields import FIELDS, escaped, fields_of, tags_of
from functions.cli.card_table import write_csv
from functions.cli.decks import Deck
from functions.cli.rows import ExportedCard, Thumbnail
from tests.unit.cli_rows import START, at, file_status

URL = "http://supabase.test"
PICTURE = b"RIFF....WEBP"
HOSTILE = '<script>alert("1")</script>{{c2::x}}[sound:a.mp3]'


def exported(number: int = 1, **changes: Any) -> ExportedCard:
    row = {
        "id": UUID(int=number),
        "file_id": 1,
        "type": "basic",
        "front": f"What is ice {number}?",
        "back": "frozen water",
        "tags": ["ice"],
        "source": {"page": 2, "quote": "Ice is frozen water."},
        "due": START,
        "created_at": START,
        "updated_at": START,
        "position": number,
    }
    return ExportedCard.model_validate(row | changes)


def deck_of(*cards: ExportedCard, picture: bytes | None = None, **changes: Any) -> Deck:
    return Deck(file_status(**changes), "Ice", cards or (exported(),), picture=picture)


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


def test_an_apkg_has_a_deck_per_file_and_a_note_per_card_by_its_id() -> None:
    cloze = exported(2, type="cloze", front="Ice is […] water.", back="frozen", tags=["Deep Ice", "ice"])
    apkg = Apkg(write_apkg([deck_of(exported(), cloze), deck_of(exported(3), path="demo/b/c.md")]))

    assert apkg.decks == {
        "demo::a.pdf": stable_id("demo::a.pdf"),
        "demo::b/c.md": stable_id("demo::b/c.md"),
    }
    assert [note[0] for note in apkg.notes] == [str(UUID(int=number)) for number in (1, 2, 3)]
    assert [note[1] for note in apkg.notes] == [stable_id(BASIC), stable_id(CLOZE), stable_id(BASIC)]
    assert apkg.notes[1][3].split() == ["Deep-Ice", "ice"]
    fields = dict(zip(FIELDS, apkg.notes[1][4].split("\x1f"), strict=True))
    assert fields["Front"] == "Ice is {{c1::frozen}} water."
    assert (fields["Source"], fields["Quote"]) == ("Ice, page 2", "Ice is frozen water.")
    assert [did for did, _, _ in apkg.cards] == [stable_id("demo::a.pdf")] * 2 + [stable_id("demo::b/c.md")]


def test_ids_of_note_types_and_decks_never_change() -> None:
    assert (stable_id(BASIC), stable_id(CLOZE)) == (1485216934, 1235856858)


def test_the_same_cards_give_the_same_bytes() -> None:
    decks = [deck_of(exported(), exported(2), picture=PICTURE)]
    assert write_apkg(decks) == write_apkg(decks)


def test_an_edit_changes_its_own_note_and_the_time_of_no_other() -> None:
    before = Apkg(write_apkg([deck_of(exported(), exported(2))]))
    edited = exported(2, back="cold water", updated_at=at(60))
    after = Apkg(write_apkg([deck_of(exported(), edited)]))

    assert after.notes[0] == before.notes[0]
    assert after.notes[1][:2] == before.notes[1][:2]
    assert after.notes[1][2] == before.notes[1][2] + 60
    assert "cold water" in after.notes[1][4]


def test_the_picture_of_a_file_is_in_the_package_once_and_shown_on_its_cards() -> None:
    apkg = Apkg(write_apkg([deck_of(exported(), exported(2), picture=PICTURE), deck_of(exported(3))]))
    ((number, name),) = apkg.media.items()
    assert apkg.files[number] == PICTURE
    assert [f'<img src="{name}">' in note[4] for note in apkg.notes] == [True, True, False]
    assert set(apkg.files) == {"collection.anki2", "media", "0"}


def test_both_note_types_show_hint_quote_source_and_picture_on_their_back_in_either_colour() -> None:
    apkg = Apkg(write_apkg([deck_of(exported(), exported(2, type="cloze", front="[…] it", back="x"))]))
    assert set(apkg.models) == {BASIC, CLOZE}
    for model in apkg.models.values():
        assert [field["name"] for field in model["flds"]] == list(FIELDS)
        (template,) = model["tmpls"]
        assert "{{hint:Hint}}" in template["qfmt"]
        assert all(f"{{{{{name}}}}}" in template["afmt"] for name in ("Quote", "Source", "Picture"))
        assert ".nightMode" in model["css"]
    assert apkg.models[CLOZE]["type"] == 1


@pytest.mark.parametrize("card_type", ["basic", "cloze"])
def test_what_came_with_a_file_stays_text(card_type: str) -> None:
    front = f"{HOSTILE} […]" if card_type == "cloze" else HOSTILE
    hostile = exported(
        type=card_type,
        front=front,
        back=f"}}}} {HOSTILE}",
        hint=HOSTILE,
        source={"quote": HOSTILE},
        tags=[HOSTILE],
    )
    fields = fields_of(hostile, HOSTILE, "a.webp")
    whole = "\n".join(fields)
    assert "<script" not in whole
    assert "[sound:" not in whole
    assert whole.count("{{") == whole.count("}}") == (1 if card_type == "cloze" else 0)
    if card_type == "cloze":
        assert ":" not in fields[0].partition("{{c1::")[2].partition("}}")[0]
    apkg = Apkg(write_apkg([Deck(file_status(path=f"demo/{HOSTILE}"), HOSTILE, [hostile])]))
    assert len(apkg.cards) == 1


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a & b < c", "a &amp; b &lt; c"),
        ("two\nlines\r\nhere", "two<br>lines<br>here"),
        ("=1+1", "&#61;1+1"),
        ("-1 °C", "&#45;1 °C"),
        ("@x", "&#64;x"),
        ("\x00=1", "&#61;1"),
        ("\n=1", "<br>=1"),
        ("a\tb", "a b"),
        ("", ""),
    ],
)
def test_a_text_is_written_as_html_that_shows_it(text: str, html: str) -> None:
    assert escaped(text) == html


def test_a_csv_tells_anki_its_columns_and_has_a_line_per_card() -> None:
    cards = [exported(front='Say "ice"\tnow'), exported(2, type="cloze", front="Is […]?", back="-1: cold")]
    text = write_csv([deck_of(*cards)]).decode()
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert head == [
        "#separator:tab",
        "#html:true",
        "#guid column:1",
        "#notetype column:2",
        "#deck column:3",
        "#tags column:4",
    ]
    rows = list(csv.reader(text.splitlines()[len(head) :], delimiter="\t"))
    assert [len(row) for row in rows] == [4 + len(FIELDS) - 1] * 2
    assert rows[0][:5] == [str(UUID(int=1)), BASIC, "demo::a.pdf", "ice", "Say &quot;ice&quot; now"]
    assert rows[1][4] == "Is {{c1::&#45;1&#58; cold}}?"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " ="])
def test_no_cell_of_a_csv_begins_like_a_formula(start: str) -> None:
    evil = f"{start}cmd|' /C calc'!A0"
    card = exported(front=evil, back=evil, hint=evil, source={"quote": evil}, tags=[evil, evil + "2"])
    text = write_csv([Deck(file_status(org_id=evil, path=f"{evil}/{evil}"), evil, [card])]).decode()
    cells = [cell for row in csv.reader(io.StringIO(text), delimiter="\t") for cell in row]
    assert [cell for cell in cells if cell.lstrip()[:1] and cell.lstrip()[0] in "=+-@"] == []


def test_tags_have_no_spaces_and_none_is_empty() -> None:
    assert tags_of(exported(tags=["a b", " ", "=x", "a\u00a0b", "", "=", "x"])) == ["a-b", "x"]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ({"page": 3}, "Ice, page 3"),
        ({"time_s": 75.4}, "Ice, at 1:15"),
        ({"time_s": 3700}, "Ice, at 1:01:40"),
        ({}, "Ice"),
    ],
)
def test_a_card_names_its_file_and_the_place_in_it(source: dict[str, Any], shown: str) -> None:
    assert fields_of(exported(source=source), "Ice", None)[3] == shown


# The command.


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[respx.MockRouter]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connection, "REPOSITORY", tmp_path)
    monkeypatch.setenv("SUPABASE_URL", URL)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_x")
    with respx.mock(assert_all_called=False) as router:
        yield router


def answer(http: respx.MockRouter, *cards: ExportedCard) -> None:
    files = [file_status(), file_status(2, path="demo/b.md")]
    thumbnail = Thumbnail(file_id=1, bucket_id="thumbnails", path="demo/1.webp", width=256, height=9)
    for table, rows in {
        "file_status": files,
        "cards": cards,
        "file_analyses": [],
        "thumbnails": [thumbnail],
    }.items():
        http.get(f"{URL}/rest/v1/{table}").respond(json=[row.model_dump(mode="json") for row in rows])
    http.get(url__regex=f"{URL}/storage/v1/object/.*").respond(content=PICTURE)


def crontick(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["export", "--org", "demo", *arguments])


def test_the_default_is_an_apkg_here_with_a_table_and_the_next_step(
    http: respx.MockRouter, tmp_path: Path
) -> None:
    answer(http, exported(), exported(2, edited_at=START), exported(3, file_id=2))
    done = crontick()
    assert done.exit_code == 0
    apkg = Apkg((tmp_path / "demo.apkg").read_bytes())
    assert (len(apkg.notes), len(apkg.media)) == (3, 1)
    assert "3 cards written to demo.apkg" in done.stdout
    assert "In Anki: File, Import" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["demo.apkg"]


def test_a_picture_that_is_gone_costs_no_cards(http: respx.MockRouter, tmp_path: Path) -> None:
    answer(http, exported())
    http.get(url__regex=f"{URL}/storage/v1/object/.*").respond(
        404, json={"statusCode": "404", "error": "x", "message": "x"}
    )
    assert crontick().exit_code == 0
    assert Apkg((tmp_path / "demo.apkg").read_bytes()).media == {}


def test_json_is_all_that_stands_on_stdout(http: respx.MockRouter) -> None:
    answer(http, exported(front=HOSTILE), exported(2, file_id=2, fsrs_state=2, last_review=START))
    done = crontick("--format", "json")
    found = json.loads(done.stdout)
    assert [(one["path"], len(one["cards"])) for one in found["files"]] == [
        ("demo/a.pdf", 1),
        ("demo/b.md", 1),
    ]
    card = found["files"][0]["cards"][0]
    assert (card["front"], card["source"]["page"], card["id"]) == (HOSTILE, 2, str(UUID(int=1)))
    assert set(found["files"][1]["cards"][0]) >= {"fsrs_state", "due", "last_review", "quality", "tags"}


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_each_format_goes_where_it_is_told(http: respx.MockRouter, tmp_path: Path, format_: str) -> None:
    answer(http, exported())
    (tmp_path / "out").write_text("what was there before")
    done = crontick("--format", format_, "-o", "out")
    assert done.exit_code == 0
    assert "What is ice 1?" in (tmp_path / "out").read_text()
    assert "1 card written to out" in (done.stderr if format_ == "json" else done.stdout)


@pytest.mark.parametrize(("options", "count"), [(["--file", "2"], 1), (["--path", "demo/a.pdf"], 2), ([], 3)])
def test_one_file_is_named_by_its_number_or_its_path(
    http: respx.MockRouter, options: list[str], count: int
) -> None:
    answer(http, exported(), exported(2), exported(3, file_id=2))
    asked = http.get(f"{URL}/rest/v1/cards")
    asked.mock(
        side_effect=lambda request: _only_asked(request, exported(), exported(2), exported(3, file_id=2))
    )
    found = json.loads(crontick("--format", "json", *options).stdout)
    assert sum(len(one["cards"]) for one in found["files"]) == count


def _only_asked(request: Any, *cards: ExportedCard) -> Any:
    ids = request.url.params["file_id"].removeprefix("in.(").removesuffix(")").split(",")
    return respx.MockResponse(json=[one.model_dump(mode="json") for one in cards if str(one.file_id) in ids])


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--file", "9"], 1, "demo has no file 9"),
        (["--path", "demo/none"], 1, "demo has no ingest/demo/none"),
        (["--file", "2"], 1, "file 2 has no cards"),
        (["--file", "1", "--path", "x"], 2, "both name a file"),
        (["-o", "nowhere/x.apkg"], 2, "the folder of nowhere/x.apkg does not exist"),
        (["--format", "pdf"], 2, "apkg"),
    ],
)
def test_what_cannot_be_exported_is_said_and_nothing_is_written(
    http: respx.MockRouter, tmp_path: Path, options: list[str], code: int, sentence: str
) -> None:
    answer(http)
    done = crontick(*options)
    assert (done.exit_code, list(tmp_path.iterdir())) == (code, [])
    assert sentence in " ".join(done.stderr.split())


def test_an_organisation_without_files_or_cards_is_told_apart(http: respx.MockRouter) -> None:
    answer(http)
    assert "organisation demo has no cards to export" in crontick().stderr
    http.get(f"{URL}/rest/v1/file_status").respond(json=[])
    assert "organisation demo has no file" in crontick().stderr


def test_without_genanki_the_extra_is_named_before_anything_is_read(
    http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "genanki", None)
    done = crontick()
    assert done.exit_code == 2
    assert "uv sync --extra anki" in done.stderr
    assert http.calls.call_count == 0


def test_a_deck_keeps_its_name_and_id_over_versions_and_times() -> None:
    one, other = deck_of(version="v1"), deck_of(version="v2", created_at=START + timedelta(days=1))
    assert one.name == other.name == "demo::a.pdf"
    assert deck_of(path="demo/a::b.md").name == "demo::a:b.md"
