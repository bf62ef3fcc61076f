"""Every kind of file at once, from two organisations: each of them sees what became of its own, and no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from storage3.exceptions import StorageApiError
from supabase import Client, ClientOptions, create_client

from tests.end_to_end.upload_to_cards.project import Project, Row
from tests.fixtures.hostile_files import good_files

pytestmark = pytest.mark.leg_wheel  # decoders are the same on both

ORGANISATIONS = {"north": "glacier", "south": "savanna"}  # and a word that stands in their files only
TICKS = 10
SAYING = "A {word} is the land that forms where a river meets the sea.\n"
SUBTITLES = "1\n00:00:01,000 --> 00:00:04,000\n" + SAYING
MEDIA: dict[str, tuple[Callable[[], bytes], str]] = {
    "a.jpg": (good_files.jpeg, "image"),
    "a.png": (good_files.png, "image"),
    "a.webp": (good_files.webp, "image"),
    "a.gif": (good_files.gif, "image"),
    "a.avif": (good_files.avif, "image"),
    "a.heic": (good_files.heic, "image"),
    "a.tif": (good_files.tiff, "image"),
    "text.pdf": (good_files.pdf, "pdf"),
    "scan.pdf": (good_files.scan, "pdf"),
    "a.mp4": (good_files.mp4, "video"),
    "a.mov": (good_files.mov, "video"),
    "a.webm": (good_files.webm, "video"),
    "a.mkv": (good_files.mkv, "video"),
    "a.mp3": (good_files.mp3, "audio"),
    "a.m4a": (good_files.m4a, "audio"),
    "a.wav": (good_files.wav, "audio"),
    "a.flac": (good_files.flac, "audio"),
    "a.ogg": (good_files.ogg, "audio"),
    "a.docx": (good_files.docx, "text"),
}
TEXTS = {
    "a.txt": SAYING,
    "a.md": "# Rivers\n\n" + SAYING,
    "a.csv": "term,definition\n{word},the land that forms where a river meets the sea\n",
    "a.tsv": "term\tdefinition\n{word}\tthe land that forms where a river meets the sea\n",
    "a.srt": SUBTITLES,
}
NAMES = [*MEDIA, *TEXTS]
TABLES = {
    **dict.fromkeys(("ingested_files", "file_status", "file_analyses", "thumbnails", "cards"), "*"),
    "jobs": "id, org_id, type, status, file_id",
}
README = (Path(__file__).parents[3] / "README.md").read_text()
(MEMBERS_SEE_THUMBNAILS,) = re.findall(r"create policy members_see_thumbnails .*?;", README, re.DOTALL)


@dataclass(frozen=True)
class Seen:
    """What a signed-in member of one organisation reads: rows by table, and thumbnails by path."""

    rows: dict[str, list[Row]]
    pictures: dict[str, bytes]
    refused: list[str]  # thumbnails of the other organisation that were asked for in vain

    def by_name(self, table: str) -> dict[str, list[Row]]:
        """Rows of a table by the name of their file."""
        names = {row["id"]: row["path"].split("/", 1)[1] for row in self.rows["ingested_files"]}
        found: dict[str, list[Row]] = {name: [] for name in names.values()}
        for row in self.rows[table]:
            found[names[row["file_id"]]].append(row)
        return found


@pytest.fixture(scope="module")
def seen(running_project: Project) -> dict[str, Seen]:
    """By organisation."""
    project = running_project
    project.clear()
    with project.function() as function:
        for name in NAMES:
            for org, word in ORGANISATIONS.items():
                data = MEDIA[name][0]() if name in MEDIA else TEXTS[name].format(word=word).encode()
                project.upload(f"{org}/{name}", data)
        for _ in range(TICKS):
            if not function.tick(limit=100).json()["processed"]:
                break
    paths = {org: thumbnails_of(project, org) for org in ORGANISATIONS}
    with thumbnails_for_members(project):
        return {
            org: look(project, org, own=paths[org], others=[*paths["north"], *paths["south"]])
            for org in ORGANISATIONS
        }


def thumbnails_of(project: Project, org: str) -> list[str]:
    rows = project.rows("select path from public.thumbnails where org_id = %s order by path", org)
    return [row["path"] for row in rows]


@contextmanager
def thumbnails_for_members(project: Project) -> Iterator[None]:
    """README's policy by which an application lets its members see their thumbnails.

    Hosted, `postgres` may create it by way of supautils; here it takes the owner of the table.
    """
    with psycopg.connect(project.supabase.admin_database_url, autocommit=True) as admin:
        admin.execute(MEMBERS_SEE_THUMBNAILS.encode())
        try:
            yield
        finally:
            admin.execute("drop policy members_see_thumbnails on storage.objects")


def look(project: Project, org: str, *, own: list[str], others: list[str]) -> Seen:
    refused = []
    with signed_in(project, org) as user:
        rows: dict[str, Any] = {
            table: user.table(table).select(columns).execute().data for table, columns in TABLES.items()
        }
        thumbnails = user.storage.from_("thumbnails")
        for path in set(others) - set(own):
            try:
                thumbnails.download(path)
            except StorageApiError:
                refused.append(path)
        return Seen(rows, {path: thumbnails.download(path) for path in own}, refused)


@contextmanager
def signed_in(project: Project, org: str) -> Iterator[Client]:
    """A client with the token that Auth gives to a member of the organisation."""
    claims = {"role": "authenticated", "sub": "6b3cf8a4-4f3b-4b8a-9d0b-0a4f6c1d2e3f", "aud": "authenticated"}
    claims |= {"exp": 4102444800, "app_metadata": {"org_ids": [org]}}  # type: ignore[dict-item]
    token = jwt.encode(claims, project.supabase.jwt_secret, algorithm="HS256")
    with httpx.Client(timeout=30, trust_env=False) as http:
        yield create_client(project.supabase.url, token, ClientOptions(httpx_client=http))


@pytest.mark.parametrize("org", ORGANISATIONS)
def test_every_kind_is_done_and_told_by_its_bytes(seen: dict[str, Seen], org: str) -> None:
    statuses = {row["path"]: (row["status"], row["jobs"]) for row in seen[org].rows["file_status"]}
    assert {path: status for path, (status, _) in statuses.items()} == {
        f"{org}/{name}": "done" for name in NAMES
    }, [jobs for status, jobs in statuses.values() if status != "done"]
    kinds = {name: [row["kind"] for row in rows] for name, rows in seen[org].by_name("file_analyses").items()}
    assert kinds == {name: [MEDIA[name][1] if name in MEDIA else "text"] for name in NAMES}


@pytest.mark.parametrize("org", ORGANISATIONS)
def test_every_kind_has_two_pictures_that_its_organisation_sees(seen: dict[str, Seen], org: str) -> None:
    assert {name: len(rows) for name, rows in seen[org].by_name("thumbnails").items()} == dict.fromkeys(
        NAMES, 2
    )
    for picture in seen[org].pictures.values():
        assert (picture[:4], picture[8:12]) == (b"RIFF", b"WEBP")
    assert len(seen[org].refused) == 2 * len(NAMES), "the other's were refused"


@pytest.mark.parametrize("org", ORGANISATIONS)
def test_texts_give_an_organisation_cards_about_its_own_words(seen: dict[str, Seen], org: str) -> None:
    cards = seen[org].by_name("cards")
    assert {name for name in NAMES if cards[name]} >= {*TEXTS, "text.pdf", "scan.pdf", "a.docx"}
    for name in TEXTS:
        assert any(ORGANISATIONS[org] in f"{card['front']} {card['back']}".lower() for card in cards[name]), (
            name
        )


@pytest.mark.parametrize(("org", "other"), [("north", "south"), ("south", "north")])
def test_nobody_reads_a_row_of_another_organisation(seen: dict[str, Seen], org: str, other: str) -> None:
    for table, rows in seen[org].rows.items():
        assert {row["org_id"] for row in rows} == {org}, table
        assert ORGANISATIONS[other] not in str(rows), table
