"""A job by hand: its parameters are held against its handler before anything is enqueued."""

from __future__ import annotations

import json
from typing import Any

import pytest
import respx

from tests.unit.admin_calls import Api, error_of

FILE = {"file_id": 7, "bucket": "ingest", "path": "acme/a.pdf", "version": "v1"}


def operates(rest: respx.MockRouter, **answer: Any) -> respx.Route:
    return rest.post("/rest/v1/rpc/operate").respond(
        json={"job_id": 17, "created": True, "status": "queued"} | answer
    )


def sent(route: respx.Route) -> Any:
    return json.loads(route.calls.last.request.content)


@pytest.mark.parametrize("spelling", ["org_id", "orgId"])
def test_the_types_own_parameters_become_the_payload(api: Api, rest: respx.MockRouter, spelling: str) -> None:
    route = operates(rest)
    response = api.post("/trigger/analyze_file", {spelling: "acme", "dryRun": False, **FILE})
    assert response.json == {
        "success": True,
        "jobId": 17,
        "message": "analyze_file enqueued as job 17",
        "created": True,
        "status": "queued",
    }
    assert sent(route) == {
        "actor": "runner secret",
        "action": "enqueue",
        "parameters": {"type": "analyze_file", "org_id": "acme", "payload": FILE},
        "dry_run": False,
    }


def test_a_second_trigger_finds_the_job_that_does_the_work(api: Api, rest: respx.MockRouter) -> None:
    route = operates(rest, created=False, status="processing")
    response = api.post("/trigger/analyze_file", {"orgId": "acme", "idempotency_key": "k", **FILE})
    assert response.json is not None
    assert (response.json["jobId"], response.json["created"]) == (17, False)
    assert response.json["message"] == "job 17 does this work already; it is processing"
    assert sent(route)["parameters"]["idempotency_key"] == "k"
    assert "idempotency_key" not in sent(route)["parameters"]["payload"]


def test_a_dry_run_names_no_job_because_there_is_none(api: Api, rest: respx.MockRouter) -> None:
    route = operates(rest, dry_run=True)
    response = api.post("/trigger/analyze_file", {"orgId": "acme", "dryRun": True, **FILE})
    assert response.json is not None
    assert (response.json["jobId"], response.json["dryRun"]) == (None, True)
    assert "nothing was written" in response.json["message"]
    assert sent(route)["dry_run"] is True


def test_a_dry_run_names_the_job_that_exists(api: Api, rest: respx.MockRouter) -> None:
    operates(rest, created=False, dry_run=True)
    response = api.post("/trigger/analyze_file", {"orgId": "acme", "dryRun": True, **FILE})
    assert response.json is not None
    assert response.json["jobId"] == 17


def test_a_parameter_that_the_handler_does_not_take_so_is_named(api: Api) -> None:
    response = api.post("/trigger/analyze_file", {"orgId": "acme", **FILE, "file_id": "seven"})
    assert error_of(response) == (400, "invalid", "file_id")
    response = api.post("/trigger/analyze_file", {"orgId": "acme", "dryRun": True})
    assert error_of(response) == (400, "invalid", "file_id")
    assert response.json is not None
    assert response.json["message"] == "file_id: is required (a parameter of analyze_file)"


def test_a_type_that_nobody_knows_is_404_with_those_there_are(api: Api, rest: respx.MockRouter) -> None:
    rest.get("/rest/v1/job_types").respond(json=[{"type": "*"}, {"type": "send_digest"}])
    response = api.post("/trigger/analyse_file", {"orgId": "acme"})
    assert error_of(response) == (404, "unknown_type", "type")
    assert response.json is not None
    assert response.json["message"] == (
        "there is no job type analyse_file; there are: analyze_file, call_webhook, create_cards, "
        "create_thumbnail, prune_storage, send_digest"
    )


def test_a_type_that_only_another_deployment_runs_is_enqueued_as_it_is(
    api: Api, rest: respx.MockRouter
) -> None:
    rest.get("/rest/v1/job_types").respond(json=[{"type": "send_digest"}])
    operates(rest)
    assert api.post("/trigger/send_digest", {"orgId": "acme", "week": 46}).status_code == 200
