"""What doctor says when the way to the database ends somewhere, by where it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from functions.doctor.examine import examine
from functions.doctor.findings import Finding
from functions.doctor.look import look
from functions.settings import load_settings

HOSTED = "https://abcdefghijklmnopqrst.supabase.co"
RPC = f"{HOSTED}/rest/v1/rpc/inspect_project"


def asked(route: respx.Route) -> Finding:
    """The finding about the way in."""
    settings = load_settings({"SUPABASE_URL": HOSTED, "SUPABASE_SECRET_KEY": "sb_secret_x", "K_SERVICE": "t"})
    (found,) = [f for f in examine(look(settings, patience=0.2)) if f.group == "reach"]
    assert route.called
    assert found.severity == "broken"
    assert found.remedy
    return found


@pytest.fixture
def gateway() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{HOSTED}/storage/v1/bucket").respond(json=[])
        yield router


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (540, None, "the project is paused"),
        (503, None, "answered 503: PostgREST or the database is down"),
        (404, None, "is no Supabase project"),
        (401, {"message": "Invalid API key"}, "the key was refused: Invalid API key"),
        (401, {"code": "PGRST301", "message": "JWT expired"}, "the key was refused: JWT expired"),
        (406, {"code": "PGRST106", "message": "Invalid schema"}, "does not expose the schema public"),
        (
            404,
            {"code": "PGRST202", "message": "Could not find the function"},
            "none of the queue's functions",
        ),
        (403, {"code": "42501", "message": "permission denied"}, "may not call inspect_project"),
        (500, {"code": "XX000", "message": "out of cheese"}, "out of cheese (XX000)"),
    ],
)
def test_an_answer_that_is_none_is_told_by_what_it_means(
    gateway: respx.MockRouter, status: int, body: Any, words: str
) -> None:
    gateway.get(url__startswith=f"{HOSTED}/rest/v1/job_queue_settings").respond(
        404, json={"code": "PGRST205", "message": "Could not find the table"}
    )
    route = gateway.post(RPC).respond(status, json=body) if body else gateway.post(RPC).respond(status)
    assert words in asked(route).what


def test_another_versions_facts_are_told_as_such(gateway: respx.MockRouter) -> None:
    assert "another version's words: now: Field required" in asked(gateway.post(RPC).respond(json={})).what


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("[Errno -2] Name or service not known"), f"the host of {HOSTED} does not exist"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), f"TLS to {HOSTED} fails"),
        (httpx.ConnectTimeout("timed out"), "did not answer in time"),
        (httpx.ConnectError("Connection refused"), "cannot be reached: Connection refused"),
    ],
)
def test_a_way_that_leads_nowhere_is_told_by_where_it_ends(
    gateway: respx.MockRouter, error: Exception, words: str
) -> None:
    assert words in asked(gateway.post(RPC).mock(side_effect=error)).what
