"""`crontick audit`."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from tests.unit.cli_calls import URL, crontick

pytestmark = pytest.mark.usefixtures("configured")


def line(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": number,
        "at": "2030-01-31T12:00:00+00:00",
        "actor": "cli ann@desk",
        "action": "retry_failed",
        "job_id": None,
        "details": {"parameters": {"type": "create_cards"}, "result": {"retried": 3, "left": 0}},
    } | values


def answering(http: respx.MockRouter, *pages: dict[str, Any]) -> respx.Route:
    route = http.post(f"{URL}/rest/v1/rpc/list_operations")
    route.side_effect = [httpx.Response(200, json=page) for page in pages]
    return route


def test_the_trail_says_who_did_what_and_what_came_of_it(http: respx.MockRouter) -> None:
    answering(http, {"operations": [line(2), line(1, action="cancel", job_id=17)], "next": None})

    told = crontick("audit").stdout

    for words in (
        "2030-01-31 12:00:00",
        "ann@desk",
        "retry_failed",
        "create_cards",
        "retried 3",
        "cancel",
        "17",
    ):
        assert words in told


def test_json_is_the_rows_as_they_are(http: respx.MockRouter) -> None:
    answering(http, {"operations": [line(2)], "next": None})

    told = json.loads(crontick("audit", "--json").stdout)

    assert told["operations"][0]["details"] == line(2)["details"]


def test_as_many_are_fetched_as_were_asked_for_page_by_page(http: respx.MockRouter) -> None:
    route = answering(
        http,
        {"operations": [line(n) for n in range(500, 300, -1)], "next": "operations_301"},
        {"operations": [line(n) for n in range(300, 200, -1)], "next": "operations_201"},
    )

    told = json.loads(crontick("audit", "--count", "300", "--json").stdout)

    assert len(told["operations"]) == 300
    assert [json.loads(call.request.content) for call in route.calls] == [
        {"page_size": 200, "cursor": None},
        {"page_size": 100, "cursor": "operations_301"},
    ]


def test_an_empty_trail_is_a_sentence(http: respx.MockRouter) -> None:
    answering(http, {"operations": [], "next": None})
    assert "Nobody has changed anything yet" in crontick("audit").stdout


def test_what_an_actor_calls_itself_moves_no_cursor(http: respx.MockRouter) -> None:
    answering(http, {"operations": [line(1, actor="user \x1b[2Jevil")], "next": None})
    assert "\x1b[2J" not in crontick("audit").stdout
