"""What the two SDKs share: a bounded HTTP client, and their errors as ours. Imported with the first of them.

Both are made of httpx2 and name their errors alike. Their own retries are off (a job's retry belongs to the
database), and so are redirects: a key must not travel where the settings do not send it.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import httpx2

from handlers.ai.models.answer_text import MAX_ANSWER_BYTES
from handlers.ai.models.trouble import (
    FormRefused,
    Misconfigured,
    NoPictures,
    TooLong,
    Trouble,
    Unavailable,
    Unusable,
    seconds_of_retry_after,
)
from handlers.ai.settings import AiSettings
from handlers.ai.text.clean import clean_text

CONNECT_SECONDS = 5.0
SAID_CHARACTERS = 200  # of what the provider says about an error
MAX_PACKED_BYTES = 64 * 1024  # gzip unpacks to a thousand times of it at most
_STARTED = "crontick_started"
_HEADERS = {
    "accept",
    "accept-encoding",
    "anthropic-version",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
}
_TOO_LONG = (
    "context_length",
    "context length",
    "too long",
    "too many tokens",
    "maximum context",
    "max_model_len",
)
_NO_PICTURES = ("image", "vision", "multimodal", "multi-modal")
_NO_CREDIT = ("credit balance", "billing", "payment required")
_USED_UP = "insufficient_quota"  # unlike other words about quotas: those are about this minute or day
_FILTERED = (
    "content_filter",
    "content filter",  # and filtering
    "content_policy",
    "content management policy",
    "responsible_ai",
    "flagged",
    "usage polic",
)


class Filtered(Trouble):
    """The provider's filter stopped the request: a refusal that comes as an error."""


class _TooLarge(httpx2.TransportError):
    pass


class _Bounded(httpx2.SyncByteStream):
    """An answer that ends: neither larger nor slower than it may be, however it trickles in."""

    def __init__(self, stream: httpx2.SyncByteStream, ends: float, most: int) -> None:
        self._stream = stream
        self._ends = ends
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > self._most:
                raise _TooLarge("the answer is too large")
            if time.monotonic() > self._ends:
                raise httpx2.ReadTimeout("the answer takes too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def http_client(key_header: str, key: str) -> httpx2.Client:
    """A client of one job that sends this key and no other; whoever made it closes it.

    The SDKs add headers of the environment (another key, an organisation, OPENAI_CUSTOM_HEADERS, ...), which may
    belong to a provider that is not the one of the settings. None of them is sent.
    """

    def only_ours(request: httpx2.Request) -> None:
        for name in set(request.headers) - _HEADERS:
            if not name.startswith("x-stainless-"):  # by these the SDKs know what they asked for
                del request.headers[name]
        request.headers[key_header] = key
        request.headers["accept-encoding"] = "identity"  # how large a packed answer is shows too late

    hooks: dict[str, list[Any]] = {"request": [only_ours, _start], "response": [_bound]}
    return httpx2.Client(verify=_certificates(), event_hooks=hooks)


@cache
def _certificates() -> ssl.SSLContext:
    """Those of the system; reading them takes a tenth of a second, so all clients share them."""
    return ssl.create_default_context()


def timeout_of(seconds: float) -> httpx2.Timeout:
    """For one request: `seconds` in all, of which connecting gets a few."""
    return httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))


def json_of(body: bytes, content_type: str | None) -> dict[str, Any]:
    """The envelope of an answer. Raises `Misconfigured` for a page of HTML and the like."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        envelope = None
    if isinstance(envelope, dict):
        return envelope
    kind = (content_type or "no content type").partition(";")[0][:60]
    if kind == "application/json":
        raise Unusable("the provider's answer is cut off or damaged: it is not JSON")
    raise Misconfigured(
        "AI_BASE_URL",
        f"no AI provider answers at that address, but {kind}; its path mostly ends in /v1",
    )


@contextmanager
def our_errors(sdk: ModuleType, settings: AiSettings) -> Iterator[None]:
    """The SDK's errors as `Trouble`, without the key."""
    try:
        yield
    except sdk.APIStatusError as error:
        raise of_status(error.response, settings) from None
    except sdk.APITimeoutError as error:
        raise _of_connection(error.__cause__, settings) from None
    except sdk.APIConnectionError as error:
        raise _of_connection(error.__cause__, settings) from None


