"""Everybody who might come, at every route there is: the routes are read from the table that serves them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from functions.admin.routes import ROUTES, Route
from scripts.local_supabase.auth_stand_in.signing import SigningKey, new_signing_key
from tests.end_to_end.callers import NO_ADMIN, UNKNOWN, WELCOME, Caller, Headers, Keyring
from tests.end_to_end.jobs_api import JobsApi

pytestmark = pytest.mark.leg_debian  # who is let in is the same on both

# What stands in a path, so that it is about something that is there where there can be.
IN_PATHS = {"job_id": "{job}", "file_id": "1", "type": "analyze_file", "size": "512", "asset": "app.css"}
# Changes that would show if they were made; every other one gets an empty object.
BODIES: dict[str, Any] = {
    "/jobs": {"type": "analyze_file", "org_id": "intruders", "payload": {}},
    "/trigger/{type}": {"org_id": "intruders", "bucket": "ingest", "path": "x.md"},
    "/pause": {"reason": "intruders"},
}


@pytest.fixture(scope="module")
def keyring(jobs_api: JobsApi) -> Keyring:
    return Keyring(jobs_api, SigningKey(jobs_api.keys.signing_key), SigningKey(new_signing_key()))


@pytest.fixture(scope="module")
def job(jobs_api: JobsApi) -> Iterator[int]:
    """A job that a retry, a cancellation or a trigger would change."""
    with psycopg.connect(jobs_api.supabase.database_url, autocommit=True) as database:
        database.execute("set role service_role")
        row = database.execute(
            "select public.enqueue_job('nobody_works_this_off', 'acme', '{}'::jsonb)"
        ).fetchone()
        assert row is not None
        found = database.execute("select max(id) from public.jobs").fetchone()
        assert found is not None
        yield found[0]
        database.execute("reset role")
        database.execute("delete from public.jobs where id = %s", found)


@pytest.fixture
def nothing_changes(jobs_api: JobsApi, job: int) -> Iterator[None]:
    before = contents(jobs_api)
    yield
    assert contents(jobs_api) == before


def contents(api: JobsApi) -> dict[str, Any]:
    """What all of the project's tables hold."""
    with psycopg.connect(api.supabase.database_url) as database:
        rows = database.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        hashed = "select md5(string_agg(t::text, ',' order by t::text)) from public.{} t"
        return {name: database.execute(SQL(hashed).format(Identifier(name))).fetchone() for (name,) in rows}


def requests_to(route: Route, job: int) -> Iterator[tuple[str, str, Any]]:
    path = re.sub(r"\{(\w+)\}", lambda match: IN_PATHS[match[1]].format(job=job), route.path)
    yield route.method, path, BODIES.get(route.path, {}) if route.method == "POST" else None
    if route.method == "GET":
        yield "HEAD", path, None


def answers(
    api: JobsApi, headers: Headers, job: int, *, query: str = ""
) -> Iterator[tuple[Route, str, httpx.Response]]:
    with httpx.Client(base_url=api.url, headers=headers, timeout=30, trust_env=False) as http:
        for route in ROUTES:
            for method, path, body in requests_to(route, job):
                yield route, method, http.request(method, path + query, json=body)


def test_every_path_of_the_table_can_be_asked_for() -> None:
    """A new parameter needs something to stand in its place here."""
    assert {name for route in ROUTES for name in route.parameters} <= IN_PATHS.keys()


@pytest.mark.parametrize("caller", UNKNOWN.values(), ids=UNKNOWN)
def test_whom_nobody_knows_finds_only_what_is_open_and_learns_and_changes_nothing(
    caller: Caller, keyring: Keyring, job: int, nothing_changes: None
) -> None:
    refused(answers(keyring.api, caller(keyring), job), 401, b'{"code":"unauthorized"}')


@pytest.mark.parametrize("caller", NO_ADMIN.values(), ids=NO_ADMIN)
def test_a_user_who_is_no_admin_finds_only_what_is_open_and_learns_and_changes_nothing(
    caller: Caller, keyring: Keyring, job: int, nothing_changes: None
) -> None:
    refused(answers(keyring.api, caller(keyring), job), 403, b'{"code":"forbidden"}')


def refused(given: Iterator[tuple[Route, str, httpx.Response]], status: int, body: bytes) -> None:
    seen = 0
    for route, method, answer in given:
        if route.is_open:
            assert answer.status_code in (200, 404), (method, route.path)
            continue
        seen += 1
        assert answer.status_code == status, (method, route.path, answer.text)
        assert answer.content.replace(b" ", b"") == (b"" if method == "HEAD" else body), (method, route.path)
    assert seen > len(ROUTES) // 2


@pytest.mark.parametrize("caller", WELCOME.values(), ids=WELCOME)
def test_who_is_welcome_is_so_everywhere(
    caller: Caller, keyring: Keyring, job: int, nothing_changes: None
) -> None:
    """The question itself is wrong, so that nothing comes of it; but that is said only behind the door."""
    for route, method, answer in answers(keyring.api, caller(keyring), job, query="?no_such_thing=1"):
        assert answer.status_code == 400, (method, route.path, answer.text)


@pytest.mark.parametrize("caller", ["an admin", "the runner secret"])
def test_a_change_that_is_let_in_shows_in_the_tables_that_are_watched(
    caller: str, keyring: Keyring, job: int
) -> None:
    before = contents(keyring.api)
    with httpx.Client(base_url=keyring.api.url, headers=WELCOME[caller](keyring), trust_env=False) as http:
        actor = http.get("/me").json()["actor"]
        assert http.post("/pause", json={"reason": "a test"}).status_code == 200
        paused = contents(keyring.api)
        assert http.post("/resume", json={}).status_code == 200
        [latest, _] = http.get("/operations", params={"limit": 2}).json()["operations"]
    assert {name for name in paused if paused[name] != before[name]} >= {"operator_actions"}
    assert (latest["actor"], latest["action"]) == (actor, "resume")


def test_the_light_for_load_balancers_is_open_and_says_nothing(jobs_api: JobsApi) -> None:
    with jobs_api.client() as http:
        assert http.get("/health?live").json() == {"status": "alive"}
        assert http.get("/health").status_code == 401
