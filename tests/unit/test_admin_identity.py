"""Who is let into the jobs API. Time stands still at NOW."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import respx
from werkzeug.datastructures import Headers

from functions.admin.identity import Doorkeeper, Operator
from functions.errors import ConfigurationError, KeysUnavailable, NotAllowed, NotSignedIn
from functions.settings import load_settings
from tests.fixtures.user_tokens import ADMIN, SUB, claims, handmade, public_jwk, public_pem, signed
from tests.unit.fakes import KEY, URL

NOW = 1_800_000_000.0
ISSUER = f"{URL}/auth/v1"
KEYS = "/auth/v1/.well-known/jwks.json"
LEGACY = "a-legacy-jwt-secret-of-this-project-0001"
PROJECT = {
    "K_SERVICE": "test",
    "SUPABASE_URL": URL,
    "SUPABASE_SECRET_KEY": KEY,
    "JOB_QUEUE_RUNNER_SECRET": "runner-now",
    "JOB_QUEUE_RUNNER_SECRET_PREVIOUS": "runner-before",
    "CRON_SECRET": "cron-now",
}


@pytest.fixture
def auth() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        yield router


@pytest.fixture
def keys(auth: respx.MockRouter) -> respx.Route:
    """What Auth publishes: one key of each kind that Supabase knows."""
    published = [public_jwk("ES256", "k1"), public_jwk("RS256", "k2"), public_jwk("EdDSA", "k3")]
    return auth.get(KEYS).respond(json={"keys": published})


@pytest.fixture
def door(auth: respx.MockRouter) -> Iterator[Doorkeeper]:
    yield from doorkeeper()


@pytest.fixture
def legacy_door(auth: respx.MockRouter) -> Iterator[Doorkeeper]:
    yield from doorkeeper(SUPABASE_JWT_SECRET=LEGACY)


def doorkeeper(**more: str) -> Iterator[Doorkeeper]:
    door = Doorkeeper(load_settings(PROJECT | more), now=lambda: NOW)
    yield door
    door.close()


def bearer(token: str) -> Headers:
    return Headers([("Authorization", f"Bearer {token}")])


def of_an_admin(**changes: Any) -> dict[str, Any]:
    return claims(ISSUER, NOW, **changes)


@pytest.mark.parametrize(("algorithm", "kid"), [("ES256", "k1"), ("RS256", "k2"), ("EdDSA", "k3")])
def test_an_admin_is_let_in_by_a_token_of_any_kind_of_key(
    algorithm: str, kid: str, door: Doorkeeper, keys: respx.Route
) -> None:
    operator = door.admit(bearer(signed(of_an_admin(), algorithm, kid)))

    assert operator == Operator(f"user admin@example.com ({SUB})", "user")


def test_an_admin_without_an_email_goes_by_the_id(door: Doorkeeper, keys: respx.Route) -> None:
    assert door.admit(bearer(signed(of_an_admin(email="")))).actor == f"user {SUB} ({SUB})"
    assert door.admit(bearer(signed(of_an_admin(email=None)))).actor == f"user {SUB} ({SUB})"


@pytest.mark.parametrize("secret", ["runner-now", "runner-before"])
@pytest.mark.parametrize("header", ["Authorization", "x-job-runner-secret"])
def test_both_live_runner_secrets_open_in_either_header_and_auth_is_not_asked(
    secret: str, header: str, door: Doorkeeper, keys: respx.Route
) -> None:
    value = f"Bearer {secret}" if header == "Authorization" else secret

    assert door.admit(Headers([(header, value)])) == Operator("runner secret", "secret")
    assert keys.call_count == 0


@pytest.mark.parametrize("secret", ["cron-now", "runner-rotated-out", "", KEY])
def test_no_other_secret_opens(secret: str, door: Doorkeeper, keys: respx.Route) -> None:
    for headers in (bearer(secret), Headers([("x-job-runner-secret", secret)])):
        with pytest.raises(NotSignedIn):
            door.admit(headers)
    assert keys.call_count == 0


def test_without_a_runner_secret_an_empty_one_does_not_open(auth: respx.MockRouter) -> None:
    settings = load_settings({name: PROJECT[name] for name in PROJECT if "RUNNER" not in name})
    door = Doorkeeper(settings)
    with pytest.raises(NotSignedIn):
        door.admit(Headers([("x-job-runner-secret", ""), ("Authorization", "Bearer ")]))


@pytest.mark.parametrize(
    "changes",
    [
        {"app_metadata": {"provider": "email"}},
        {"app_metadata": {"role": "Admin"}},
        {"app_metadata": {"role": ["admin"]}},
        {"app_metadata": {"roles": "admin"}},
        {"app_metadata": None},
        {"app_metadata": {}, "user_metadata": ADMIN},
        {"is_anonymous": True},
    ],
    ids=str,
)
def test_a_user_who_is_no_admin_is_known_and_not_allowed(
    changes: dict[str, Any], door: Doorkeeper, keys: respx.Route
) -> None:
    with pytest.raises(NotAllowed):
        door.admit(bearer(signed(of_an_admin(**changes))))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"iat": NOW + 31},
        {"nbf": NOW + 31},
        {"nbf": "soon"},
        {"iss": "https://other.supabase.co/auth/v1"},
        {"iss": f"{ISSUER}/"},
        {"iss": None},
        {"aud": "anon"},
        {"aud": []},
        {"aud": "authenticated, and more"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"role": "service_role"},
        {"role": "anon"},
        {"role": None},
        {"app_metadata": "admin"},
        {"is_anonymous": "no"},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_token_that_is_old_of_elsewhere_or_of_no_user_is_refused(
    changes: dict[str, Any], door: Doorkeeper, keys: respx.Route
) -> None:
    with pytest.raises(NotSignedIn):
        door.admit(bearer(signed(of_an_admin(**changes))))


def test_clocks_may_differ_by_half_a_minute(door: Doorkeeper, keys: respx.Route) -> None:
    assert door.admit(bearer(signed(of_an_admin(iat=NOW + 30, nbf=NOW + 30)))).kind == "user"


def test_one_of_several_audiences_is_enough(door: Doorkeeper, keys: respx.Route) -> None:
    assert door.admit(bearer(signed(of_an_admin(aud=["api", "authenticated"])))).kind == "user"


FORGED = {
    "no signature": handmade({"alg": "none", "typ": "JWT"}, of_an_admin()),
    "no signature, and a key": handmade({"alg": "none", "kid": "k1"}, of_an_admin()),
    "None": handmade({"alg": "None", "kid": "k1"}, of_an_admin()),
    "HS256 with the public key": handmade({"alg": "HS256", "kid": "k1"}, of_an_admin(), public_pem("ES256")),
    "HS256 with the JWK": handmade(
        {"alg": "HS256", "kid": "k1"}, of_an_admin(), json.dumps(public_jwk("ES256", "k1")).encode()
    ),
    "HS256 with nothing": handmade({"alg": "HS256", "kid": "k1"}, of_an_admin(), b""),
    "HMAC under the name of ES256": handmade(
        {"alg": "ES256", "kid": "k1"}, of_an_admin(), public_pem("ES256")
    ),
    "another key under a known name": signed(of_an_admin(), number=1),
    "the key of another kind": signed(of_an_admin(), "RS256", "k1"),
    "an unknown name": signed(of_an_admin(), kid="k9"),
    "no name": signed(of_an_admin(), kid=None),
    "an empty name": signed(of_an_admin(), kid=""),
    "a name that is none": handmade({"alg": "ES256", "kid": {"k1": 1}}, of_an_admin(), b"x"),
    "a list of algorithms": handmade({"alg": ["ES256"], "kid": "k1"}, of_an_admin(), b"x"),
    "no algorithm": handmade({"kid": "k1"}, of_an_admin(), b"x"),
    "its own key": handmade({"alg": "ES256", "jwk": public_jwk("ES256", "k1", 1)}, of_an_admin(), b"x"),
    "claims that are a list": handmade({"alg": "ES256", "kid": "k1"}, [1], b"x"),
    "garbage": "not-a-token",
    "dots": "..",
    "Latin-1": "é.è.ü",
    "a header of brackets": base64.urlsafe_b64encode(b"[" * 6000).decode() + ".e30.e30",
    "too long": signed(of_an_admin(user_metadata={"x": "y" * 8000})),
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(token: str, door: Doorkeeper, keys: respx.Route) -> None:
    with pytest.raises(NotSignedIn):
        door.admit(bearer(token))


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_nor_is_it_let_in_where_the_legacy_secret_still_counts(
    token: str, legacy_door: Doorkeeper, keys: respx.Route
) -> None:
    with pytest.raises(NotSignedIn):
        legacy_door.admit(bearer(token))


def test_a_signature_with_the_legacy_secret_counts_only_where_that_is_set(
    door: Doorkeeper, legacy_door: Doorkeeper, keys: respx.Route
) -> None:
    token = handmade({"alg": "HS256", "typ": "JWT"}, of_an_admin(), LEGACY.encode())

    assert legacy_door.admit(bearer(token)).kind == "user"
    assert legacy_door.admit(bearer(signed(of_an_admin()))).kind == "user"
    with pytest.raises(NotSignedIn):
        door.admit(bearer(token))


@pytest.mark.parametrize("role", ["anon", "service_role"])
def test_a_legacy_api_key_is_no_user(role: str, legacy_door: Doorkeeper, keys: respx.Route) -> None:
    key = {"iss": "supabase", "ref": "abc", "role": role, "iat": NOW - 9, "exp": NOW + 9e8}
    for payload in (key, of_an_admin(role=role)):
        with pytest.raises(NotSignedIn):
            legacy_door.admit(bearer(handmade({"alg": "HS256"}, payload, LEGACY.encode())))


def test_a_short_legacy_secret_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"SUPABASE_JWT_SECRET.*32 bytes"):
        load_settings(PROJECT | {"SUPABASE_JWT_SECRET": "a-short-secret"})


def test_without_keys_a_token_is_neither_let_in_nor_refused_and_a_secret_still_opens(
    auth: respx.MockRouter, door: Doorkeeper
) -> None:
    auth.get(KEYS).respond(503)

    with pytest.raises(KeysUnavailable, match="jwks"):
        door.admit(bearer(signed(of_an_admin())))
    with pytest.raises(NotSignedIn):
        door.admit(bearer("not-a-token"))
    assert door.admit(bearer("runner-now")).kind == "secret"


def test_what_is_wrong_with_a_token_is_said_without_quoting_it(door: Doorkeeper, keys: respx.Route) -> None:
    token = signed(of_an_admin(role="service_role", sub="", email="secret@example.com"))

    with pytest.raises(NotSignedIn) as refused:
        door.admit(bearer(token))

    assert str(refused.value) == "not the token of a user: role, sub"
