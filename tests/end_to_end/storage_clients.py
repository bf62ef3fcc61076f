"""What the Storage tests share: clients with a key, a bucket of one's own, a look at the rows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import psycopg
from psycopg.rows import dict_row
from storage3 import SyncStorageClient
from supabase import ClientOptions, create_client

from scripts.local_supabase import Leg, LocalSupabase
from scripts.local_supabase.state import LegFolder

TEXT: Any = {"content-type": "text/plain"}


@contextmanager
def storage_client(supabase: LocalSupabase, key: str | None = None) -> Iterator[SyncStorageClient]:
    """As the service role, or with another key or a user's token."""
    with httpx.Client(timeout=60, trust_env=False) as http:
        yield create_client(
            supabase.url, key or supabase.secret_key, ClientOptions(httpx_client=http)
        ).storage


@contextmanager
def own_bucket(client: SyncStorageClient, **options: Any) -> Iterator[str]:
    name = f"test-{uuid.uuid4()}"
    client.create_bucket(name, options=options or None)  # type: ignore[arg-type]
    try:
        yield name
    finally:
        client.empty_bucket(name)
        client.delete_bucket(name)


@contextmanager
def raw_http(supabase: LocalSupabase) -> Iterator[httpx.Client]:
    """Requests to the Storage API that supabase-py does not make."""
    headers = {"apikey": supabase.secret_key}
    url = f"{supabase.url}/storage/v1/"
    with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
        yield http


def user_token(supabase: LocalSupabase, user: str) -> str:
    claims = {"role": "authenticated", "sub": user, "aud": "authenticated", "exp": 4102444800}
    return jwt.encode(claims, supabase.jwt_secret, algorithm="HS256")


@contextmanager
def admin_connection(supabase: LocalSupabase) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(supabase.admin_database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def rows_of(connection: psycopg.Connection[dict[str, Any]], bucket: str) -> list[dict[str, Any]]:
    return connection.execute(
        "select * from storage.objects where bucket_id = %s order by name", [bucket]
    ).fetchall()


def files_on_disk(supabase: LocalSupabase) -> set[Path]:
    folder = LegFolder(Path(supabase.directory), Leg(supabase.leg)).files
    return {path for path in folder.rglob("*") if path.is_file()}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
