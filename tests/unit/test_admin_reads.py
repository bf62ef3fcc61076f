"""What the jobs API shows: each view is one call of the queue, passed on as it is."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from tests.unit.admin_calls import AT, HEALTH, JOB_ROW, Api, error_of, overview

FILE: dict[str, Any] = {
    "id": 7,
    "org_id": "acme",
    "bucket_id": "ingest",
    "path": "acme/<img src=x onerror=alert(1)>.pdf",
    "status": "done",
    "created_at": AT,
    "thumbnails": [
        {"size": 256, "bucket_id": "thumbnails", "path": "acme/7/256.webp", "width": 256, "height": 181}
    ],
}


def answers(rest: respx.MockRouter, function: str, answer: Any) -> respx.Route:
    return rest.post(f"/rest/v1/rpc/{function}").respond(json=answer)


def sent(route: respx.Route) -> Any:
    return json.loads(route.calls.last.request.content)


def test_jobs_are_asked_for_with_their_filter_and_page(api: Api, rest: respx.MockRouter) -> None:
    route = answers(rest, "list_jobs", {"jobs": [JOB_ROW], "next": "id_17"})
    response = api.get("/jobs?action=failed&type=create_cards&org_id=acme&limit=5&cursor=id_20")
    assert response.json is not None
    assert response.json["jobs"][0]["last_error"] == "ValueError: no text"
    assert response.json["next"] == "id_17"
    assert sent(route) == {
        "action": "failed",
        "filter": {"type": "create_cards", "org_id": "acme"},
        "page_size": 5,
        "cursor": "id_20",
    }


def test_operators_of_sql_and_postgrest_in_a_filter_are_plain_text(api: Api, rest: respx.MockRouter) -> None:
    route = answers(rest, "list_jobs", {"jobs": [], "next": None})
    odd = "in.(a,b)' or 1=1; --%*"
    response = api.get("/jobs", query_string={"org_id": odd})
    assert (response.status_code, response.json) == (200, {"jobs": [], "next": None})
    assert sent(route)["filter"] == {"org_id": odd}


def test_statistics_are_the_rows_of_their_view(api: Api, rest: respx.MockRouter) -> None:
    row = {"type": "create_cards", "status": "done", "count": 3, "avg_seconds": 1.5}
    rest.get("/rest/v1/job_stats").respond(json=[row])
    assert api.get("/jobs?action=stats").json == {"stats": [row]}


def test_a_job_that_does_not_exist_is_404(api: Api, rest: respx.MockRouter) -> None:
    rest.post("/rest/v1/rpc/describe_job").respond(text="null")
    assert error_of(api.get("/jobs/99")) == (404, "not_found", "job_id")


def test_a_file_is_shown_with_its_name_as_it_is(api: Api, rest: respx.MockRouter) -> None:
    answers(rest, "describe_file", FILE)
    response = api.get("/files/7")
    assert response.json is not None
    assert response.json["path"] == FILE["path"]
    assert response.headers["Content-Type"] == "application/json"


def test_the_audit_trail_comes_in_pages(api: Api, rest: respx.MockRouter) -> None:
    row = {"id": 3, "at": AT, "actor": "runner secret", "action": "pause", "job_id": None, "details": {}}
    route = answers(rest, "list_operations", {"operations": [row], "next": None})
    response = api.get("/operations?limit=1")
    assert response.json is not None
    assert response.json["operations"][0]["actor"] == "runner secret"
    assert sent(route) == {"page_size": 1, "cursor": None}


def test_a_cursor_that_the_database_does_not_know_is_400(api: Api, rest: respx.MockRouter) -> None:
    refusal = {"code": "22023", "message": "cursor: expected the next of an earlier page"}
    rest.post("/rest/v1/rpc/list_jobs").respond(400, json=refusal)
    assert error_of(api.get("/jobs?cursor=made-up")) == (400, "invalid", "cursor")


def test_one_query_serves_the_overview_health_and_metrics(api: Api, rest: respx.MockRouter) -> None:
    route = answers(rest, "queue_overview", overview())
    for path in ("/overview?hours=1", "/health", "/metrics", "/overview?hours=1"):
        assert api.get(path).status_code == 200
    assert route.call_count == 1
    assert sent(route) == {"hours": 1}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, "ok", 200),
        ({"problems": [{"condition": "failed", "text": "2 job(s) failed"}]}, "degraded", 200),
        ({"health": HEALTH | {"processing_enabled": False, "paused_reason": "deploy"}}, "paused", 200),
        ({"problems": [{"condition": "schedule", "text": "crontick has not run"}]}, "stopped", 503),
        (
            {
                "health": HEALTH | {"processing_enabled": False},
                "problems": [{"condition": "schedule", "text": "crontick has not run"}],
            },
            "stopped",
            503,
        ),
    ],
)
def test_health_says_in_a_word_and_a_status_how_the_queue_is(
    api: Api, rest: respx.MockRouter, changes: dict[str, Any], status: str, code: int
) -> None:
    answers(rest, "queue_overview", overview(**changes))
    response = api.get("/health")
    assert response.json is not None
    assert (response.status_code, response.json["status"]) == (code, status)
    assert response.json["health"]["counts"]["failed"] == 2
    assert response.json["problems"] == changes.get("problems", [])


@pytest.mark.parametrize(
    "path", ["/health", "/metrics", "/overview", "/jobs", "/jobs/1", "/jobs?action=stats"]
)
def test_a_database_that_is_gone_is_503_with_no_more_than_that(
    api: Api, rest: respx.MockRouter, path: str
) -> None:
    rest.route().mock(side_effect=httpx.ConnectError("refused by 10.1.2.3"))
    response = api.get(path)
    assert error_of(response) == (503, "unavailable", None)
    assert response.headers["Retry-After"] == "5"
    assert "10.1.2.3" not in response.text


def test_rows_of_another_version_are_not_taken_for_a_database_that_is_gone(
    api: Api, rest: respx.MockRouter
) -> None:
    answers(rest, "list_jobs", {"jobs": [{"id": "seventeen"}], "next": None})
    response = api.get("/jobs")
    assert error_of(response) == (500, "misconfigured", None)
    assert "deploy the version that fits the migrations" in response.text


def test_whatever_a_worker_reported_as_progress_is_shown(api: Api, rest: respx.MockRouter) -> None:
    rows = [JOB_ROW | {"progress": progress} for progress in ({"done": 0.5}, [1, 2], "half", 7, None)]
    answers(rest, "list_jobs", {"jobs": rows, "next": None})
    response = api.get("/jobs")
    assert response.json is not None
    assert [job["progress"] for job in response.json["jobs"]] == [{"done": 0.5}, [1, 2], "half", 7, None]


def test_a_database_that_comes_back_is_asked_again_at_once(api: Api, rest: respx.MockRouter) -> None:
    route = rest.post("/rest/v1/rpc/queue_overview")
    route.side_effect = [httpx.ConnectError("refused"), httpx.Response(200, json=overview())]
    assert api.get("/health").status_code == 503
    assert api.get("/health").status_code == 200


def test_a_thumbnail_comes_out_of_storage(api: Api, rest: respx.MockRouter) -> None:
    answers(rest, "describe_file", FILE)
    rest.get("/storage/v1/object/thumbnails/acme/7/256.webp").respond(content=b"RIFF....WEBP")
    response = api.get("/files/7/thumbnails/256")
    assert (response.status_code, response.data) == (200, b"RIFF....WEBP")
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_thumbnail_of_another_size_is_404(api: Api, rest: respx.MockRouter) -> None:
    answers(rest, "describe_file", FILE)
    assert error_of(api.get("/files/7/thumbnails/512")) == (404, "not_found", "size")


@pytest.mark.parametrize(
    ("bucket", "path"),
    [("..", "../../rest/v1/jobs"), ("thumbnails", "../../../../rest/v1/jobs"), ("thumbnails", "acme/./a")],
)
def test_the_place_of_a_thumbnail_leads_to_nothing_else_that_the_secret_key_opens(
    api: Api, rest: respx.MockRouter, bucket: str, path: str
) -> None:
    place = {"size": 256, "bucket_id": bucket, "path": path, "width": 256, "height": 181}
    answers(rest, "describe_file", FILE | {"thumbnails": [place]})
    assert error_of(api.get("/files/7/thumbnails/256"))[0] == 404  # any other request would fail the test


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (httpx.Response(400, json={"statusCode": "404"}), 404),
        (httpx.Response(500), 502),
        (httpx.Response(200, content=b"x" * (4 * 1024 * 1024 + 1)), 502),
        (httpx.ConnectError("refused"), 502),
    ],
    ids=["gone", "broken", "too large", "unreachable"],
)
def test_storage_in_trouble_is_told_from_a_thumbnail_that_is_gone(
    api: Api, rest: respx.MockRouter, answer: Any, status: int
) -> None:
    answers(rest, "describe_file", FILE)
    rest.get("/storage/v1/object/thumbnails/acme/7/256.webp").mock(side_effect=[answer])
    assert error_of(api.get("/files/7/thumbnails/256"))[0] == status