def of_status(response: httpx2.Response, settings: AiSettings, status: int | None = None) -> Trouble:
    """What a status other than success means for the job; without `status` it is that of the response."""
    status, said = status or response.status_code, _said(response, settings)
    lowered = said.lower()
    may_pass = status in (408, 409, 425, 429) or status >= 500
    if status == 402 or _USED_UP in lowered or (not may_pass and any(word in lowered for word in _NO_CREDIT)):
        return Misconfigured(
            "AI_API_KEY", f"the provider says that its account has no credit left ({status})"
        )
    if may_pass:
        return Unavailable(f"the provider answered {status}{_quoted(said)}", after=_wait(response.headers))
    if status in (400, 403, 422) and any(words in lowered for words in _FILTERED):
        return Filtered(f"the provider's filter stopped the request ({status})")
    if status in (401, 403) or "api key" in lowered:
        return Misconfigured("AI_API_KEY", f"the provider rejects the key ({status})")
    if status == 404:
        return _of_not_found(said, settings)
    if 300 <= status < 400:
        return Misconfigured("AI_BASE_URL", f"that address leads to another one ({status})")
    if status == 413 or any(words in lowered for words in _TOO_LONG):
        return TooLong(f"the provider answered {status}{_quoted(said)}")
    if status in (400, 422):
        refused = NoPictures if any(words in lowered for words in _NO_PICTURES) else FormRefused
        return refused(f"{status}{_quoted(said)}")
    return Misconfigured(
        "AI_BASE_URL", f"what answers at that address does not take our requests ({status}{_quoted(said)})"
    )


def require_no_error(response: httpx2.Response, envelope: Mapping[str, Any], settings: AiSettings) -> None:
    """Raises the `Trouble` of an error that came with the status 200, as OpenRouter sends those of its providers.

    Its code is the status that the provider answered; without one it is taken for something that may pass.
    """
    error = envelope.get("error")
    if error and not envelope.get("choices"):
        code = error.get("code") if isinstance(error, dict) else None
        known = re.fullmatch(r"[345][0-9]{2}", str(code))
        raise of_status(response, settings, int(known[0]) if known else 500)


def _of_not_found(said: str, settings: AiSettings) -> Trouble:
    if "model" in said.lower() or (settings.ai_model or "-") in said:
        return Misconfigured("AI_MODEL", f"the provider has no model {settings.ai_model}{_quoted(said)}")
    return Misconfigured("AI_BASE_URL", "there is nothing at that address (404)")


def _of_connection(cause: BaseException | None, settings: AiSettings) -> Trouble:
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol):
        where = f"nothing can be reached at {settings.ai_base_url or 'the address of the provider'}"
        return Misconfigured("AI_BASE_URL", f"{where} ({type(cause).__name__})")
    if isinstance(cause, httpx2.TimeoutException):
        return Unavailable(
            "the provider did not answer in time; AI_TIMEOUT_SECONDS says how long it may take"
        )
    if isinstance(cause, _TooLarge):
        return Unusable(f"the provider's answer is larger than {MAX_ANSWER_BYTES // 1024**2} MB")
    return Unavailable(f"the connection to the provider broke ({type(cause).__name__})")


def _said(response: httpx2.Response, settings: AiSettings) -> str:
    """The provider's own words about the error, on one line, cut, and without the key that some repeat."""
    text = response.text
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        error = " ".join(str(error[name]) for name in ("code", "type", "message") if error.get(name))
    said = " ".join(clean_text(str(error)[: 4 * SAID_CHARACTERS]).split())
    key = settings.ai_api_key.get_secret_value() if settings.ai_api_key else ""
    return (said.replace(key, "...") if key else said)[:SAID_CHARACTERS]


def _quoted(said: str) -> str:
    return f": {said}" if said else ""


def _wait(headers: Mapping[str, str]) -> float | None:
    milliseconds = headers.get("retry-after-ms", "")[:12]
    if milliseconds.isdecimal() and milliseconds.isascii():
        return seconds_of_retry_after(str(int(milliseconds) / 1000))
    return seconds_of_retry_after(headers.get("retry-after"))


def _start(request: httpx2.Request) -> None:
    request.extensions[_STARTED] = time.monotonic()


def _bound(response: httpx2.Response) -> None:
    timeouts = response.request.extensions.get("timeout", {})
    allowed = timeouts.get("read") or CONNECT_SECONDS
    ends = response.request.extensions.get(_STARTED, time.monotonic()) + allowed
    if isinstance(response.stream, httpx2.SyncByteStream):
        is_packed = response.headers.get("content-encoding", "identity") != "identity"
        most = MAX_PACKED_BYTES if is_packed else MAX_ANSWER_BYTES
        response.stream = _Bounded(response.stream, ends, most)
