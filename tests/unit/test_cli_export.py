"""`crontick export`: which cards it writes where, and what it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import respx
from typer.testing import CliRunner, Result

from functions.cli import app, connection
from functions.cli.rows import ExportedCard, Thumbnail
from tests.unit.apkg import Apkg
from tests.unit.cli_rows import START, exported, file_status

URL = "http://supabase.test"
PICTURE = b"RIFF....WEBP"
HOSTILE = '<script>alert("1")</script>{{c2::x}}[sound:a.mp3]'


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
