"""What a handler's context does, and what Storage's trouble becomes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from pydantic import BaseModel

from functions import trace_context
from functions.context import JobContext
from functions.errors import LeaseLost
from functions.object_store import ObjectStore
from handlers.contract import Decoded, Reject, Retry
from tests.unit.fakes import KEY, URL, FakeClock, FakeSandbox, client
from tests.unit.support import claimed, context_for

OBJECT = "/storage/v1/object/ingest/acme/a%20photo.png"


@pytest.fixture
def storage() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL, assert_all_called=True, assert_all_mocked=True) as router:
        yield router


@pytest.fixture
def context() -> Iterator[JobContext]:
    with client() as supabase:
        made = context_for(claimed(), store=ObjectStore(supabase, max_bytes=1000))
        yield made
        made.close()


def download(context: JobContext) -> bytes:
    return context.download("ingest", "acme/a photo.png")


def test_an_object_is_read_into_memory_with_the_key(storage: respx.MockRouter, context: JobContext) -> None:
    route = storage.get(OBJECT).respond(content=b"bytes")
    assert download(context) == b"bytes"
    assert route.calls.last.request.headers["authorization"] == f"Bearer {KEY}"


def test_an_object_is_streamed_into_the_jobs_private_folder(
    storage: respx.MockRouter, context: JobContext
) -> None:
    storage.get(OBJECT).respond(content=b"bytes")
    file = context.download_to_file("ingest", "acme/a photo.png")
    assert (file.read_bytes(), file.suffix) == (b"bytes", ".png")
    assert file.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("path", ["acme/x", "acme/x.", "acme/x.a b", "acme/x.jp/../../y", "acme/.hidden/"])
def test_nothing_of_an_objects_path_but_a_plain_suffix_reaches_the_disk(
    path: str, context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ObjectStore, "download_to", lambda _, target, *__, **___: target.touch())
    assert context.download_to_file("ingest", path).name == "1"


def test_a_file_that_says_it_is_too_large_is_refused_before_it_is_read(
    storage: respx.MockRouter, context: JobContext
) -> None:
    storage.get(OBJECT).respond(content=b"x" * 101)
    with pytest.raises(Reject, match="larger than the limit"):
        context.download_to_file("ingest", "acme/a photo.png", max_bytes=100)


def test_a_file_that_does_not_say_its_size_is_stopped_at_the_limit(
    storage: respx.MockRouter, context: JobContext
) -> None:
    storage.get(OBJECT).mock(return_value=httpx.Response(200, content=iter([b"x" * 600, b"x" * 600])))
    with pytest.raises(Reject, match="larger than the limit"):
        download(context)


def test_a_handler_can_lower_the_limit_for_files_but_not_raise_it(
    storage: respx.MockRouter, context: JobContext
) -> None:
    storage.get(OBJECT).respond(content=b"x" * 1001)
    with pytest.raises(Reject, match="limit of"):
        context.download_to_file("ingest", "acme/a photo.png", max_bytes=5000)


def not_found() -> httpx.Response:
    body = {"statusCode": "404", "error": "not_found", "message": "Object not found"}
    return httpx.Response(400, json=body)


@pytest.mark.parametrize(
    ("trouble", "outcome", "text"),
    [
        (not_found(), Reject, "the file is gone"),
        (httpx.Response(404, text="gone"), Reject, "the file is gone"),
        (
            httpx.Response(429, json={"statusCode": "429", "error": "x", "message": "busy"}),
            Retry,
            "429: busy",
        ),
        (
            httpx.Response(544, json={"statusCode": "544", "error": "x", "message": "slow"}),
            Retry,
            "544: slow",
        ),
        (httpx.Response(502, text="<html>"), Retry, "502"),
        (httpx.ConnectError("refused"), Retry, "cannot be reached"),
        (httpx.ReadTimeout("slow"), Retry, "cannot be reached"),
    ],
    ids=lambda value: repr(value),
)
def test_trouble_when_reading_is_said_as_an_outcome(
    trouble: Any, outcome: type[Exception], text: str, storage: respx.MockRouter, context: JobContext
) -> None:
    storage.get(OBJECT).mock(side_effect=[trouble])
    with pytest.raises(outcome, match=text):
        download(context)


def test_an_upload_overwrites_and_says_what_it_is(storage: respx.MockRouter, context: JobContext) -> None:
    route = storage.post("/storage/v1/object/thumbnails/acme/1/256.webp").respond(
        json={"Id": "x", "Key": "thumbnails/acme/1/256.webp"}
    )
    context.upload("thumbnails", "acme/1/256.webp", b"webp", "image/webp")
    request = route.calls.last.request
    sent = {name: request.headers[name] for name in ("x-upsert", "content-type", "authorization")}
    assert sent == {"x-upsert": "true", "content-type": "image/webp", "authorization": f"Bearer {KEY}"}
    assert request.content == b"webp"


@pytest.mark.parametrize(
    "path", ["acme/../victim/a.pdf", "../a", "acme/..", "acme/./a", ".", "", "/acme/a", "acme//a", "acme/"]
)
@pytest.mark.parametrize(
    "call",
    [
        lambda context, path: context.download("ingest", path),
        lambda context, path: context.download_to_file("ingest", path),
        lambda context, path: context.upload("ingest", path, b"x", "text/plain"),
        lambda context, path: context.remove("ingest", ["acme/a", path]),
    ],
    ids=["download", "download_to_file", "upload", "remove"],
)
def test_a_path_that_could_lead_into_another_organisations_folder_is_refused_unsent(
    call: Any, path: str, context: JobContext
) -> None:
    with pytest.raises(Reject, match="rename the file"):
        call(context, path)


def test_a_bucket_cannot_lead_elsewhere_either(context: JobContext) -> None:
    with pytest.raises(Reject):
        context.download("..", "acme/a.pdf")


def test_a_percent_sign_in_a_name_stays_one_and_never_becomes_a_slash(
    storage: respx.MockRouter, context: JobContext
) -> None:
    route = storage.route(path__regex=".*").respond(json={})
    context.download("ingest", "acme/..%2f%2e%2e%2fa#")
    context.upload("ingest", "acme/..%2f%2e%2e%2fa#", b"x", "text/plain")
    expected = b"/storage/v1/object/ingest/acme/..%252f%252e%252e%252fa%23"
    assert [call.request.url.raw_path for call in route.calls] == [expected, expected]


def test_a_name_that_storage_cannot_read_is_the_owners_to_change_and_not_tried_again(
    storage: respx.MockRouter, context: JobContext
) -> None:
    said = {"statusCode": 400, "message": "'/object/ingest/acme/100%' is not a valid url component"}
    storage.route(path__regex=".*").respond(400, json=said)
    with pytest.raises(Reject, match="rename the file"):
        context.download("ingest", "acme/100%")


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (
            httpx.Response(400, json={"statusCode": "413", "error": "Payload too large", "message": "m"}),
            Reject,
        ),
        (httpx.Response(400, json={"statusCode": "404", "error": "Bucket not found", "message": "m"}), Retry),
        (httpx.Response(500, text="oops"), Retry),
        (httpx.WriteTimeout("slow"), Retry),
    ],
    ids=lambda value: repr(value),
)
def test_trouble_when_writing_is_said_as_an_outcome(
    trouble: Any, outcome: type[Exception], storage: respx.MockRouter, context: JobContext
) -> None:
    storage.post("/storage/v1/object/thumbnails/a/b").mock(side_effect=[trouble])
    with pytest.raises(outcome):
        context.upload("thumbnails", "a/b", b"x", "image/webp")


def test_objects_are_removed_in_one_call_and_those_that_are_gone_do_no_harm(
    storage: respx.MockRouter, context: JobContext
) -> None:
    route = storage.delete("/storage/v1/object/thumbnails").respond(json=[])
    context.remove("thumbnails", ["acme/1/a.webp", "acme/ü%2f.webp"])

    (call,) = route.calls
    assert json.loads(call.request.content) == {"prefixes": ["acme/1/a.webp", "acme/ü%2f.webp"]}
    assert call.request.headers["authorization"] == f"Bearer {KEY}"


def test_many_objects_are_removed_in_calls_that_storage_takes(
    storage: respx.MockRouter, context: JobContext
) -> None:
    route = storage.delete("/storage/v1/object/thumbnails").respond(json=[])
    context.remove("thumbnails", [f"acme/{number}" for number in range(2001)])
    context.remove("thumbnails", [])

    sent = [json.loads(call.request.content)["prefixes"] for call in route.calls]
    assert [len(prefixes) for prefixes in sent] == [1000, 1000, 1]
    assert sent[2] == ["acme/2000"]


@pytest.mark.parametrize("trouble", [httpx.Response(500, text="oops"), httpx.ReadTimeout("slow")], ids=repr)
def test_trouble_when_removing_is_tried_again(
    trouble: Any, storage: respx.MockRouter, context: JobContext
) -> None:
    storage.delete("/storage/v1/object/thumbnails").mock(side_effect=[trouble])
    with pytest.raises(Retry):
        context.remove("thumbnails", ["acme/1/a.webp"])


def test_decoding_gets_the_seconds_that_are_left(tmp_path: Path) -> None:
    clock, asked = FakeClock(), {}

    def answer(**request: Any) -> Decoded:
        asked.update(request)
        return Decoded(facts={"width": 1}, files={})

    context = context_for(claimed(), clock=clock, sandbox=FakeSandbox(answer))
    clock.advance(20)
    decoded = context.decode("handlers.media.image:facts", tmp_path, memory_mb=256, page=2)
    assert decoded.facts == {"width": 1}
    assert asked == {
        "decoder": "handlers.media.image:facts",
        "source": tmp_path,
        "timeout": 40,
        "memory_mb": 256,
        "seconds": None,
        "options": {"page": 2},
    }


class Analysis(BaseModel):
    title: str


def test_a_parent_is_asked_for_by_its_type_or_its_ref_and_the_others_are_named() -> None:
    context = context_for(
        claimed(parents={"analyze_file": {"title": "A", "more": 1}, "left": {"title": "L"}})
    )
    assert [context.parent(name, Analysis).title for name in ("analyze_file", "left")] == ["A", "L"]
    with pytest.raises(Reject, match="did not wait for right, only for analyze_file, left"):
        context.parent("right", Analysis)


@pytest.mark.parametrize(("parents", "text"), [({}, "did not wait for"), ({"analyze_file": {}}, "title: ")])
def test_a_parent_that_is_missing_or_wrong_is_a_reject(parents: dict[str, Any], text: str) -> None:
    with pytest.raises(Reject, match=text):
        context_for(claimed(parents=parents)).parent("analyze_file", Analysis)


def test_progress_is_bounded_and_taken_once() -> None:
    context = context_for(claimed())
    context.progress(1.7, "almost")
    assert context.take_progress() == {"done": 1.0, "note": "almost"}
    assert context.take_progress() is None


@pytest.mark.parametrize(
    "call",
    [
        lambda context: context.progress(0.1),
        lambda context: context.seconds_left(),
        lambda context: context.download("a", "b"),
        lambda context: context.download_to_file("a", "b"),
        lambda context: context.upload("a", "b", b"", "text/plain"),
        lambda context: context.remove("a", ["b"]),
        lambda context: context.recall("key"),
        lambda context: context.keep("key", 1),
        lambda context: context.decode("handlers.media.image:facts", Path()),
    ],
    ids=[
        "progress",
        "seconds_left",
        "download",
        "download_to_file",
        "upload",
        "remove",
        "recall",
        "keep",
        "decode",
    ],
)
def test_an_abandoned_job_hears_of_it_at_its_next_call(call: Any) -> None:
    context = context_for(claimed())
    context.abandon("it was cancelled")
    with pytest.raises(LeaseLost, match="it was cancelled"):
        call(context)


ENQUEUED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
INSIDE = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01"  # a span of the same trace
REQUEST = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("enqueued", "current", "expected"),
    [
        (None, None, None),
        (ENQUEUED, None, ENQUEUED),
        (None, REQUEST, REQUEST),
        (ENQUEUED, REQUEST, ENQUEUED),
        (ENQUEUED, INSIDE, INSIDE),
        ("nonsense", REQUEST, REQUEST),
    ],
)
def test_the_trace_of_a_job_is_its_own_span_or_what_enqueued_it_or_the_ticks_request(
    enqueued: str | None, current: str | None, expected: str | None
) -> None:
    job = claimed(trace_parent=enqueued)
    with trace_context.belonging_to(trace_context.parse_traceparent(current)):
        assert context_for(job).trace_parent == expected
