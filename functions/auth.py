"""Who may start a tick: the first thing the function looks at, before it reads a request's body.

The jobs API asks here too whether a caller brought the runner secret (`functions.admin.identity`).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from pydantic import SecretStr
from werkzeug.datastructures import Headers

from functions import log
from functions.settings import Settings

RUNNER_HEADER = "x-job-runner-secret"


def is_authorized(headers: Headers, settings: Settings) -> bool:
    """Whether one of the two headers carries one of the live secrets; either may carry any of them.

    Without a configured secret nobody may.
    """
    secrets = settings.tick_secrets()
    if not secrets:
        log.error(
            "no_tick_secret",
            remedy="set CRON_SECRET or JOB_QUEUE_RUNNER_SECRET; until then every request is refused with 401",
        )
    return carries_one_of(secrets, headers)


def carries_one_of(secrets: Iterable[SecretStr], headers: Headers) -> bool:
    """Compares every presented value with every secret, in constant time and without an early exit."""
    known = [secret.get_secret_value().encode() for secret in secrets]
    found = False
    for value in _presented(headers):
        for secret in known:
            found |= hmac.compare_digest(value, secret)
    return found


def bearer_token(headers: Headers) -> str:
    """What follows `Bearer` in Authorization, or nothing."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip(" \t") if scheme.lower() == "bearer" else ""


def _presented(headers: Headers) -> list[bytes]:
    """What the caller presents.

    WSGI hands over header bytes as Latin-1, whatever they were meant to be: a UTF-8 letter may end in a byte that
    Latin-1 calls a space, so only HTTP's own blanks are stripped.
    """
    values = (bearer_token(headers), headers.get(RUNNER_HEADER, "").strip(" \t"))
    return [value.encode("latin-1", "replace") for value in values if value]
