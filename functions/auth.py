"""Who may start a tick: the first thing the function looks at, before it reads a request's body."""

from __future__ import annotations

import hmac

from werkzeug.datastructures import Headers

from functions import log
from functions.settings import Settings

RUNNER_HEADER = "x-job-runner-secret"


def is_authorized(headers: Headers, settings: Settings) -> bool:
    """Whether one of the two headers carries one of the live secrets; either may carry any of them.

    Every presented value is compared with every secret, in constant time and without an early exit.
    Without a configured secret nobody may.
    """
    secrets = [secret.get_secret_value().encode() for secret in settings.tick_secrets()]
    if not secrets:
        log.error(
            "no_tick_secret",
            remedy="set CRON_SECRET or JOB_QUEUE_RUNNER_SECRET; until then every request is refused with 401",
        )
    authorized = False
    for value in _presented(headers):
        for secret in secrets:
            authorized |= hmac.compare_digest(value, secret)
    return authorized


def _presented(headers: Headers) -> list[bytes]:
    """What the caller presents. WSGI hands over header bytes as Latin-1, whatever they were meant to be:

    a UTF-8 letter may end in a byte that Latin-1 calls a space, so only HTTP's own blanks are stripped.
    """
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    bearer = token.strip(" \t") if scheme.lower() == "bearer" else ""
    values = (bearer, headers.get(RUNNER_HEADER, "").strip(" \t"))
    return [value.encode("latin-1", "replace") for value in values if value]
