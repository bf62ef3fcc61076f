"""What an answer of the database means: typed rows, or an error of this project with its remedy.

The other half of `job_queue.py`, which sends the calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
from postgrest.exceptions import APIError

from functions.errors import (
    AnswerUnknown,
    ConfigurationError,
    CrontickError,
    QueueTooSlow,
    QueueUnavailable,
    RequestRefused,
)
from functions.redact import message_of

Answer = TypeVar("Answer")

UNKNOWN_FUNCTION = "PGRST202"  # also for a moment after a migration, until the schema cache is reloaded
_TIMED_OUT = "57014"
_TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03"})
_TRANSIENT_CLASSES = frozenset({"08", "53"})  # connection exceptions, insufficient resources
_TRANSIENT_POSTGREST = frozenset({"PGRST000", "PGRST001", "PGRST002", "PGRST003"})
_TRANSIENT = _TRANSIENT_SQLSTATES | _TRANSIENT_POSTGREST
_TRANSIENT_STATUSES = (408, 425, 429)  # and everything from 500 on
_TIMEOUT_STATUSES = (504, 524)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOT_SENDABLE = (httpx.InvalidURL, httpx.LocalProtocolError, httpx.UnsupportedProtocol)
_CHECK_URL = "check SUPABASE_URL and that the project is not paused"


def asked(
    name: str, parameters: Mapping[str, Any], send: Callable[[], Any], read_as: Callable[[Any], Answer]
) -> Answer:
    """What one call answers. Raises an error of this project for whatever httpx and postgrest raise."""
    data = _sent(name, parameters, send)
    try:
        return read_as(data)
    except ValueError as error:
        raise AnswerUnknown(
            f"{name} answered in a shape that this version does not know: {message_of(error)}; "
            "deploy the version that fits the migrations",
            in_doubt=True,
        ) from error


def _sent(name: str, parameters: Mapping[str, Any], send: Callable[[], Any]) -> Any:
    try:
        return send()
    except APIError as error:
        raise _from_answer(name, error) from error
    except httpx.HTTPStatusError as error:
        raise _from_gateway(name, error) from error
    except _NOT_SENDABLE:
        raise _unusable(name) from None  # the error quotes the header with the key
    except httpx.HTTPError as error:
        slow = isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout)
        raise (QueueTooSlow if slow else QueueUnavailable)(
            f"{name}: Supabase cannot be reached ({type(error).__name__}: {error}); {_CHECK_URL}",
            in_doubt=not isinstance(error, _NOT_SENT),
        ) from error
    except (TypeError, ValueError) as error:  # before anything was sent
        raise _not_json(name, parameters) or _unusable(name) from error


def _from_answer(name: str, error: APIError) -> CrontickError:
    code, text = error.code or "", error.message or "no message"
    if code == _TIMED_OUT:
        return QueueTooSlow(f"{name}: the database took too long ({code}: {text})")
    if code in _TRANSIENT or (len(code) == 5 and code[:2] in _TRANSIENT_CLASSES):
        return QueueUnavailable(f"{name}: the database is overloaded or too slow ({code}: {text})")
    if code in ("", "401", "403", "PGRST301", "PGRST302", "PGRST303"):
        return ConfigurationError(
            f"{name}: the API key was refused ({text}); "
            "SUPABASE_SECRET_KEY has to be the secret key of the project at SUPABASE_URL"
        )
    hint = error.hint
    if code == UNKNOWN_FUNCTION:
        hint = "apply the migrations of this version, then: notify pgrst, 'reload schema'"
    elif code == "42501":
        hint = hint or "use the secret (service_role) key, and apply the migrations: they carry the grants"
    message = f"{name} was refused: {text} ({code})"
    return RequestRefused(f"{message}; {hint}" if hint else message, sqlstate=code, hint=hint, said=text)


def _from_gateway(name: str, error: httpx.HTTPStatusError) -> CrontickError:
    """For what stands between us and PostgREST: it knows nothing of the call, only of the way."""
    status = error.response.status_code
    message = f"{name}: Supabase answered {status} ({error}); {_CHECK_URL}"
    if status in _TIMEOUT_STATUSES:
        return QueueTooSlow(message, in_doubt=True)
    if status in _TRANSIENT_STATUSES or status >= 500:
        return QueueUnavailable(message, in_doubt=status >= 500)
    return RequestRefused(message)


def _not_json(name: str, parameters: Mapping[str, Any]) -> RequestRefused | None:
    try:
        json.dumps(parameters, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        problem = f"{name}: the parameters are not JSON ({error}); use plain JSON values"
        return RequestRefused(problem, sqlstate="22023", said=f"this is not JSON: {error}")
    return None


def _unusable(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name}: nothing can be sent with this SUPABASE_URL and SUPABASE_SECRET_KEY; copy both again"
    )
