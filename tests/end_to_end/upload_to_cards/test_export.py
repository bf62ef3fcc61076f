"""Cards leave the project: changed by a member over PostgREST, and written by the real command for Anki."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from scripts.local_supabase import function_process
from tests.end_to_end.upload_to_cards.project import Function, Project, Row

NOTE = (
    "# Rocks\n\nBasalt is a dark rock that forms from cooled lava. Marble is a rock that forms from limestone "
    "under heat and pressure.\n\n- **Magma**: the molten rock below the surface\n"
)


class Member:
    """A signed-in user of one organisation, who only has PostgREST and a token."""

    def __init__(self, project: Project, *org_ids: str) -> None:
        claims = {
            "role": "authenticated",
            "aud": "authenticated",
            "sub": "9a1f7f6e-1111-4222-8333-444455556666",
            "app_metadata": {"org_ids": list(org_ids)},
            "exp": 4102444800,
        }
        supabase = project.supabase
        token = jwt.encode(claims, supabase.jwt_secret, algorithm="HS256")
        self._url = f"{supabase.url}/rest/v1"
        self._headers = {"apikey": supabase.publishable_key, "authorization": f"Bearer {token}"}

    def cards(self) -> list[Row]:
        answer = httpx.get(f"{self._url}/cards?order=position", headers=self._headers, trust_env=False)
        rows: list[Row] = answer.raise_for_status().json()
        return rows

    def call(self, function: str, **arguments: Any) -> httpx.Response:
        url = f"{self._url}/rpc/{function}"
        return httpx.post(url, headers=self._headers, json=arguments, trust_env=False)


def export(project: Project, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {"SUPABASE_URL": project.supabase.url, "SUPABASE_SECRET_KEY": project.supabase.secret_key}
    program = [
        sys.executable,
        "-c",
        "from functions.cli import app; app()",
        "export",
        "--org",
        "acme",
        *options,
    ]
    python_path = {"PYTHONPATH": str(function_process.REPOSITORY)}
    return subprocess.run(
        program,
        cwd=folder,
        env=environment | python_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def notes_of(apkg: bytes) -> dict[str, str]:
    """The fields of every note, by its GUID."""
    with zipfile.ZipFile(io.BytesIO(apkg)) as archive:
        content = archive.read("collection.anki2")
        media = json.loads(archive.read("media"))
        assert all(archive.read(number)[:4] == b"RIFF" for number in media)
        assert len(media) == 1
    database = sqlite3.connect(":memory:")
    database.deserialize(content)
    notes = dict(database.execute("select guid, flds from notes").fetchall())
    database.close()
    return notes


@pytest.fixture
def processed(project: Project, function: Function) -> Project:
    for org in ("acme", "globex"):
        project.upload(f"{org}/rocks.md", NOTE.encode(), "text/markdown")
    project.rows("select public.invoke_cron_tick(batch_size => 20)")
    assert {row["status"] for row in project.files()} == {"done"}
    return project


def test_what_members_change_stays_when_the_file_is_processed_again_and_is_what_is_exported(
    processed: Project, tmp_path: Path
) -> None:
    member, other = Member(processed, "acme"), Member(processed, "globex")
    by_front = {card["front"]: card["id"] for card in member.cards()}
    assert len(by_front) == 3
    first, second, _ = by_front.values()
    before = export(processed, tmp_path, "-o", "before.apkg")
    assert before.returncode == 0, before.stderr

    assert member.call("edit_card", card_id=first, back="my own words").status_code == 200
    assert member.call("remove_card", card_id=second).status_code == 200
    refused = [
        other.call("edit_card", card_id=first, back="x"),
        member.call("edit_card", card_id=first, back=""),
    ]
    assert [answer.status_code for answer in refused] == [400, 400]
    assert refused[0].json()["message"] == f"there is no card {first}"
    processed.upload("acme/rocks.md", f"{NOTE}\nGranite is a rock that cools deep below the ground.".encode())
    processed.rows("select public.invoke_cron_tick(batch_size => 20)")

    assert {card["org_id"] for card in member.cards()} == {"acme"}
    assert second not in {card["id"] for card in member.cards()}
    after = export(processed, tmp_path, "-o", "after.apkg")
    assert after.returncode == 0, after.stderr
    notes = [notes_of((tmp_path / name).read_bytes()) for name in ("before.apkg", "after.apkg")]
    assert set(notes[0]) == set(by_front.values())
    assert set(notes[1]) == {card["id"] for card in member.cards()}
    assert set(notes[0]) - set(notes[1]) == {second}
    assert "my own words" in notes[1][first]


def test_json_of_one_file_stands_alone_on_stdout(processed: Project, tmp_path: Path) -> None:
    done = export(processed, tmp_path, "--format", "json", "--path", "acme/rocks.md")
    (file,) = json.loads(done.stdout)["files"]
    assert (file["path"], len(file["cards"])) == ("acme/rocks.md", 3)
    assert {card["fsrs_state"] for card in file["cards"]} == {1}


def test_an_organisation_without_cards_is_told_so(processed: Project, tmp_path: Path) -> None:
    done = export(processed, tmp_path, "--org", "nobody")
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (1, "", [])
    assert "organisation nobody has no file" in done.stderr
