"""Calls to addresses of others, against a real server on loopback that behaves as receivers do, and worse."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from handlers.call_webhook import Call, Called, call_webhook
from handlers.contract import Outcome, Reject, Retry, Snooze
from handlers.settings import HandlerSettings
from handlers.testing import FakeContext, job_with

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_" + "b2xkIHNlY3JldCBvbGQgc2VjcmV0IG9s"
BODY = {"type": "order.paid", "data": {"order": 7, "note": "grün 🌱"}}


@dataclass
class Receiver:
    """What the server answers, and what it got."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""
    endless: bool = False
    hang: threading.Event | None = None
    trickles: int = 0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if found.hang:
                while found.trickles and not found.hang.wait(0.1):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nx-more: " if found.trickles > 1 else b"x")
                    self.wfile.flush()
                    found.trickles = 1
                found.hang.wait(10)
                return
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(found.answer)
                while found.endless:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                return

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_port}/hooks"
        yield found
        if found.hang:
            found.hang.set()
        server.shutdown()


def context(urls: str | None, secret: str | None = SECRET, **values: Any) -> FakeContext:
    settings = HandlerSettings(webhook_urls=urls, webhook_secret=SecretStr(secret) if secret else None)
    return FakeContext(Path(), settings=settings, **values)


def call(receiver: Receiver, url: str | None = None, **payload: Any) -> Called:
    job = job_with("call_webhook", Call(url=url or receiver.url, **{"body": BODY, **payload}), job_id=17)
    answer = call_webhook(job, context(receiver.url))
    assert isinstance(answer, Called)
    return answer


def test_a_job_that_belongs_to_a_trace_says_so_to_the_receiver(receiver: Receiver) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    job = job_with("call_webhook", Call(url=receiver.url, body=BODY), job_id=17)
    call_webhook(job, context(receiver.url, trace_parent=trace))
    call_webhook(job, context(receiver.url))
    assert [headers.get("traceparent") for _, headers, _ in receiver.got] == [trace, None]


@contextmanager
def outcome(kind: type[Outcome], match: str) -> Iterator[pytest.ExceptionInfo[Any]]:
    """Exactly this outcome, with a reason that quotes nothing of what was sent or answered."""
    with pytest.raises(kind, match=match) as said:
        yield said
    assert type(said.value) is kind
    assert not any(secret in str(said.value) for secret in (SECRET, "order", "private"))


def test_the_body_arrives_signed_so_that_the_conventions_own_library_accepts_it(receiver: Receiver) -> None:
    answer = call(receiver, f"{receiver.url}/orders?from=us")

    ((path, headers, body),) = receiver.got
    assert answer.status == 204
    assert 0 <= answer.duration_ms < 30_000
    assert path == "/hooks/orders?from=us"
    assert Webhook(SECRET).verify(body, headers) == BODY
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "job_17"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)


def test_a_second_attempt_has_the_same_id_so_that_receivers_can_tell(receiver: Receiver) -> None:
    call(receiver)
    call(receiver)

    first, second = (headers["webhook-id"] for _, headers, _ in receiver.got)
    assert first == second


def test_while_a_secret_is_rotated_both_are_good(receiver: Receiver) -> None:
    job = job_with("call_webhook", Call(url=receiver.url, body=BODY))
    call_webhook(job, context(receiver.url, f"{SECRET} {OLD_SECRET}"))

    ((_, headers, body),) = receiver.got
    assert Webhook(SECRET).verify(body, headers) == Webhook(OLD_SECRET).verify(body, headers) == BODY


