"""The Auth stand-in's rules that take time, and its refusals, word for word as GoTrue has them."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from starlette.testclient import TestClient

from scripts.local_supabase.auth_stand_in import AuthConfig, create_auth_app
from scripts.local_supabase.auth_stand_in.redirects import allowed
from scripts.local_supabase.auth_stand_in.signing import new_signing_key
from tests.fixtures.user_tokens import claims
from tests.unit.fakes import FakeClock

ISSUER = "http://supabase.test/auth/v1"
SITE = "http://127.0.0.1:4000/dashboard"
JWT_SECRET = "a-jwt-secret-of-a-local-project-for-tests"
EMAIL, PASSWORD = "admin@example.com", "a password of the admin's"


@pytest.fixture
def clock() -> FakeClock:
    clock = FakeClock()
    clock.time = 1_800_000_000.0
    return clock


@pytest.fixture
def config(tmp_path: Path, clock: FakeClock) -> AuthConfig:
    return AuthConfig(
        issuer=ISSUER,
        jwt_secret=JWT_SECRET,
        signing_key=new_signing_key(),
        passwords={EMAIL: PASSWORD, "member@example.com": "another"},
        site_url=SITE,
        mail_path=tmp_path / "mail.jsonl",
        sign_in_secret="a-secret-of-this-run",
        now=clock.now,
    )


@pytest.fixture
def auth(config: AuthConfig) -> Iterator[TestClient]:
    with TestClient(create_auth_app(config), follow_redirects=False) as client:
        yield client


def sign_in(auth: TestClient, **changes: Any) -> httpx2.Response:
    body = {"email": EMAIL, "password": PASSWORD} | changes
    return auth.post("/token?grant_type=password", json=body)


def refresh(auth: TestClient, token: str) -> httpx2.Response:
    return auth.post("/token?grant_type=refresh_token", json={"refresh_token": token})


def refused(answer: httpx2.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert body["code"] == answer.status_code
    return body["code"], body["error_code"], body["msg"]


def mailed(config: AuthConfig) -> list[str]:
    return [json.loads(line)["link"] for line in config.mail_path.read_text().splitlines()]


def follow(auth: TestClient, link: str) -> dict[str, str]:
    """What the browser finds behind the `#`."""
    answer = auth.get(link.removeprefix(ISSUER))
    assert answer.status_code == 303
    return {
        name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).fragment).items()
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"password": "wrong"}, (400, "invalid_credentials", "Invalid login credentials")),
        ({"password": ""}, (400, "invalid_credentials", "Invalid login credentials")),
        ({"password": None}, (400, "invalid_credentials", "Invalid login credentials")),
        ({"email": "nobody@example.com"}, (400, "invalid_credentials", "Invalid login credentials")),
        (
            {"email": "nobody@example.com", "password": ""},
            (400, "invalid_credentials", "Invalid login credentials"),
        ),
        ({"email": ""}, (400, "validation_failed", "missing email or phone")),
    ],
    ids=str,
)
def test_a_wrong_password_and_an_unknown_address_are_told_apart_by_nobody(
    changes: dict[str, Any], expected: tuple[int, str, str], auth: TestClient
) -> None:
    assert refused(sign_in(auth, **changes)) == expected


def test_a_client_of_the_newer_api_gets_the_newer_errors(auth: TestClient) -> None:
    auth.headers["x-supabase-api-version"] = "2024-01-01"
    assert sign_in(auth, password="x").json() == {
        "code": "invalid_credentials",
        "message": "Invalid login credentials",
    }


def test_an_address_in_capitals_is_the_same(auth: TestClient) -> None:
    assert sign_in(auth, email="Admin@Example.COM").json()["user"]["email"] == EMAIL


def test_a_refresh_token_works_once_and_for_ten_more_seconds_gives_what_it_gave(
    auth: TestClient, clock: FakeClock
) -> None:
    first = sign_in(auth).json()["refresh_token"]
    second = refresh(auth, first).json()["refresh_token"]
    clock.advance(9)

    assert second != first
    assert refresh(auth, first).json()["refresh_token"] == second


def test_a_refresh_token_that_comes_back_later_ends_the_session_for_everybody(
    auth: TestClient, clock: FakeClock
) -> None:
    first = sign_in(auth).json()["refresh_token"]
    second = refresh(auth, first).json()
    clock.advance(10)

    assert refused(refresh(auth, first)) == (
        400,
        "refresh_token_already_used",
        "Invalid Refresh Token: Already Used",
    )
    assert refused(refresh(auth, second["refresh_token"]))[1] == "refresh_token_not_found"
    bearer = {"authorization": f"Bearer {second['access_token']}"}
    assert refused(auth.get("/user", headers=bearer))[1] == "session_not_found"


def test_a_token_is_good_for_an_hour(auth: TestClient, clock: FakeClock, config: AuthConfig) -> None:
    answer = sign_in(auth).json()
    said = jwt.decode(answer["access_token"], options={"verify_signature": False})

    assert (answer["expires_in"], answer["expires_at"]) == (3600, clock.time + 3600)
    assert (said["iss"], said["aud"], said["exp"]) == (ISSUER, "authenticated", clock.time + 3600)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (401, "no_authorization")),
        ({"authorization": "Basic x"}, (401, "no_authorization")),
        ({"authorization": "Bearer x"}, (403, "bad_jwt")),
    ],
    ids=str,
)
def test_who_is_no_user_is_told_so(
    headers: dict[str, str], expected: tuple[int, str], auth: TestClient
) -> None:
    assert refused(auth.get("/user", headers=headers))[:2] == expected


def test_a_key_is_no_user(auth: TestClient, clock: FakeClock) -> None:
    key = jwt.encode({"role": "anon", "iss": "supabase", "exp": clock.time + 60}, JWT_SECRET)
    answer = auth.get("/user", headers={"authorization": f"Bearer {key}"})
    assert refused(answer) == (403, "bad_jwt", "invalid claim: missing sub claim")


def test_a_token_of_nobody_s_making_is_refused(auth: TestClient, clock: FakeClock) -> None:
    forged = jwt.encode(claims(ISSUER, clock.time), "another-secret-of-some-other-project-1234")
    assert refused(auth.get("/user", headers={"authorization": f"Bearer {forged}"}))[1] == "bad_jwt"


def test_a_token_of_an_hour_ago_is_no_user_any_more(auth: TestClient, clock: FakeClock) -> None:
    bearer = {"authorization": f"Bearer {sign_in(auth).json()['access_token']}"}
    assert auth.get("/user", headers=bearer).json()["email"] == EMAIL
    clock.advance(3600)
    assert "expired" in refused(auth.get("/user", headers=bearer))[2]


def test_signing_out_ends_the_session_and_the_others_when_asked(auth: TestClient) -> None:
    here, there = (sign_in(auth).json() for _ in range(2))
    bearer = {"authorization": f"Bearer {here['access_token']}"}

    assert auth.post("/logout?scope=others", headers=bearer).status_code == 204
    assert refresh(auth, there["refresh_token"]).status_code == 400
    assert auth.get("/user", headers=bearer).status_code == 200
    assert auth.post("/logout", headers=bearer).status_code == 204
    assert auth.get("/user", headers=bearer).status_code == 403


def test_a_link_in_a_mail_signs_in_once(auth: TestClient, config: AuthConfig) -> None:
    assert auth.post(f"/otp?redirect_to={SITE}", json={"email": EMAIL}).json() == {}
    [link] = mailed(config)

    tokens = follow(auth, link)
    assert tokens["type"] == "magiclink"
    assert refresh(auth, tokens["refresh_token"]).json()["user"]["email"] == EMAIL
    assert follow(auth, link) == {
        "error": "access_denied",
        "error_code": "otp_expired",
        "error_description": "Email link is invalid or has expired",
    }


def test_a_link_is_good_for_an_hour_and_until_the_next_one(
    auth: TestClient, config: AuthConfig, clock: FakeClock
) -> None:
    for seconds in (3600, 0):
        auth.post("/otp", json={"email": EMAIL})
        clock.advance(seconds)
    auth.post("/otp", json={"email": EMAIL})
    expired, replaced, good = mailed(config)

    assert follow(auth, expired)["error_code"] == "otp_expired"
    assert follow(auth, replaced)["error_code"] == "otp_expired"
    assert "access_token" in follow(auth, good)


def test_mails_can_be_read_by_their_owner_only(auth: TestClient, config: AuthConfig) -> None:
    auth.post("/otp", json={"email": EMAIL})
    assert stat.S_IMODE(config.mail_path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": "nobody@example.com"}, (422, "signup_disabled")),
        ({"email": "nobody@example.com", "create_user": False}, (422, "otp_disabled")),
        ({"email": "no address"}, (400, "validation_failed")),
        ({}, (400, "validation_failed")),
        ([], (400, "bad_json")),
    ],
    ids=str,
)
def test_nobody_else_gets_a_link(
    body: Any, expected: tuple[int, str], auth: TestClient, config: AuthConfig
) -> None:
    assert refused(auth.post("/otp", json=body))[:2] == expected
    assert not config.mail_path.exists()


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        ("http://127.0.0.1:9999/dashboard", True),
        ("http://localhost:3000/x", True),
        ("http://[::1]:3000/", True),
        ("https://evil.example/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://127.0.0.1@evil.example/", False),
        ("http://evil@127.0.0.1/", False),
        ("//127.0.0.1/", False),
        ("javascript:alert(1)", False),
        ("http://[/", False),
        ("", False),
        (None, False),
    ],
)
def test_links_lead_to_this_machine_only(wanted: str | None, granted: bool) -> None:
    assert allowed(wanted, SITE) == (wanted if granted else SITE)


def test_the_address_of_this_run_signs_the_admin_in_as_often_as_it_is_opened(auth: TestClient) -> None:
    for _ in range(2):
        answer = auth.get("/sign-in/a-secret-of-this-run")
        assert answer.headers["location"].startswith(f"{SITE}#access_token=")
        assert answer.headers["cache-control"] == "no-store"
    assert auth.get("/sign-in/another").status_code == 404


def test_faults_are_switched_with_the_secret_key_alone(auth: TestClient, clock: FakeClock) -> None:
    def switch(fault: str | None, role: str = "service_role") -> httpx2.Response:
        key = jwt.encode({"role": role, "exp": clock.time + 60}, JWT_SECRET)
        bearer = {"authorization": f"Bearer {key}"}
        return auth.post("/stand-in/faults", json={"path": "/token", "fault": fault}, headers=bearer)

    assert switch("down", role="anon").status_code == 403
    assert sign_in(auth).status_code == 200
    switch("rate_limited")
    assert refused(sign_in(auth))[:2] == (429, "over_request_rate_limit")
    switch("down")
    assert sign_in(auth).status_code == 503
    switch(None)
    assert sign_in(auth).status_code == 200
    assert refused(switch("nonsense"))[1] == "validation_failed"
