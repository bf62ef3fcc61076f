"""The Storage stand-in answers as the real Storage API did: a recording, step by step, triggers included."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from storage3 import SyncStorageClient
from storage3._sync.file_api import SyncBucketProxy
from supabase import ClientOptions, create_client

from scripts.local_supabase import LocalSupabase
from tests.end_to_end.storage_recording import (
    RECORDED_BUCKETS,
    Step,
    assert_same_result,
    masked,
    recorded_steps,
)
from tests.end_to_end.trigger_recorder import TriggerRecorder

RECORDED = recorded_steps()
COMPARED_HEADERS = (
    "accept-ranges",
    "cache-control",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
)
TEXT: Any = {"content-type": "text/plain"}


@dataclass(frozen=True)
class Session:
    """What the recorded calls are made on: `c` and its bucket `b` as the service role, `a` as anon."""

    c: SyncStorageClient
    b: SyncBucketProxy
    a: SyncBucketProxy
    http: httpx.Client
    url: str
    service_key: str
    file: Path

    def with_key(self, key: str) -> SyncStorageClient:
        return create_client(self.url, key, ClientOptions(httpx_client=self.http)).storage

    def get_signed(self) -> tuple[int, bytes]:
        answer = self.http.get(str(self.b.create_signed_url("org1/a.txt", 60)["signedURL"]))
        return answer.status_code, answer.content

    def upload_signed(self) -> object:
        signed = self.b.create_signed_upload_url("org1/signed-up.txt")
        return self.b.upload_to_signed_url("org1/signed-up.txt", signed["token"], b"via signed", TEXT)

    def get_range(self) -> bytes:
        headers = {"Authorization": f"Bearer {self.service_key}", "range": "bytes=1-3"}
        return self.http.get(f"{self.url}/storage/v1/object/rec/org1/a.txt", headers=headers).content

    def get_forged(self) -> int:
        return self.http.get(f"{self.url}/storage/v1/object/sign/rec/org1/a.txt?token=abc").status_code


SMALL_BUCKET: Any = {
    "public": False,
    "file_size_limit": 1000000,
    "allowed_mime_types": ["text/plain", "image/png"],
}
UPSERT: Any = {**TEXT, "upsert": "true"}
METADATA: Any = {**TEXT, "cache-control": "60", "metadata": {"k": "v"}}
BY_NAME: Any = {"limit": 2, "offset": 0, "sortBy": {"column": "name", "order": "asc"}}

CALLS: dict[str, Callable[[Session], object]] = {
    "create private bucket": lambda s: s.c.create_bucket("rec", options=SMALL_BUCKET),
    "create bucket again": lambda s: s.c.create_bucket("rec"),
    "get bucket": lambda s: s.c.get_bucket("rec"),
    "get missing bucket": lambda s: s.c.get_bucket("nope"),
    "list buckets": lambda s: [found for found in s.c.list_buckets() if found.id in RECORDED_BUCKETS],
    "upload new": lambda s: s.b.upload("org1/a.txt", b"hello", TEXT),
    "upload existing without upsert": lambda s: s.b.upload("org1/a.txt", b"hello2", TEXT),
    "upload existing with upsert": lambda s: s.b.upload("org1/a.txt", b"hello2", UPSERT),
    "update (PUT) existing": lambda s: s.b.update("org1/a.txt", b"hello3", TEXT),
    "update (PUT) missing: creates": lambda s: s.b.update("org1/made-by-put.txt", b"x", TEXT),
    "upload with user metadata and cache-control": lambda s: s.b.upload("org1/m.txt", b"meta", METADATA),
    "upload from a path": lambda s: s.b.upload("org1/p.txt", str(s.file), TEXT),
    "upload over the bucket size limit": lambda s: s.b.upload("org1/big.txt", b"x" * 1000001, TEXT),
    "upload a refused mime type": lambda s: s.b.upload(
        "org1/x.bin", b"x", {"content-type": "application/zip"}
    ),
    "upload an empty file": lambda s: s.b.upload("org1/empty.txt", b"", TEXT),
    "upload with a space, umlaut-free specials": lambda s: s.b.upload("org1/a b+(c)&d'e.txt", b"x", TEXT),
    "upload with an invalid key (emoji)": lambda s: s.b.upload("org1/\U0001f600.txt", b"x", TEXT),
    "upload with an invalid key (percent)": lambda s: s.b.upload("org1/a%b.txt", b"x", TEXT),
    "upload as anon without a policy": lambda s: s.a.upload("org1/anon.txt", b"x", TEXT),
    "download": lambda s: s.b.download("org1/a.txt"),
    "download missing": lambda s: s.b.download("org1/none.txt"),
    "download as anon": lambda s: s.a.download("org1/a.txt"),
    "info": lambda s: s.b.info("org1/a.txt"),
    "info missing": lambda s: s.b.info("org1/none.txt"),
    "exists": lambda s: s.b.exists("org1/a.txt"),
    "exists missing": lambda s: s.b.exists("org1/none.txt"),
    "list prefix": lambda s: s.b.list("org1", BY_NAME),
    "list root (folders)": lambda s: s.b.list(),
    "list_v2": lambda s: s.b.list_v2({"prefix": "org1/", "limit": 2}),
    "move": lambda s: s.b.move("org1/p.txt", "org1/moved.txt"),
    "move missing": lambda s: s.b.move("org1/none.txt", "org1/x.txt"),
    "copy": lambda s: s.b.copy("org1/moved.txt", "org1/copied.txt"),
    "copy over existing": lambda s: s.b.copy("org1/moved.txt", "org1/copied.txt"),
    "create signed url": lambda s: s.b.create_signed_url("org1/a.txt", 60),
    "create signed urls": lambda s: s.b.create_signed_urls(["org1/a.txt", "org1/none.txt"], 60),
    "get by signed url": Session.get_signed,
    "get by a forged signed url": Session.get_forged,
    "create signed upload url and upload to it": Session.upload_signed,
    "range request": Session.get_range,
    "public url of a private bucket": lambda s: s.http.get(s.b.get_public_url("org1/a.txt")).status_code,
    "bad key": lambda s: s.with_key("eyJhbGciOiJIUzI1NiJ9.e30.bad").from_("rec").list(),
    "remove two, one missing": lambda s: s.b.remove(["org1/copied.txt", "org1/none.txt"]),
    "empty bucket": lambda s: s.c.empty_bucket("rec"),
    "delete bucket": lambda s: s.c.delete_bucket("rec"),
}


@pytest.fixture(scope="module")
def exchanges() -> list[dict[str, Any]]:
    return []


@pytest.fixture(scope="module")
def session(
    supabase: LocalSupabase, exchanges: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    file = tmp_path_factory.mktemp("upload") / "up.txt"
    file.write_bytes(b"from disk")
    hooks: dict[str, list[Callable[..., Any]]] = {
        "response": [lambda answer: exchanges.append(_seen(answer))]
    }
    with httpx.Client(event_hooks=hooks, timeout=30, trust_env=False) as http:
        options = ClientOptions(httpx_client=http)
        service = create_client(supabase.url, supabase.secret_key, options).storage
        anonymous = create_client(supabase.url, supabase.publishable_key, options).storage
        bucket, unprivileged = service.from_("rec"), anonymous.from_("rec")
        key = supabase.service_role_key
        yield Session(service, bucket, unprivileged, http, supabase.url, key, file)


@pytest.fixture(scope="module")
def replayed(
    supabase: LocalSupabase, session: Session, exchanges: list[dict[str, Any]]
) -> dict[str, tuple[Step, Step]]:
    """By its name, each step as recorded and as it went here."""
    steps = []
    with (
        psycopg.connect(supabase.admin_database_url, autocommit=True) as admin,
        TriggerRecorder(admin, "rec") as recorder,
    ):
        for recorded in RECORDED:
            exchanges.clear()
            try:
                result = str(CALLS[recorded.name](session))
            except Exception as error:  # the recording holds exceptions as results
                result = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
            steps.append(Step(recorded.name, list(exchanges), recorder.take(), result))
    both = zip(masked(RECORDED), masked(steps), strict=True)
    return {recorded.name: (recorded, here) for recorded, here in both}


def _seen(response: httpx.Response) -> dict[str, Any]:
    request, body = response.request, response.read()
    is_json = "json" in response.headers.get("content-type", "")
    return {
        "request": {"method": request.method, "path": request.url.raw_path.decode()},
        "response": {
            "status": response.status_code,
            "headers": {
                name: response.headers[name] for name in COMPARED_HEADERS if name in response.headers
            },
            "body": json.loads(body) if is_json else f"<{len(body)} bytes>",
        },
    }


@pytest.mark.parametrize("name", [step.name for step in RECORDED])
def test_a_step_of_the_recording_has_the_same_requests_and_answers(
    name: str, replayed: dict[str, tuple[Step, Step]]
) -> None:
    recorded, here = replayed[name]
    assert here.http == recorded.http


@pytest.mark.parametrize("name", [step.name for step in RECORDED])
def test_a_step_of_the_recording_shows_a_trigger_the_same_rows(
    name: str, replayed: dict[str, tuple[Step, Step]]
) -> None:
    recorded, here = replayed[name]
    assert here.trigger_events == recorded.trigger_events


@pytest.mark.parametrize("name", [step.name for step in RECORDED])
def test_a_step_of_the_recording_gives_the_python_client_the_same_result(
    name: str, replayed: dict[str, tuple[Step, Step]]
) -> None:
    recorded, here = replayed[name]
    assert_same_result(here.python_result, recorded.python_result)


def test_every_recorded_step_is_replayed() -> None:
    assert list(CALLS) == [step.name for step in RECORDED]
