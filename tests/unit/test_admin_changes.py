"""What the jobs API changes, and in whose name."""

from __future__ import annotations

import json
from typing import Any

import pytest
import respx

from tests.unit.admin_calls import Api, error_of, overview

ACTOR = "runner secret"


def operates(rest: respx.MockRouter, answer: Any, status: int = 200) -> respx.Route:
    return rest.post("/rest/v1/rpc/operate").respond(status, json=answer)


def sent(route: respx.Route) -> Any:
    return json.loads(route.calls.last.request.content)


@pytest.mark.parametrize(
    ("path", "body", "action", "parameters"),
    [
        ("/jobs/7/retry", None, "retry", {"job_id": 7}),
        ("/jobs/7/cancel", {}, "cancel", {"job_id": 7}),
        ("/jobs/retry-failed", {"type": "create_cards"}, "retry_failed", {"type": "create_cards"}),
        ("/jobs/cancel", {"status": "queued", "org_id": "acme"}, "cancel_jobs",
         {"status": "queued", "org_id": "acme"}),
        ("/pause", {"reason": " deploy "}, "pause", {"reason": "deploy"}),
        ("/resume", None, "resume", {}),
        ("/jobs", {"org_id": "acme", "type": "work", "payload": {"a": [1, None]}, "priority": -1,
                   "run_at": "2030-01-31T12:00:00Z", "after": [4]}, "enqueue",
         {"org_id": "acme", "type": "work", "payload": {"a": [1, None]}, "priority": -1,
          "run_at": "2030-01-31T12:00:00Z", "after": [4]}),
    ],
)  # fmt: skip
def test_a_change_is_one_action_in_the_name_of_who_asked(
    api: Api, rest: respx.MockRouter, path: str, body: object, action: str, parameters: dict[str, Any]
) -> None:
    route = operates(rest, {"job_id": 7, "status": "queued"})
    response = api.post(path, body)
    assert (response.status_code, response.json) == (200, {"job_id": 7, "status": "queued"})
    assert sent(route) == {"actor": ACTOR, "action": action, "parameters": parameters, "dry_run": False}


def test_a_job_that_a_dry_run_would_make_has_no_number(api: Api, rest: respx.MockRouter) -> None:
    operates(rest, {"job_id": 7, "created": True, "status": "queued", "dry_run": True})
    response = api.post("/jobs", {"org_id": "acme", "type": "work", "dryRun": True})
    assert response.json is not None
    assert response.json["job_id"] is None


def test_the_job_that_a_dry_run_finds_has_one(api: Api, rest: respx.MockRouter) -> None:
    operates(rest, {"job_id": 7, "created": False, "status": "queued", "dry_run": True})
    response = api.post("/jobs", {"org_id": "acme", "type": "work", "dryRun": True})
    assert response.json is not None
    assert response.json["job_id"] == 7


@pytest.mark.parametrize("spelling", ["dryRun", "dry_run"])
def test_a_dry_run_is_left_to_the_database_which_undoes_it(
    api: Api, rest: respx.MockRouter, spelling: str
) -> None:
    route = operates(rest, {"retried": 3, "skipped": [], "left": 0, "dry_run": True})
    response = api.post("/jobs/retry-failed", {spelling: True})
    assert response.json == {"retried": 3, "skipped": [], "left": 0, "dry_run": True}
    assert sent(route)["dry_run"] is True
    assert sent(route)["parameters"] == {}


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ({"code": "22023", "message": "there is no job 7"}, (404, "not_found", "job_id")),
        ({"code": "PT409", "message": "job 7 is done: only a failed job can be retried"}, (409, "conflict", None)),
        ({"code": "22023", "message": "job_id: expected the number of a job"}, (400, "invalid", "job_id")),
        ({"code": "22023", "message": "payload: at most 1 MB"}, (400, "invalid", "payload")),
        ({"code": "22P02", "message": "invalid input syntax"}, (400, "invalid", None)),
        ({"code": "42501", "message": "permission denied for function operate"}, (500, "internal", None)),
        ({"code": "XX000", "message": "cache lookup failed at line 12"}, (500, "internal", None)),
    ],
)  # fmt: skip
def test_a_refusal_of_the_database_keeps_its_sentence_and_loses_its_code(
    api: Api, rest: respx.MockRouter, refusal: dict[str, str], expected: tuple[int, str, str | None]
) -> None:
    operates(rest, refusal, 400)
    response = api.post("/jobs/7/retry")
    assert error_of(response) == expected
    assert refusal["code"] not in response.text
    assert (refusal["message"] in response.text) is (expected[0] < 500)


def test_readers_see_a_change_at_once(api: Api, rest: respx.MockRouter) -> None:
    operates(rest, {"processing_enabled": False})
    route = rest.post("/rest/v1/rpc/queue_overview").respond(json=overview())
    api.get("/overview")
    api.post("/pause", {"dryRun": True})
    api.get("/overview")
    assert route.call_count == 1
    api.post("/pause")
    api.get("/overview")
    assert route.call_count == 2


def test_a_change_is_logged_with_who_and_what_and_without_a_payload(
    api: Api, rest: respx.MockRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    operates(rest, {"job_id": 7, "created": True, "status": "queued"})
    api.post("/jobs", {"org_id": "acme", "type": "work", "payload": {"name": "private matter"}})
    said = capsys.readouterr().out
    assert '"actor": "runner secret"' in said
    assert '"action": "enqueue"' in said
    assert "private matter" not in said