def test_headers_of_ones_own_go_along_and_replace_none_of_ours(receiver: Receiver) -> None:
    call(receiver, headers={"X-Api-Key": "abc", "Idempotency-Key": "7"})

    ((_, headers, _),) = receiver.got
    assert (headers["x-api-key"], headers["idempotency-key"]) == ("abc", "7")
    assert "authorization" not in headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"Cookie": "a=b"},
        {"Host": "a.example"},
        {"Content-Length": "5"},
        {"Webhook-Signature": "v1,x"},
        {"X-Forwarded-For": "10.0.0.1"},
        {"X-A": "a\r\nB: c"},
        {"X-A": "ü"},
        {"X-A\r\nB": "c"},
        {"X-A": "a" * 1001},
        {f"X-{number}": "a" for number in range(21)},
    ],
)
def test_other_headers_do_not_fit_the_payload(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="headers"):
        Call(url="https://a.example/", headers=headers)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_final(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.answer = status, b"private words of the receiver"

    with outcome(Reject, rf"refused the call \({status}\)"):
        call(receiver)


def test_a_receiver_that_is_gone_is_not_asked_again(receiver: Receiver) -> None:
    receiver.status = 410

    with outcome(Reject, "gone for good"):
        call(receiver)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_by_the_job_types_backoff(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.answer = status, b"private"

    with outcome(Retry, f"answered {status}") as said:
        call(receiver)
    assert said.value.after is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", None),
        ("99999999999999", 86_400),
        ("-1", None),
        ("soon", None),
        ("1e9", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2415 07:28:00 GMT", 86_400),
        ("Wed, 21 Oct 2415 07:28:00", 86_400),
    ],
)
def test_a_busy_receiver_says_when_to_come_back(
    receiver: Receiver, value: str, seconds: float | None
) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": value}

    with outcome(Retry, "429") as said:
        call(receiver)
    assert said.value.after == seconds


def test_a_date_to_come_back_at_is_a_time_from_now(receiver: Receiver) -> None:
    at = datetime.now(UTC) + timedelta(minutes=10)
    receiver.status, receiver.headers = 503, {"Retry-After": format_datetime(at, usegmt=True)}

    with outcome(Retry, "503") as said:
        call(receiver)
    assert 500 < said.value.after <= 600


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirection_is_followed(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.headers = status, {"Location": receiver.url + "/elsewhere"}

    with outcome(Reject, "redirection"):
        call(receiver)
    assert len(receiver.got) == 1


def test_a_receiver_that_does_not_listen_is_tried_again(receiver: Receiver) -> None:
    closed = "http://127.0.0.1:9/hooks"
    job = job_with("call_webhook", Call(url=closed))

    with outcome(Retry, r"127\.0\.0\.1 cannot be reached \(ConnectError\)"):
        call_webhook(job, context(closed))


def test_a_receiver_that_says_nothing_ends_before_the_jobs_time_does(receiver: Receiver) -> None:
    receiver.hang = threading.Event()
    job = job_with("call_webhook", Call(url=receiver.url))
    started = time.monotonic()

    with outcome(Retry, "ReadTimeout"):
        call_webhook(job, context(receiver.url, seconds=3.2))
    assert time.monotonic() - started < 3.2


def test_a_head_that_never_ends_is_given_up_before_the_jobs_time_is_over(receiver: Receiver) -> None:
    receiver.hang, receiver.trickles = threading.Event(), 2
    job = job_with("call_webhook", Call(url=receiver.url))
    started = time.monotonic()

    with outcome(Retry, "cannot be reached"):
        call_webhook(job, context(receiver.url, seconds=3.2))
    assert time.monotonic() - started < 3.2


def test_an_endless_answer_is_not_listened_to(receiver: Receiver) -> None:
    receiver.status, receiver.endless = 200, True

    assert call(receiver).status == 200


def test_without_time_for_a_call_none_is_made(receiver: Receiver) -> None:
    job = job_with("call_webhook", Call(url=receiver.url))

    with outcome(Retry, "too little time"):
        call_webhook(job, context(receiver.url, seconds=2.5))
    assert receiver.got == []


def test_without_settings_it_waits_for_them_and_names_them(receiver: Receiver) -> None:
    job = job_with("call_webhook", Call(url=receiver.url))

    with outcome(Snooze, "WEBHOOK_URLS is not set"):
        call_webhook(job, context(None))
    with outcome(Snooze, "WEBHOOK_SECRET is not set"):
        call_webhook(job, context(receiver.url, None))
    assert receiver.got == []


def test_an_address_that_is_not_allowed_is_not_called(receiver: Receiver) -> None:
    other = receiver.url.replace("/hooks", "/hooks2")

    with outcome(Reject, "not one of those that may be called"):
        call(receiver, other)
    with outcome(Reject, "cannot be called: a path with"):
        call(receiver, receiver.url + "/../admin")
    assert receiver.got == []


def test_any_json_can_be_sent(receiver: Receiver) -> None:
    bodies: list[Any] = [None, [], 0, "text", {"deep": [{"er": None}]}]
    for body in bodies:
        call(receiver, body=body)

    assert [json.loads(sent) for _, _, sent in receiver.got] == bodies


def test_a_proxy_of_the_environment_does_not_get_to_see_it(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert call(receiver).status == 204
