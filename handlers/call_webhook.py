"""Job type `call_webhook`: a payload in, a signed POST to an address that the operator allows out.

    select public.enqueue_job('acme', 'call_webhook',
      '{"url": "https://example.com/hooks/orders", "body": {"type": "order.paid", "data": {"order": 7}}}');

WEBHOOK_URLS says what may be called, WEBHOOK_SECRET signs by the convention of standardwebhooks.com. A call may arrive
twice: a worker can die before it hears the answer. The header webhook-id is the same then. A job of a trace says
so in the header traceparent.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from handlers.contract import Context, Job, Outcome, Reject, Retry, Snooze, handler
from handlers.outputs import Output
from handlers.webhooks.allowed_urls import is_allowed, parse_url
from handlers.webhooks.signature import signed_headers

_UNCONFIGURED_SECONDS = 300
_LONGEST_WAIT_SECONDS = 86_400.0
_SPARE_SECONDS = 2.0  # of the job's time, to say what came of the call
_CONNECT_SECONDS = 10.0
_TRY_AGAIN = frozenset({408, 425, 429})
_OUR_HEADER = re.compile(r"x-(?!forwarded|real-ip)[a-z0-9-]{1,60}|idempotency-key|accept", re.IGNORECASE)


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _OUR_HEADER.fullmatch(name):
            raise ValueError("headers have to be X-..., Accept or Idempotency-Key")
        if not value.isascii() or not value.isprintable() or len(value) > 1000:
            raise ValueError(f"the value of {name} has to be printable ASCII of up to 1,000 characters")
    return headers


class Call(BaseModel):
    """What to send where. The body is sent as it is, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(max_length=2000)
    body: Any = None
    headers: Annotated[dict[str, str], Field(max_length=20), AfterValidator(_sendable)] = {}


class Called(Output):
    """What became of it."""

    status: int
    duration_ms: int


@handler(timeout=40)
def call_webhook(job: Job[Call], ctx: Context) -> Called:
    """Calls once. What may pass (no connection, 5xx, 408, 425, 429) is tried again; other refusals are final."""
    url = _allowed(job.payload.url, ctx)
    if ctx.settings.webhook_secret is None:
        raise _unconfigured("WEBHOOK_SECRET is not set; receivers could not tell who calls")
    body = json.dumps(job.payload.body, ensure_ascii=False, separators=(",", ":"))
    secret = ctx.settings.webhook_secret.get_secret_value()
    headers = job.payload.headers | signed_headers(secret, f"job_{job.id}", datetime.now(UTC), body)
    if ctx.trace_parent:
        headers["traceparent"] = ctx.trace_parent
    seconds = ctx.seconds_left() - _SPARE_SECONDS
    if seconds < 1:
        raise Retry("there was too little time left for a call")
    started = time.monotonic()
    response = _post(url, body, headers, seconds)
    if not response.is_success:
        raise _verdict(response)
    return Called(status=response.status_code, duration_ms=round((time.monotonic() - started) * 1000))


def _allowed(text: str, ctx: Context) -> httpx.URL:
    allowed = ctx.settings.allowed_webhooks()
    if not allowed:
        raise _unconfigured("WEBHOOK_URLS is not set; it lists what may be called")
    try:
        url = parse_url(text)
    except ValueError as error:
        raise Reject(f"this address cannot be called: {error}") from None
    if not is_allowed(url, allowed):
        raise Reject("this address is not one of those that may be called; ask the operator to allow it")
    return url


def _unconfigured(reason: str) -> Snooze:
    return Snooze(f"{reason}; set it and deploy again", seconds=_UNCONFIGURED_SECONDS)


def _post(url: httpx.URL, body: str, headers: dict[str, str], seconds: float) -> httpx.Response:
    """Sends it, and hangs up after the head of the answer: nobody needs the rest, however long it is."""
    timeout = httpx.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds))
    known = {"content-type": "application/json", "user-agent": "crontick"}
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client,
            _hanging_up(client, seconds),
            client.stream("POST", url, content=body.encode(), headers=headers | known) as response,
        ):
            return response
    except httpx.TransportError as error:
        raise Retry(f"{url.host} cannot be reached ({type(error).__name__})") from error


@contextmanager
def _hanging_up(client: httpx.Client, seconds: float) -> Iterator[None]:
    """Ends a call after so many seconds in all: the client's own limit begins anew with every byte."""
    timer = threading.Timer(seconds + _SPARE_SECONDS / 4, client.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _verdict(response: httpx.Response) -> Outcome:
    status = response.status_code
    if status >= 500 or status in _TRY_AGAIN:
        return Retry(f"the receiver answered {status}", after=_retry_after(response))
    if status == 410:
        return Reject("the receiver is gone for good (410)")
    if response.is_redirect or 300 <= status < 400:
        return Reject(f"the receiver answered with a redirection ({status}): call its final address")
    return Reject(f"the receiver refused the call ({status})")


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds that the receiver asks for, as a number or a date; None leaves it to the job type.

    So does "at once": all attempts would be used up within a tick.
    """
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value[:9]), _LONGEST_WAIT_SECONDS) or None
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    wait = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(wait, 0.0), _LONGEST_WAIT_SECONDS) or None
