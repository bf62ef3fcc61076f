"""The keys that Supabase Auth signs its tokens with: fetched when a token needs them, and kept.

Asked for by whoever sends a token, so by anybody: how often Auth is asked does not depend on how often we are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import httpx
import jwt
from pydantic import SecretStr

from functions import log
from functions.admin.json_web_keys import Keys, public_keys
from functions.errors import KeysUnavailable, NotSignedIn
from functions.this_machine import is_on_this_machine

FRESH_SECONDS = 600.0  # as long as Supabase's own edge keeps them
LAST_RESORT_SECONDS = 86_400.0  # while Auth does not answer
PAUSE_SECONDS = 30.0  # between two requests on behalf of unknown keys or after a failure
FIRST_PAUSE_SECONDS = 5.0  # after a failure while there are no keys at all
TIMEOUT_SECONDS = 5.0
LARGEST_ANSWER = 64 * 1024
LEGACY_ALGORITHM = "HS256"
NEVER = float("-inf")


class KeyRing:
    """Threads may share one: a single one asks Auth, and those whose key is known do not wait for it."""

    def __init__(self, issuer: str, legacy_secret: SecretStr | None, *, now: Callable[[], float]) -> None:
        self._url = f"{issuer}/.well-known/jwks.json"
        self._legacy_secret = legacy_secret
        self._now = now
        self._asking = threading.Lock()
        self._keys: Keys = {}
        self._fetched_at = NEVER
        self._asked_at = NEVER
        self._last_failed = False
        self._client: httpx.Client | None = None

    def key(self, algorithm: object, kid: object) -> tuple[jwt.PyJWK | bytes, str]:
        """The key that a token with such a header has to be signed with, and the one algorithm that goes with it.

        The token's own word counts only for the legacy secret, which nothing but HS256 is ever checked with.
        """
        if algorithm == LEGACY_ALGORITHM:
            if self._legacy_secret is None:
                raise NotSignedIn("signed with a legacy secret, and SUPABASE_JWT_SECRET is not set")
            return self._legacy_secret.get_secret_value().encode(), LEGACY_ALGORITHM
        if not isinstance(kid, str) or not kid:
            raise NotSignedIn("the token does not name its key")
        key = self._public_key(kid)
        return key, key.algorithm_name

    def close(self) -> None:
        with self._asking:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _public_key(self, kid: str) -> jwt.PyJWK:
        if (known := self._known(kid)) and self._age() < FRESH_SECONDS:
            return known
        if self._asking.acquire(blocking=known is None):
            try:
                if self._may_ask():  # and not after a thread that was waited for has just done so
                    self._ask()
            finally:
                self._asking.release()
        found = self._known(kid)
        if found is not None:
            return found
        if self._last_failed:
            raise KeysUnavailable(f"{self._url} does not answer with keys; the log says more")
        raise NotSignedIn("signed with a key that this project does not have")

    def _known(self, kid: str) -> jwt.PyJWK | None:
        return self._keys.get(kid) if self._age() < LAST_RESORT_SECONDS else None

    def _age(self) -> float:
        return self._now() - self._fetched_at

    def _may_ask(self) -> bool:
        pause = FIRST_PAUSE_SECONDS if self._fetched_at == NEVER else PAUSE_SECONDS
        return self._now() - self._asked_at >= pause

    def _ask(self) -> None:
        self._asked_at = self._now()
        try:
            self._keys = public_keys(self._fetch())
            self._fetched_at, self._last_failed = self._asked_at, False
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            self._last_failed = True
            log.warning("auth_keys_unavailable", url=self._url, error=error)

    def _fetch(self) -> object:
        if self._client is None:
            self._client = httpx.Client(
                timeout=TIMEOUT_SECONDS,
                follow_redirects=False,
                trust_env=not is_on_this_machine(self._url),
            )
        body = bytearray()
        with self._client.stream("GET", self._url) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise ValueError("an answer of more than 64 kB")
        return json.loads(body)
