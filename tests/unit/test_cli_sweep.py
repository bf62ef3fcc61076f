"""`crontick reconcile` and `crontick backfill`: they call until all objects were seen."""

from __future__ import annotations

import json
from typing import Any

import pytest
import respx

from functions.cli import sweep
from tests.unit.cli_calls import crontick

BUSY = {"checked": 0, "enqueued": 0, "retired": 0, "failed": 0, "finished": False, "busy": True}


pytestmark = pytest.mark.usefixtures("configured", "nobody_is_waited_for")


@pytest.fixture
def nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_BUSY_SECONDS", 0)


def step(**numbers: Any) -> dict[str, Any]:
    return {**BUSY, "busy": False, **numbers}


def answers(http: respx.MockRouter, function: str, *steps: dict[str, Any]) -> respx.Route:
    route = http.post(f"/rest/v1/rpc/{function}")
    route.side_effect = [respx.MockResponse(json=one) for one in steps]
    return route


def sent(route: respx.Route) -> list[dict[str, Any]]:
    return [json.loads(call.request.content) for call in route.calls]


def test_reconcile_starts_at_the_beginning_and_calls_until_all_objects_were_seen(
    http: respx.MockRouter,
) -> None:
    route = answers(
        http,
        "reconcile_files",
        BUSY,
        step(checked=1000, enqueued=2),
        step(checked=500, enqueued=1, retired=4, finished=True),
    )

    done = crontick("reconcile", "--json")

    assert (done.exit_code, json.loads(done.stdout)) == (
        0,
        {"checked": 1500, "enqueued": 3, "retired": 4, "failed": 0},
    )
    assert [call["restart"] for call in sent(route)] == [True, True, False]


def test_backfill_names_the_route_and_says_how_to_watch_its_jobs(http: respx.MockRouter) -> None:
    route = answers(http, "backfill_files", step(checked=12, enqueued=7, finished=True))

    done = crontick("backfill", "uploads", "--priority=-10")

    assert done.exit_code == 0
    assert sent(route) == [{"route": "uploads", "priority": -10}]
    assert "12" in done.stdout
    assert "status --watch" in done.stdout


def test_files_that_failed_are_an_error_with_the_place_where_the_reasons_stand(
    http: respx.MockRouter,
) -> None:
    answers(http, "reconcile_files", step(checked=2, failed=1, finished=True))

    done = crontick("reconcile")

    assert done.exit_code == 1
    assert "1 file could not be brought up to date" in done.stderr
    assert "status" in done.stderr


def test_a_route_that_does_not_exist_is_told_with_those_that_do(http: respx.MockRouter) -> None:
    refusal = {
        "code": "22023",
        "message": 'there is no active route "nope"',
        "hint": "There are: uploads",
        "details": None,
    }
    http.post("/rest/v1/rpc/backfill_files").respond(400, json=refusal)

    done = crontick("backfill", "nope")

    assert done.exit_code == 1
    assert 'there is no active route "nope"' in done.stderr
    assert "There are: uploads" in done.stderr


def test_a_sweep_that_stays_busy_is_given_up(http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_BUSY_ATTEMPTS", 3)
    route = answers(http, "reconcile_files", BUSY, BUSY, BUSY)

    done = crontick("reconcile")

    assert done.exit_code == 1
    assert len(route.calls) == 3
    assert "another call of this sweep" in done.stderr
