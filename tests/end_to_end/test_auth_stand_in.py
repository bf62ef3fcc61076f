"""The Auth stand-in behind the gateway, as Supabase's own client sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from supabase import AuthApiError, Client, ClientOptions, create_client

from scripts.local_supabase import Leg, LocalSupabase
from scripts.local_supabase.state import Keys, LegFolder
from tests.end_to_end.jobs_api import JobsApi

ADMIN, MEMBER = "admin@example.com", "member@example.com"


@pytest.fixture
def keys(supabase: LocalSupabase) -> Keys:
    return LegFolder(Path(supabase.directory), Leg(supabase.leg)).keys()


@pytest.fixture
def client(supabase: LocalSupabase) -> Iterator[Client]:
    with httpx.Client(timeout=30, trust_env=False) as http:
        options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=True)
        yield create_client(supabase.url, supabase.publishable_key, options)


def test_supabase_s_client_signs_in_refreshes_and_signs_out(client: Client, keys: Keys) -> None:
    signed_in = client.auth.sign_in_with_password({"email": ADMIN, "password": keys.admin_password})
    assert signed_in.session is not None
    assert signed_in.user is not None
    assert signed_in.user.app_metadata["role"] == "admin"

    found = client.auth.get_user()
    assert found is not None
    assert found.user.email == ADMIN
    verified = client.auth.get_claims()  # fetches the published keys, and checks the signature with them
    assert verified is not None
    assert verified["claims"]["session_id"]

    refreshed = client.auth.refresh_session()
    assert refreshed.session is not None
    assert refreshed.session.refresh_token != signed_in.session.refresh_token

    client.auth.sign_out()
    with pytest.raises(AuthApiError, match="session_id claim"):
        client.auth.get_user(refreshed.session.access_token)


def test_supabase_s_client_understands_the_refusals(client: Client) -> None:
    with pytest.raises(AuthApiError) as refused:
        client.auth.sign_in_with_password({"email": ADMIN, "password": "wrong"})
    assert (refused.value.status, refused.value.code) == (400, "invalid_credentials")


def test_a_link_comes_by_mail_and_is_followed_without_a_key(supabase: LocalSupabase, client: Client) -> None:
    target = "http://127.0.0.1:1/dashboard"
    client.auth.sign_in_with_otp({"email": MEMBER, "options": {"email_redirect_to": target}})
    mail = Path(supabase.directory, supabase.leg, "mail.jsonl").read_text().splitlines()[-1]

    answer = httpx.get(json.loads(mail)["link"], trust_env=False)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{target}#access_token=")


def test_a_signed_in_user_is_one_to_postgrest_and_storage_too(
    supabase: LocalSupabase, client: Client, keys: Keys
) -> None:
    session = client.auth.sign_in_with_password({"email": MEMBER, "password": keys.member_password}).session
    assert session is not None
    headers = {"apikey": supabase.publishable_key, "authorization": f"Bearer {session.access_token}"}
    with httpx.Client(base_url=supabase.url, headers=headers, trust_env=False) as http:
        assert http.get("/rest/v1/cards?select=id").json() == []
        assert http.get("/storage/v1/bucket").json() == []
        forged = session.access_token[:-6] + "AAAAAA"
        http.headers["authorization"] = f"Bearer {forged}"
        assert http.get("/rest/v1/cards?select=id").status_code == 401
        assert http.get("/storage/v1/bucket").json()["code"] == "AccessDenied"


def test_the_address_that_crontick_up_shows_is_an_admin_to_the_jobs_api(
    supabase: LocalSupabase, jobs_api: JobsApi
) -> None:
    wanted = {"redirect_to": f"{jobs_api.url}/dashboard"}
    place = urlsplit(httpx.get(supabase.sign_in_url, params=wanted, trust_env=False).headers["location"])
    [token] = parse_qs(place.fragment)["access_token"]

    with jobs_api.client(token) as http:
        assert http.get("/me").json()["actor"].startswith("user admin@example.com (")
    assert f"{place.scheme}://{place.netloc}{place.path}" == f"{jobs_api.url}/dashboard"


@pytest.mark.parametrize("path", ["/user", "/token?grant_type=password", "/otp", "/settings", "/nowhere"])
def test_without_a_key_the_gateway_lets_nobody_through(path: str, supabase: LocalSupabase) -> None:
    answer = httpx.post(f"{supabase.url}/auth/v1{path}", json={}, trust_env=False)
    assert (answer.status_code, answer.json()["message"]) == (401, "No API key found in request")
