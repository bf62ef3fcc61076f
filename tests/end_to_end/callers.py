"""Everybody who might come to the jobs API, and what they bring."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.local_supabase.auth_stand_in.signing import SigningKey
from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL, MEMBER_EMAIL
from tests.end_to_end.jobs_api import CRON_SECRET, SECRET_BEFORE, JobsApi
from tests.fixtures.user_tokens import ADMIN, claims, handmade

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Keyring:
    """What callers can be made of: the project's keys, and those of another one."""

    api: JobsApi
    own: SigningKey
    other: SigningKey

    def token(self, key: SigningKey | None = None, issuer: str | None = None, **changes: Any) -> Headers:
        payload = claims(issuer or self.api.issuer, time.time(), **changes)
        return bearer((key or self.own).sign(payload))

    def handmade(self, header: dict[str, Any], secret: bytes | None = None) -> Headers:
        kid = self.own.public()["kid"]
        return bearer(handmade({"kid": kid} | header, claims(self.api.issuer, time.time()), secret))


def bearer(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


def with_the_same_name(key: SigningKey, name: str) -> SigningKey:
    return SigningKey(key.private_text(kid=name))


Caller = Callable[[Keyring], Headers]

UNKNOWN: dict[str, Caller] = {
    "anonymous": lambda _: {},
    "garbage": lambda _: bearer("garbage"),
    "a scheme alone": lambda _: {"authorization": "Bearer"},
    "an expired token": lambda k: k.token(exp=int(time.time()) - 1),
    "a token without an end": lambda k: k.token(exp=None),
    "a wrong issuer": lambda k: k.token(issuer="https://other.supabase.co/auth/v1"),
    "a wrong audience": lambda k: k.token(aud="anon"),
    "alg none": lambda k: k.handmade({"alg": "none"}),
    "HS256 with the public key": lambda k: k.handmade({"alg": "HS256"}, k.own.verifying_pem()),
    "HS256 with the legacy secret, which is not set": lambda k: k.handmade(
        {"alg": "HS256"}, k.api.keys.jwt_secret.encode()
    ),
    "an admin of another project": lambda k: k.token(k.other, "https://other.supabase.co/auth/v1"),
    "another project's key under our name": lambda k: k.token(
        with_the_same_name(k.other, k.own.public()["kid"])
    ),
    "a token of the service role": lambda k: k.token(role="service_role"),
    "service_role key": lambda k: bearer(k.api.keys.service_role_key),
    "secret key": lambda k: {**bearer(k.api.keys.secret_key), "apikey": k.api.keys.secret_key},
    "publishable key": lambda k: bearer(k.api.keys.publishable_key),
    "anon key": lambda k: bearer(k.api.keys.anon_key),
    "CRON_SECRET": lambda _: bearer(CRON_SECRET),
    "CRON_SECRET in the other header": lambda _: {"x-job-runner-secret": CRON_SECRET},
    "a runner secret that was rotated out": lambda _: {"x-job-runner-secret": "from-the-rotation-before"},
    "an admin's token as a cookie": lambda k: {"cookie": f"sb-access-token={k.api.token_of(ADMIN_EMAIL)}"},
    "an admin's token without its scheme": lambda k: {"authorization": k.api.token_of(ADMIN_EMAIL)},
    "the runner secret as a password": lambda k: {"authorization": f"Basic {k.api.supabase.runner_secret}"},
}
NO_ADMIN: dict[str, Caller] = {
    "a plain user": lambda k: bearer(k.api.token_of(MEMBER_EMAIL)),
    "an admin by user_metadata alone": lambda k: k.token(app_metadata={}, user_metadata=ADMIN),
    "an anonymous user with the role": lambda k: k.token(is_anonymous=True),
}
WELCOME: dict[str, Caller] = {
    "an admin": lambda k: bearer(k.api.token_of(ADMIN_EMAIL)),
    "a token made as the refused ones are, with nothing wrong in it": lambda k: k.token(),
    "the runner secret": lambda k: bearer(k.api.supabase.runner_secret),
    "the runner secret in its own header": lambda k: {"x-job-runner-secret": k.api.supabase.runner_secret},
    "the runner secret before": lambda _: {"x-job-runner-secret": SECRET_BEFORE},
}
