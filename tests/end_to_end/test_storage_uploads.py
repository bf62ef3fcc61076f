"""Uploads to the Storage stand-in, where the recording ends: size, races, refusals, broken-off bodies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import tracemalloc
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from starlette.requests import Request
from starlette.types import Message
from storage3 import SyncStorageClient
from storage3.exceptions import StorageApiError

from scripts.local_supabase import LocalSupabase
from scripts.local_supabase.storage import multipart
from scripts.local_supabase.storage.database import SERVICE, Database
from scripts.local_supabase.storage.errors import StorageError
from scripts.local_supabase.storage.files import FileStore, StoredFile
from tests.end_to_end.storage_clients import (
    TEXT,
    admin_connection,
    files_on_disk,
    own_bucket,
    raw_http,
    rows_of,
    storage_client,
    user_token,
    wait_until,
)
from tests.end_to_end.trigger_recorder import TriggerRecorder

MEGABYTE = 1024 * 1024


@pytest.fixture
def client(supabase: LocalSupabase) -> Iterator[SyncStorageClient]:
    with storage_client(supabase) as client:
        yield client


@pytest.fixture
def bucket(client: SyncStorageClient) -> Iterator[str]:
    with own_bucket(client) as bucket:
        yield bucket


@contextmanager
def refusing_trigger(supabase: LocalSupabase, condition: str) -> Iterator[None]:
    with admin_connection(supabase) as admin:
        admin.execute(
            f"""
            create function public.refuse_for_test() returns trigger language plpgsql set search_path = ''
            as $$ begin raise exception 'the text of the trigger'; end $$;
            create trigger refuse_for_test before insert or update on storage.objects
            for each row when ({condition}) execute function public.refuse_for_test()
            """.encode()
        )
        try:
            yield
        finally:
            admin.execute("drop trigger refuse_for_test on storage.objects")
            admin.execute("drop function public.refuse_for_test()")


def test_a_big_file_comes_back_as_it_went(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str, tmp_path: Path
) -> None:
    content = hashlib.shake_256(b"big").digest(MEGABYTE) * 60
    (tmp_path / "big.bin").write_bytes(content)
    client.from_(bucket).upload("org/big.bin", tmp_path / "big.bin", TEXT)
    assert client.from_(bucket).download("org/big.bin") == content
    info = client.from_(bucket).info("org/big.bin")
    assert info["size"] == len(content)
    assert info["etag"].endswith('-4"'), "above 16 MiB an eTag is made of parts"


def test_a_body_is_never_whole_in_memory(tmp_path: Path) -> None:
    files = FileStore(tmp_path / "files")
    files.prepare()
    head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
    chunks = [head] + [b"\0" * 65536] * (60 * 16) + [b"\r\n--b--\r\n"]
    tracemalloc.start()
    stored = asyncio.run(receive(files, chunks, "multipart/form-data; boundary=b"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stored.size == 60 * MEGABYTE
    assert peak < 2 * MEGABYTE


@pytest.mark.parametrize("missing", [b"--b--\r\n", b"\r\n--b--\r\n"])
def test_a_form_that_ends_too_early_leaves_no_file(missing: bytes, tmp_path: Path) -> None:
    files = FileStore(tmp_path)
    files.prepare()
    form = b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nhalf\r\n--b--\r\n'
    with pytest.raises(StorageError, match="Unexpected end of form"):
        asyncio.run(receive(files, [form.removesuffix(missing)], "multipart/form-data; boundary=b"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def receive(files: FileStore, chunks: list[bytes], content_type: str) -> StoredFile:
    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        + [{"type": "http.request", "body": b"", "more_body": False}]
    )

    async def next_message() -> Message:
        return next(messages)

    headers = [(b"content-type", content_type.encode())]
    file = await multipart.receive(Request({"type": "http", "headers": headers}, next_message))
    return await files.receive(file.chunks, None)


def test_an_upload_that_its_client_breaks_off_leaves_nothing(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    before = files_on_disk(supabase)
    url = httpx.URL(supabase.url)
    request = (
        f"POST /storage/v1/object/{bucket}/org/a.txt HTTP/1.1\r\nhost: {url.host}\r\n"
        f"apikey: {supabase.secret_key}\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(request.encode() + b"x" * 500_000)
        wait_until(lambda: files_on_disk(supabase) != before)
    wait_until(lambda: files_on_disk(supabase) == before)
    assert client.from_(bucket).list("org") == []


@pytest.mark.parametrize("version", ["../../../../etc/passwd", "1", None])
def test_only_versions_that_the_stand_in_made_name_files(version: str | None, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Object not found"):
        FileStore(tmp_path / "files").open(version)


def test_uploads_that_race_for_one_key_leave_one_row_and_its_own_bytes(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    contents = [f"content {number}".encode() * 50_000 for number in range(8)]

    def upload(content: bytes) -> str:
        with storage_client(supabase) as racer:
            try:
                racer.from_(bucket).upload("org/raced.txt", content, TEXT)
            except StorageApiError as error:
                return error.code
        return "uploaded"

    with ThreadPoolExecutor(len(contents)) as pool:
        outcomes = set(pool.map(upload, contents))
    assert "uploaded" in outcomes
    assert outcomes <= {"uploaded", "Duplicate"}
    stored = client.from_(bucket).download("org/raced.txt")
    assert stored in contents
    with admin_connection(supabase) as admin:
        (row,) = rows_of(admin, bucket)
    assert row["metadata"]["eTag"] == f'"{hashlib.md5(stored).hexdigest()}"'


@pytest.mark.parametrize("when", ["new.version = '1'", "new.version <> '1'"], ids=["probe", "real write"])
def test_a_trigger_that_raises_refuses_the_upload_and_keeps_its_text_to_itself(
    when: str, supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    before = files_on_disk(supabase)
    condition = f"new.bucket_id = '{bucket}' and {when}"
    with refusing_trigger(supabase, condition), pytest.raises(StorageApiError) as refusal:
        client.from_(bucket).upload("org/a.txt", b"hello", TEXT)
    assert (refusal.value.status, refusal.value.message) == ("500", "database error, code: P0001")
    assert client.from_(bucket).list("org") == []
    assert files_on_disk(supabase) == before


def test_a_trigger_that_raises_on_an_overwrite_leaves_the_old_file(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    client.from_(bucket).upload("org/a.txt", b"old", TEXT)
    condition = f"new.bucket_id = '{bucket}' and new.version <> '1'"
    with refusing_trigger(supabase, condition), pytest.raises(StorageApiError):
        client.from_(bucket).update("org/a.txt", b"new", TEXT)
    assert client.from_(bucket).download("org/a.txt") == b"old"


def test_an_upload_that_a_policy_permits_is_probed_as_the_user_and_written_for_them(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    user = str(uuid.uuid4())
    with (
        admin_connection(supabase) as admin,
        psycopg.connect(supabase.admin_database_url, autocommit=True) as own,
    ):
        admin.execute(
            "create policy for_test on storage.objects for insert to authenticated with check ("
            "(select current_setting('request.jwt.claims', true)::jsonb ->> 'sub') = (storage.foldername(name))[1])"
        )
        try:
            with (
                TriggerRecorder(own, bucket) as recorder,
                storage_client(supabase, user_token(supabase, user)) as mine,
            ):
                mine.from_(bucket).upload(f"{user}/a.txt", b"mine", TEXT)
                with pytest.raises(StorageApiError, match="row-level security"):
                    mine.from_(bucket).upload("somebody-else/a.txt", b"not mine", TEXT)
                events = [(event["role"], event["committed"]) for event in recorder.take()]
        finally:
            admin.execute("drop policy for_test on storage.objects")
        (row,) = rows_of(admin, bucket)
    assert events == [("authenticated", False), ("service_role", True)]
    assert (row["owner_id"], str(row["owner"])) == (user, user)


def test_bytes_without_a_form_are_described_by_headers(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    metadata = base64.b64encode(json.dumps({"k": "v"}).encode()).decode()
    headers = {"content-type": "image/png", "cache-control": "max-age=7", "x-metadata": metadata}
    with raw_http(supabase) as http:
        assert http.post(f"object/{bucket}/org/raw.png", content=b"raw", headers=headers).status_code == 200
    info = client.from_(bucket).info("org/raw.png")
    described = (info["content_type"], info["cache_control"], info["metadata"], info["size"])
    assert described == ("image/png", "max-age=7", {"k": "v"}, 3)


def test_who_writes_a_locked_key_is_told_so(
    supabase: LocalSupabase, client: SyncStorageClient, bucket: str
) -> None:
    async def hold_the_key() -> None:
        dsn = make_conninfo(supabase.admin_database_url, user="supabase_storage_admin")
        database = Database(dsn)
        async with database.transaction(SERVICE) as connection:
            await connection.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{bucket}/org/a.txt"]
            )
            with pytest.raises(StorageApiError, match="The resource is locked"):
                await asyncio.to_thread(client.from_(bucket).upload, "org/a.txt", b"a", TEXT)
        await database.close()

    asyncio.run(hold_the_key())
