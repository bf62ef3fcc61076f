"""What stands in the files that Anki and spreadsheets read."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.cli.anki import BASIC, CLOZE, stable_id, write_apkg
from functions.cli.card_fields import FIELDS, escaped, fields_of, tags_of
from functions.cli.card_table import write_csv
from functions.cli.decks import Deck
from tests.unit.apkg import Apkg
from tests.unit.cli_rows import START, at, deck_of, exported, file_status

URL = "http://supabase.test"
PICTURE = b"RIFF....WEBP"
HOSTILE = '<script>alert("1")</script>{{c2::x}}[sound:a.mp3]'


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


def test_a_deck_keeps_its_name_and_id_over_versions_and_times() -> None:
    one, other = deck_of(version="v1"), deck_of(version="v2", created_at=START + timedelta(days=1))
    assert one.name == other.name == "demo::a.pdf"
    assert deck_of(path="demo/a::b.md").name == "demo::a:b.md"
