"""Who may use the jobs API: an admin of the project who is signed in, or whoever has the runner secret.

What is checked of a user's token is its signature, issuer, audience, times and roles; Supabase Auth is not
asked. So signing out, a ban or the loss of the admin role takes effect when the token ends: after an hour
at most, unless the project's settings say otherwise. To shut somebody out at once, revoke the signing key.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from werkzeug.datastructures import Headers

from functions.admin.key_ring import KeyRing
from functions.admin.tokens import User, verified
from functions.auth import bearer_token, carries_one_of
from functions.errors import NotAllowed, NotSignedIn
from functions.settings import Settings


@dataclass(frozen=True)
class Operator:
    """Who changes something; `actor` is what the audit trail says."""

    actor: str
    kind: Literal["user", "secret"]


class Doorkeeper:
    """One per process; threads may share it. Raises `ConfigurationError` when SUPABASE_URL is not set."""

    def __init__(self, settings: Settings, *, now: Callable[[], float] = time.time) -> None:
        url, _ = settings.supabase()
        self._issuer = f"{url}/auth/v1"
        self._ring = KeyRing(self._issuer, settings.supabase_jwt_secret, now=now)
        self._runner_secrets = settings.runner_secrets()
        self._now = now

    def admit(self, headers: Headers) -> Operator:
        """Raises `NotSignedIn`, `NotAllowed`, or `KeysUnavailable` when a token cannot be checked right now."""
        if carries_one_of(self._runner_secrets, headers):
            return Operator("runner secret", "secret")
        token = bearer_token(headers)
        if not token:
            raise NotSignedIn("no token and no runner secret")
        user = verified(token, self._issuer, self._ring, self._now())
        _require_admin(user)
        return Operator(f"user {user.email or user.sub} ({user.sub})", "user")

    def close(self) -> None:
        self._ring.close()


def _require_admin(user: User) -> None:
    """`app_metadata` is what only the project's servers write; `user_metadata` is what users say of themselves."""
    if user.is_anonymous:
        raise NotAllowed("an anonymous user")
    if user.app_metadata.get("role") != "admin":
        raise NotAllowed(f"user {user.sub} has no app_metadata.role = 'admin'")
