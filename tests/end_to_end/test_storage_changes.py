"""Moves, copies, deletes, signed uploads and buckets at the Storage stand-in, where the recording ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from storage3 import SyncStorageClient
from storage3.exceptions import StorageApiError
from storage3.types import CreateSignedUploadUrlOptions

from scripts.local_supabase import LocalSupabase
from tests.end_to_end.storage_clients import TEXT, files_on_disk, own_bucket, raw_http, storage_client


@pytest.fixture
def client(supabase: LocalSupabase) -> Iterator[SyncStorageClient]:
    with storage_client(supabase) as client:
        yield client


@pytest.fixture
def bucket(client: SyncStorageClient) -> Iterator[str]:
    with own_bucket(client) as bucket:
        yield bucket


def test_a_move_keeps_the_object_and_a_copy_makes_another_also_between_buckets(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    described: Any = {**TEXT, "metadata": {"k": "v"}}
    client.from_(bucket).upload("org/a.txt", b"a", described)
    before = client.from_(bucket).info("org/a.txt")
    with own_bucket(client) as other, raw_http(supabase) as http:
        ends = {
            "bucketId": bucket,
            "sourceKey": "org/a.txt",
            "destinationBucket": other,
            "destinationKey": "b.txt",
        }
        assert http.post("object/copy", json=ends).json()["Key"] == f"{other}/b.txt"
        assert client.from_(other).info("b.txt")["metadata"] == {"k": "v"}
        assert http.post("object/move", json=ends).json()["code"] == "KeyAlreadyExists"
        assert http.post("object/copy", json=ends, headers={"x-upsert": "true"}).status_code == 200
        ends["destinationKey"] = "moved.txt"
        assert http.post("object/move", json=ends).status_code == 200
        assert client.from_(other).info("moved.txt")["id"] == before["id"]
        assert client.from_(other).download("moved.txt") == b"a"
    assert not client.from_(bucket).exists("org/a.txt")


def test_a_signed_upload_url_overwrites_only_if_it_was_made_to(
    client: SyncStorageClient, bucket: str
) -> None:
    files = client.from_(bucket)
    once = files.create_signed_upload_url("org/a.txt")["token"]
    files.upload_to_signed_url("org/a.txt", once, b"first")
    with pytest.raises(StorageApiError) as refusal:
        files.upload_to_signed_url("org/a.txt", once, b"second")
    assert refusal.value.code == "Duplicate"
    with pytest.raises(StorageApiError, match="Invalid signature"):
        files.upload_to_signed_url("org/b.txt", once, b"elsewhere")
    options = CreateSignedUploadUrlOptions(upsert="true")
    again = files.create_signed_upload_url("org/a.txt", options)["token"]
    files.upload_to_signed_url("org/a.txt", again, b"second")
    assert files.download("org/a.txt") == b"second"


def test_bytes_go_with_their_row_however_it_goes(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    before, files = files_on_disk(supabase), client.from_(bucket)
    files.upload("org/a.txt", b"a", TEXT)
    files.update("org/a.txt", b"overwritten", TEXT)
    files.copy("org/a.txt", "org/b.txt")
    files.move("org/a.txt", "org/c.txt")
    assert len(files_on_disk(supabase) - before) == 2
    files.remove(["org/b.txt"])
    client.empty_bucket(bucket)
    assert files_on_disk(supabase) == before


def test_rows_cannot_be_deleted_past_the_api_not_even_no_rows(supabase: LocalSupabase) -> None:
    with psycopg.connect(supabase.database_url) as postgres:
        for table in ("objects", "buckets"):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege, match="Direct deletion"),
                postgres.transaction(),
            ):
                postgres.execute(f"delete from storage.{table} where false".encode())
        postgres.execute("set local storage.allow_delete_query = 'true'")
        postgres.execute("delete from storage.objects where false")


def test_a_bucket_with_objects_stays_and_its_settings_can_change(
    client: SyncStorageClient, bucket: str
) -> None:
    client.from_(bucket).upload("org/a.txt", b"a", TEXT)
    with pytest.raises(StorageApiError, match="not empty"):
        client.delete_bucket(bucket)
    client.update_bucket(bucket, {"public": True, "file_size_limit": 3, "allowed_mime_types": ["text/*"]})
    changed = client.get_bucket(bucket)
    assert (changed.public, changed.file_size_limit, changed.allowed_mime_types) == (True, 3, ["text/*"])
    with pytest.raises(StorageApiError, match="exceeded the maximum"):
        client.from_(bucket).upload("org/b.txt", b"four", TEXT)
    with pytest.raises(StorageApiError, match="image/png is not supported"):
        client.from_(bucket).upload("org/b.txt", b"abc", {"content-type": "image/png"})
