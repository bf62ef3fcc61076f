"""Downloads and listings at the Storage stand-in, where the recording ends: conditions, ranges, pages, folders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from storage3 import SyncStorageClient

from scripts.local_supabase import LocalSupabase
from tests.end_to_end.storage_clients import TEXT, own_bucket, raw_http, storage_client

KEYS = ("b.txt", "docs/B.txt", "docs/a.txt", "docs/sub/deep.txt", "docs/zeta.txt", "docs.txt", "A.txt")


@pytest.fixture(scope="module")
def client(supabase: LocalSupabase) -> Iterator[SyncStorageClient]:
    with storage_client(supabase) as client:
        yield client


@pytest.fixture(scope="module")
def http(supabase: LocalSupabase) -> Iterator[httpx.Client]:
    with raw_http(supabase) as http:
        yield http


@pytest.fixture(scope="module")
def bucket(client: SyncStorageClient) -> Iterator[str]:
    with own_bucket(client, public=True) as bucket:
        for key in KEYS:
            client.from_(bucket).upload(key, f"0123456789 {key}".encode(), TEXT)
        yield bucket


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/16"),
        ("bytes=-5", 206, b"b.txt", "bytes 11-15/16"),
        ("bytes=11-", 206, b"b.txt", "bytes 11-15/16"),
        ("bytes=11-999", 206, b"b.txt", "bytes 11-15/16"),
        ("bytes=0-1,3-4", 200, b"0123456789 b.txt", None),
        ("lines=1-2", 200, b"0123456789 b.txt", None),
    ],
)
def test_a_range_gives_those_bytes_and_what_is_no_single_range_gives_all(
    asked: str, status: int, body: bytes, content_range: str | None, http: httpx.Client, bucket: str
) -> None:
    answer = http.get(f"object/{bucket}/b.txt", headers={"range": asked})
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers.get("content-range") == content_range


@pytest.mark.parametrize("asked", ["bytes=16-", "bytes=-0", "bytes=9-3"])
def test_a_range_outside_the_file_is_refused(asked: str, http: httpx.Client, bucket: str) -> None:
    answer = http.get(f"object/{bucket}/b.txt", headers={"range": asked})
    assert (answer.status_code, answer.json()["statusCode"], answer.json()["code"]) == (
        400,
        "416",
        "InvalidRange",
    )


def test_a_file_that_the_caller_knows_already_is_not_sent_again(http: httpx.Client, bucket: str) -> None:
    first = http.get(f"object/{bucket}/b.txt")
    for condition in (
        {"if-none-match": first.headers["etag"]},
        {"if-none-match": f'"other", W/{first.headers["etag"]}'},
        {"if-modified-since": first.headers["last-modified"]},
    ):
        again = http.get(f"object/{bucket}/b.txt", headers=condition)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    changed = {"if-none-match": '"other"', "if-modified-since": first.headers["last-modified"]}
    assert http.get(f"object/{bucket}/b.txt", headers=changed).status_code == 200


def test_head_tells_what_get_would_send(http: httpx.Client, bucket: str) -> None:
    head, get = http.head(f"object/{bucket}/b.txt"), http.get(f"object/{bucket}/b.txt")
    assert (head.status_code, head.content) == (200, b"")
    varying = {"date"}
    assert set(head.headers.items()) - varying == {
        (name, value) for name, value in get.headers.items() if name != "date"
    } | {("date", head.headers["date"])}
    assert http.head(f"object/{bucket}/none.txt").status_code == 400


def test_a_public_bucket_is_read_without_a_key(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    url = client.from_(bucket).get_public_url("docs/a.txt", {"download": "mine.txt"})
    answer = httpx.get(url, trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"0123456789 docs/a.txt")
    assert (
        answer.headers["content-disposition"] == "attachment; filename=mine.txt; filename*=UTF-8''mine.txt;"
    )
    info = httpx.get(f"{supabase.url}/storage/v1/object/info/public/{bucket}/docs/a.txt", trust_env=False)
    assert info.json()["name"] == "docs/a.txt"


def test_html_is_served_as_text(client: SyncStorageClient, http: httpx.Client) -> None:
    with own_bucket(client) as bucket:
        client.from_(bucket).upload("page.html", b"<b>", {"content-type": "text/html; charset=utf-8"})
        assert http.get(f"object/{bucket}/page.html").headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("folder", "options", "names"),
    [
        (None, {}, ["A.txt", "b.txt", "docs.txt", "docs"]),
        (None, {"sortBy": {"column": "name", "order": "desc"}}, ["docs", "docs.txt", "b.txt", "A.txt"]),
        (None, {"sortBy": {"column": "created_at", "order": "desc"}}, ["docs", "A.txt", "docs.txt", "b.txt"]),
        (None, {"limit": 2, "offset": 1}, ["b.txt", "docs.txt"]),
        (None, {"search": "DOC"}, ["docs.txt", "docs"]),
        ("docs", {}, ["a.txt", "B.txt", "sub", "zeta.txt"]),
        ("docs/", {"search": "s"}, ["sub"]),
        ("docs/sub", {}, ["deep.txt"]),
        ("nothing", {}, []),
    ],
)
def test_a_listing_shows_one_level_of_a_folder(
    folder: str | None, options: Any, names: list[str], client: SyncStorageClient, bucket: str
) -> None:
    entries = client.from_(bucket).list(folder, options)
    assert [entry["name"] for entry in entries] == names
    assert {entry["name"] for entry in entries if entry["id"] is None} == {"docs", "sub"} & set(names)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("column", ["name", "created_at"])
def test_pages_by_cursor_show_every_object_once_and_in_order(
    column: str, order: str, client: SyncStorageClient, bucket: str
) -> None:
    options: Any = {"limit": 3, "sortBy": {"column": column, "order": order}}
    seen: list[str] = []
    while True:
        page = client.from_(bucket).list_v2(options)
        seen += [found.name for found in page.objects]
        if not page.hasNext:
            break
        options = {**options, "cursor": page.nextCursor}
    expected = sorted(KEYS) if column == "name" else list(KEYS)
    assert seen == (expected if order == "asc" else expected[::-1])


def test_a_listing_by_cursor_can_show_folders(client: SyncStorageClient, bucket: str) -> None:
    page = client.from_(bucket).list_v2({"with_delimiter": True, "prefix": "docs/"})
    assert [(folder.name, folder.key) for folder in page.folders] == [("docs/sub/", "sub")]
    assert [found.name for found in page.objects] == ["docs/B.txt", "docs/a.txt", "docs/zeta.txt"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("object/list/{}", {"limit": "many"}),
        ("object/list/{}", {"sortBy": {"column": "owner; drop table"}}),
        ("object/list-v2/{}", {"cursor": "not base64!"}),
        ("object/sign/{}", {"expiresIn": 60}),
        ("object/move", {"bucketId": "x"}),
        ("bucket", {}),
        ("bucket", {"name": "x", "file_size_limit": "large"}),
        ("bucket", {"name": " padded"}),
    ],
)
def test_a_malformed_request_is_refused_with_a_reason(
    path: str, body: dict[str, Any], http: httpx.Client, bucket: str
) -> None:
    answer = http.post(path.format(bucket), json=body)
    assert (answer.status_code, answer.json()["statusCode"]) == (400, "400")
    assert answer.json()["message"]


def test_an_unknown_route_is_not_found(http: httpx.Client) -> None:
    answer = http.get("nothing/here")
    assert (answer.status_code, answer.json()["message"]) == (404, "Route GET:/nothing/here not found")
