"""The connections to one Supabase project: PostgREST for the queue, Storage for the files.

Made on first use, so never at import and never before a server forks. HTTP/1.1 on purpose: the HTTP/2
of a synchronous httpx client is not safe across threads. Only `postgrest` and `storage3` are imported,
which are the two parts of the `supabase` package that a worker needs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import httpx
from postgrest import SyncPostgrestClient
from storage3 import SyncStorageClient

from functions.settings import Settings


class SupabaseClient:
    """Both clients of a project; threads may share one. Close it, or use it as a context manager."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = {"apikey": key, "authorization": f"Bearer {key}"}
        self._lock = threading.Lock()
        self._rest: SyncPostgrestClient | None = None
        self._storage: SyncStorageClient | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> SupabaseClient:
        return cls(*settings.supabase())

    @property
    def rest(self) -> SyncPostgrestClient:
        """PostgREST, for `job_queue.py`: short calls, and the queue itself decides what is retried."""
        with self._lock:
            if self._rest is None:
                session = _http_client(httpx.Timeout(15, connect=5))
                self._rest = SyncPostgrestClient(
                    f"{self._url}/rest/v1",
                    headers=dict(self._headers),
                    http_client=session,
                    retry_enabled=False,
                )
            return self._rest

    @property
    def storage(self) -> SyncStorageClient:
        """Storage: its timeout is per read and write, so that a large file may take its time."""
        with self._lock:
            if self._storage is None:
                session = _http_client(httpx.Timeout(30, connect=5))
                self._storage = SyncStorageClient(
                    f"{self._url}/storage/v1/", headers=dict(self._headers), http_client=session
                )
            return self._storage

    @contextmanager
    def stream(self, bucket: str, path: str) -> Iterator[httpx.Response]:
        """A stored object as it arrives; `storage3` itself could only read it whole."""
        url = f"{self._url}/storage/v1/object/{quote(bucket, safe='')}/{quote(path)}"
        with self.storage.session.stream("GET", url, headers=self._headers) as response:
            yield response

    def close(self) -> None:
        with self._lock:
            for client in (self._rest, self._storage):
                if client is not None:
                    client.session.close()
            self._rest = self._storage = None

    def __enter__(self) -> SupabaseClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _http_client(timeout: httpx.Timeout) -> httpx.Client:
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=20)
    return httpx.Client(http2=False, timeout=timeout, limits=limits, follow_redirects=False)
