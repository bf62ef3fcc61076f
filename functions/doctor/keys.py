"""Link: what this machine's settings say of themselves, before anything is asked."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from functions.doctor.findings import Check, Verdict, broken, note, ok, warning
from functions.doctor.look import Seen
from functions.this_machine import is_on_this_machine

# What the Supabase CLI gives to every local stack (its pkg/config/apikeys.go), and so no secret anywhere.
_LOCAL_KEYS = ("sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz", "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH")
_LOCAL_ISSUER = "supabase-demo"
_PROJECT_HOST = re.compile(r"([a-z0-9]{16,32})\.supabase\.(co|in)")
_API_KEYS = "https://supabase.com/dashboard/project/_/settings/api-keys"
_SHORT_SECRET = 16


def _ref(seen: Seen) -> str | None:
    """The project's reference, where the URL is the usual one."""
    found = _PROJECT_HOST.fullmatch(urlsplit(seen.url).hostname or "")
    return found.group(1) if found else None


def _claims(key: str) -> dict[str, Any] | None:
    try:
        body = key.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


def _project_url(seen: Seen) -> Iterator[Verdict]:
    host = urlsplit(seen.url).hostname or ""
    if is_on_this_machine(seen.url):
        yield ok(f"{seen.url}, on this machine")
    elif host.startswith("db.") or host.endswith(".pooler.supabase.com") or host == "supabase.com":
        yield broken(
            f"{host} is not the API of a project", "SUPABASE_URL=https://<project reference>.supabase.co"
        )
    elif seen.url.startswith("http://"):
        yield warning(
            f"{seen.url} is not https: the secret key travels in clear text", f"SUPABASE_URL=https://{host}"
        )
    else:
        yield ok(seen.url)


def _kind_of_key(seen: Seen) -> Iterator[Verdict]:
    if seen.key.startswith("sb_secret_"):
        yield ok("a secret key (sb_secret_…)")
        return
    if seen.key.startswith("sb_publishable_"):
        yield broken(
            "this is the publishable key: it may do nothing here", f"SUPABASE_SECRET_KEY=<{_API_KEYS}>"
        )
        return
    claims = _claims(seen.key)
    if claims is None:
        yield warning(
            "SUPABASE_SECRET_KEY has the form of no key of Supabase", f"Copy the secret key from {_API_KEYS}"
        )
        return
    yield from _legacy_key(seen, claims)


def _legacy_key(seen: Seen, claims: dict[str, Any]) -> Iterator[Verdict]:
    ref = _ref(seen)
    if claims.get("role") != "service_role":
        yield broken(
            f"the legacy key is one of the role {claims.get('role')}: the queue needs service_role",
            f"Copy the secret key from {_API_KEYS}",
        )
    elif ref and claims.get("ref") not in (None, ref):
        yield broken(
            f"the key belongs to the project {claims['ref']}, SUPABASE_URL to {ref}",
            "Copy both from the same project's API settings.",
        )
    elif _has_expired(seen, claims):
        yield broken("the legacy key has expired", f"Make a secret key: {_API_KEYS}")
    else:
        yield note(
            "a legacy service_role key: Supabase ends them in 2026",
            f"Make a secret key (sb_secret_…) and set SUPABASE_SECRET_KEY: {_API_KEYS}",
        )


def _has_expired(seen: Seen, claims: dict[str, Any]) -> bool:
    expires = claims.get("exp")
    if seen.asked_at is None or not isinstance(expires, int | float):
        return False
    return seen.asked_at.timestamp() > expires


def _local_keys(seen: Seen) -> Iterator[Verdict]:
    if is_on_this_machine(seen.url):
        return
    issuer = (_claims(seen.key) or {}).get("iss")
    if seen.key in _LOCAL_KEYS or issuer == _LOCAL_ISSUER:
        yield broken(
            "this is the key of every local stack of the Supabase CLI, known to everybody",
            f"Copy this project's own secret key from {_API_KEYS}",
        )


def _tick_secrets(seen: Seen) -> Iterator[Verdict]:
    secrets = [secret.get_secret_value() for secret in seen.settings.tick_secrets()]
    if seen.key in secrets:
        yield broken(
            "the tick's secret is the project's secret key: whoever calls the function could do everything",
            "Make one of its own: openssl rand -hex 32",
        )
    elif any(len(secret) < _SHORT_SECRET for secret in secrets):
        yield warning(
            f"a tick secret has fewer than {_SHORT_SECRET} characters",
            "Make a longer one: openssl rand -hex 32",
        )


CHECKS = (
    Check("project URL", _project_url),
    Check("secret key", _kind_of_key),
    Check("local keys", _local_keys),
    Check("tick secrets", _tick_secrets),
)
