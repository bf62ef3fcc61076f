"""The local Supabase's gateway: who is let in, as whom, and that requests pass through unchanged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from scripts.local_supabase import LocalSupabase
from scripts.local_supabase.auth_stand_in import AuthConfig
from scripts.local_supabase.auth_stand_in.signing import new_signing_key
from scripts.local_supabase.gateway import GatewayConfig, create_app
from scripts.local_supabase.ports import free_port
from tests.end_to_end.storage_clients import admin_connection, user_token, wait_until

ECHO = """
create function public.echo_for_test(value text) returns jsonb language sql set search_path = '' as $$
    select jsonb_build_object(
        'value', value, 'role', current_user, 'sub', current_setting('request.jwt.claims', true)::jsonb -> 'sub'
    )
$$
"""
USER = "6b3cf8a4-4f3b-4b8a-9d0b-0a4f6c1d2e3f"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(scope="module")
def http(supabase: LocalSupabase) -> Iterator[httpx.Client]:
    with admin_connection(supabase) as admin:
        admin.execute(ECHO.encode())
        with httpx.Client(base_url=supabase.url, timeout=60, trust_env=False) as http:
            call: Any = {"json": {"value": ""}, "headers": {"apikey": supabase.secret_key}}
            wait_until(lambda: http.post("/rest/v1/rpc/echo_for_test", **call).is_success)
            yield http
        admin.execute("drop function public.echo_for_test(text)")


def headers_for(supabase: LocalSupabase, apikey: str | None, bearer: str | None) -> dict[str, str]:
    """`apikey` and `bearer` name a key of the project, or are one."""
    values = {"apikey": apikey, "authorization": bearer}
    named = {name: getattr(supabase, value, value) for name, value in values.items() if value}
    if "authorization" in named:
        named["authorization"] = f"Bearer {named['authorization']}"
    return named


@pytest.mark.parametrize(
    ("apikey", "bearer", "role"),
    [
        ("publishable_key", None, "anon"),
        ("publishable_key", "publishable_key", "anon"),
        ("secret_key", None, "service_role"),
        ("secret_key", "secret_key", "service_role"),
        ("anon_key", None, "anon"),
        ("anon_key", "anon_key", "anon"),
        ("service_role_key", None, "service_role"),
        ("service_role_key", "service_role_key", "service_role"),
        (None, "service_role_key", "service_role"),
        ("publishable_key", "service_role_key", "service_role"),
    ],
)
def test_a_key_gives_its_role(
    apikey: str | None, bearer: str | None, role: str, supabase: LocalSupabase, http: httpx.Client
) -> None:
    headers = headers_for(supabase, apikey, bearer)
    answer = http.post("/rest/v1/rpc/echo_for_test", json={"value": "x"}, headers=headers)
    assert answer.json() == {"value": "x", "role": role, "sub": None}


@pytest.mark.parametrize("apikey", ["publishable_key", "anon_key", "secret_key"])
def test_a_user_s_token_counts_for_more_than_the_key_beside_it(
    apikey: str, supabase: LocalSupabase, http: httpx.Client
) -> None:
    headers = headers_for(supabase, apikey, user_token(supabase, USER))
    answer = http.post("/rest/v1/rpc/echo_for_test", json={"value": "x"}, headers=headers)
    assert answer.json() == {"value": "x", "role": "authenticated", "sub": USER}


@pytest.mark.parametrize(
    ("apikey", "bearer"),
    [
        (None, None),
        ("sb_secret_unknown", None),
        ("sb_publishable_unknown", "sb_publishable_unknown"),
        (None, "secret_key"),
        ("publishable_key", "secret_key"),
        ("nonsense", "service_role_key"),
    ],
)
@pytest.mark.parametrize("path", ["/rest/v1/rpc/echo_for_test", "/storage/v1/object/list/ingest"])
def test_a_request_without_a_good_key_goes_no_further(
    path: str, apikey: str | None, bearer: str | None, supabase: LocalSupabase, http: httpx.Client
) -> None:
    answer = http.post(path, json={"value": "x"}, headers=headers_for(supabase, apikey, bearer))
    assert answer.status_code == 401
    assert set(answer.json()) == {"message", "hint"}


def test_a_token_with_a_wrong_signature_is_refused_by_the_services(
    supabase: LocalSupabase, http: httpx.Client
) -> None:
    forged = supabase.service_role_key[:-4] + "AAAA"
    headers = headers_for(supabase, "publishable_key", forged)
    rest = http.post("/rest/v1/rpc/echo_for_test", json={"value": "x"}, headers=headers)
    assert (rest.status_code, rest.json()["code"][:6]) == (401, "PGRST3")
    storage = http.get("/storage/v1/bucket", headers=headers)
    assert (storage.status_code, storage.json()["code"]) == (400, "AccessDenied")


def test_a_browser_may_not_use_a_secret_key_and_may_use_a_publishable_one(
    supabase: LocalSupabase, http: httpx.Client
) -> None:
    for key, status in ((supabase.secret_key, 401), (supabase.publishable_key, 200)):
        headers = {"apikey": key, "user-agent": BROWSER}
        answer = http.post("/rest/v1/rpc/echo_for_test", json={"value": "x"}, headers=headers)
        assert answer.status_code == status


def test_query_headers_status_and_body_pass_through(supabase: LocalSupabase, http: httpx.Client) -> None:
    headers = {"apikey": supabase.secret_key}
    query = "value=a%2Bb%20c%26d%3D%C3%A9"
    assert http.get(f"/rest/v1/rpc/echo_for_test?{query}", headers=headers).json()["value"] == "a+b c&d=é"
    wanted = {**headers, "accept": "application/vnd.pgrst.object+json", "prefer": "count=exact"}
    single = http.get(f"/rest/v1/rpc/echo_for_test?{query}", headers=wanted)
    assert single.headers["content-type"].startswith("application/vnd.pgrst.object+json")
    assert single.headers["content-range"].endswith("/1")
    missing = http.post("/rest/v1/rpc/no_such_function", json={}, headers=headers)
    assert (missing.status_code, missing.json()["code"]) == (404, "PGRST202")
    assert "transfer-encoding" not in missing.headers or "content-length" not in missing.headers


def test_a_body_of_any_size_and_either_framing_reaches_postgrest(
    supabase: LocalSupabase, http: httpx.Client
) -> None:
    value = "x" * 3_000_000
    body = json.dumps({"value": value}).encode()
    headers = {"apikey": supabase.secret_key, "content-type": "application/json"}
    framings: list[bytes | Iterator[bytes]] = [body, iter([body[:1000], body[1000:]])]
    for content in framings:
        answer = http.post("/rest/v1/rpc/echo_for_test", content=content, headers=headers)
        assert answer.json()["value"] == value


def test_health_tells_that_both_services_answer(supabase: LocalSupabase, http: httpx.Client) -> None:
    answer = http.get("/health")
    expected = {"status": "ok", "url": supabase.url, "rest": "ok", "storage": "ok"}
    assert (answer.status_code, answer.json()) == (200, expected)


def test_services_that_do_not_answer_are_a_gateway_s_errors(supabase: LocalSupabase, tmp_path: Path) -> None:
    nobody = free_port()
    config = GatewayConfig(
        postgrest_url=f"http://127.0.0.1:{nobody}",
        storage_dsn=psycopg.conninfo.make_conninfo(host="127.0.0.1", port=nobody, user="x", dbname="x"),
        files_directory=tmp_path,
        jwt_secret=supabase.jwt_secret,
        publishable_key=supabase.publishable_key,
        secret_key=supabase.secret_key,
        anon_key=supabase.anon_key,
        service_role_key=supabase.service_role_key,
        public_url="http://gateway",
        auth=AuthConfig(
            issuer="http://gateway/auth/v1",
            jwt_secret=supabase.jwt_secret,
            signing_key=new_signing_key(),
            passwords={},
            site_url="http://gateway",
            mail_path=tmp_path / "mail.jsonl",
            sign_in_secret="unknown",
        ),
    )

    async def ask() -> list[int]:
        app = create_app(config)
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as http:
            headers = {"apikey": supabase.secret_key}
            paths = ("/rest/v1/jobs", "/storage/v1/bucket", "/health")
            return [(await http.get(f"http://gateway{path}", headers=headers)).status_code for path in paths]

    assert asyncio.run(ask()) == [502, 500, 503]
