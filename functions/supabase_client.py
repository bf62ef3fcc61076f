"""The connections to one Supabase project: PostgREST for the queue, Storage for the files.

Made on first use, so never at import and never before a server forks. HTTP/1.1 on purpose: the HTTP/2
of a synchronous httpx client is not safe across threads. Only `postgrest` and `storage3` are imported,
which are the two parts of the `supabase` package that a worker needs.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote

import httpx
from postgrest import SyncPostgrestClient
from storage3 import SyncStorageClient

from functions import trace_context
from functions.settings import Settings
from functions.this_machine import is_on_this_machine

_CONNECT_SECONDS = 5.0
_REST_SECONDS = 9.0  # just above the 8 s after which Supabase ends a statement
_DATABASE_CODE = re.compile(r"PGRST\w+|[0-9A-Z]{5}")
_KEY_STATUSES = (401, 403)  # which postgrest passes on, whoever answered them


class SupabaseClient:
    """Both clients of a project; threads may share one. Close it, or use it as a context manager."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = {"apikey": key, "authorization": f"Bearer {key}"}
        self._lock = threading.Lock()
        self._thread = threading.local()
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
                session = _http_client(self._url, _REST_SECONDS)
                session.event_hooks = {
                    "request": [self._limit_time, _pass_trace_on],
                    "response": [_refuse_what_others_say],
                }
                self._rest = SyncPostgrestClient(
                    f"{self._url}/rest/v1",
                    headers=dict(self._headers),
                    http_client=session,
                    retry_enabled=False,
                )
            return self._rest

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Gives this thread's requests to PostgREST less time than they would have."""
        self._thread.seconds = min(max(seconds, 0.1), _REST_SECONDS)
        try:
            yield
        finally:
            del self._thread.seconds

    @property
    def storage(self) -> SyncStorageClient:
        """Storage: its timeout is per read and write, so that a large file may take its time."""
        with self._lock:
            if self._storage is None:
                self._storage = SyncStorageClient(
                    f"{self._url}/storage/v1/",
                    headers=dict(self._headers),
                    http_client=_http_client(self._url, 30),
                )
            return self._storage

    @contextmanager
    def stream(self, bucket: str, path: str) -> Iterator[httpx.Response]:
        """A stored object as it arrives; `storage3` itself could only read it whole."""
        url = self._object_url(bucket, path)
        with self.storage.session.stream("GET", url, headers=self._headers) as response:
            yield response

    def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> httpx.Response:
        """Stores an object over whatever is at its path; `storage3` would take a `%2f` in it for a slash."""
        headers = {"content-type": content_type, "x-upsert": "true", "cache-control": "max-age=3600"}
        headers |= self._headers
        return self.storage.session.post(self._object_url(bucket, path), content=data, headers=headers)

    def remove(self, bucket: str, paths: Sequence[str]) -> httpx.Response:
        """Removes objects; the answer lists those that were there."""
        url = f"{self._url}/storage/v1/object/{quote(bucket, safe='')}"
        return self.storage.session.request(
            "DELETE", url, json={"prefixes": list(paths)}, headers=self._headers
        )

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

    def _object_url(self, bucket: str, path: str) -> str:
        return f"{self._url}/storage/v1/object/{quote(bucket, safe='')}/{quote(path)}"

    def _limit_time(self, request: httpx.Request) -> None:
        if seconds := getattr(self._thread, "seconds", None):
            request.extensions["timeout"] = _timeout(seconds).as_dict()


def leads_elsewhere(bucket: str, path: str) -> bool:
    """Whether a place in Storage could be another one by the time it is reached: a `..` is followed on the way."""
    return bool({"", ".", ".."} & {bucket, *path.split("/")})


def _pass_trace_on(request: httpx.Request) -> None:
    """So that a job which this request enqueues belongs to the trace that it is made for."""
    if (trace := trace_context.current()) and trace.traceparent:
        request.headers["traceparent"] = trace.traceparent


def _refuse_what_others_say(response: httpx.Response) -> None:
    """Raises for an error that is not PostgREST's: gateways answer JSON too, in which postgrest sees no code."""
    if response.is_success or response.status_code in _KEY_STATUSES:
        return
    try:
        body = json.loads(response.read())
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    if not _DATABASE_CODE.fullmatch(str(said.get("code"))):
        message = str(said.get("message") or response.reason_phrase or "no reason given")
        raise httpx.HTTPStatusError(message, request=response.request, response=response)


def _http_client(url: str, seconds: float) -> httpx.Client:
    return httpx.Client(
        http2=False,
        timeout=_timeout(seconds),
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=20),
        follow_redirects=False,
        trust_env=not is_on_this_machine(url),
    )


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds / 2))
