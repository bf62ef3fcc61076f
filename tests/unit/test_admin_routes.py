"""How the jobs API finds what is asked for, and what every answer of it carries."""

from __future__ import annotations

import io
from typing import Any

import pytest

from functions.admin import desk
from functions.admin.routes import ROUTES, Route, find
from tests.unit.admin_calls import Api, error_of

GUARDED = [route for route in ROUTES if not route.is_open]


def path_of(route: Route) -> str:
    return route.path.format(job_id=1, file_id=1, size=256, type="create_cards", asset="app.js")


def test_load_balancers_are_answered_without_a_secret_settings_or_database(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPABASE_URL")
    for path in ("/health?live", "/health?live=1"):
        response = api.client.get(path)
        assert (response.status_code, response.json) == (200, {"status": "alive"})


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
def test_without_a_secret_nothing_of_the_body_is_read_and_nothing_is_told(api: Api, route: Route) -> None:
    class Unreadable(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

        readinto = read  # type: ignore[assignment]

    for headers in ({}, {"x-job-runner-secret": "wrong"}, {"Authorization": "Bearer wrong"}):
        response = api.client.open(
            path_of(route), method=route.method, headers=headers, input_stream=Unreadable(), content_length=10
        )
        assert (response.status_code, response.json) == (401, {"code": "unauthorized"})
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_405_and_told_what_is_allowed(api: Api, method: str) -> None:
    assert api.ask(method, "/jobs").headers["Allow"] == "GET, POST, HEAD"
    assert error_of(api.ask(method, "/pause")) == (405, "method_not_allowed", None)


def test_a_post_where_only_get_is_known_is_405(api: Api) -> None:
    response = api.post("/jobs/1")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


def test_names_win_over_ids(api: Api) -> None:
    assert api.get("/jobs/retry-failed").status_code == 405
    assert find("POST", "/jobs/cancel")[0].path == "/jobs/cancel"


def test_head_is_get_without_a_body(api: Api) -> None:
    response = api.ask("HEAD", "/me")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(len(api.get("/me").data))


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/jobs/", "/jobs/1/", "/JOBS", "/jobs/1/retry/2", "/healthz", "/jobs/../me"]
)
def test_other_paths_do_not_exist(api: Api, path: str) -> None:
    assert error_of(api.get(path)) == (404, "unknown_route", None)


def test_an_encoded_slash_is_no_slash(api: Api) -> None:
    response = api.post("/jobs/1%2Fretry")
    assert error_of(response) == (404, "unknown_route", None)


def test_who_asks_is_told_who_they_are(api: Api) -> None:
    assert api.get("/me").json == {"actor": "runner secret", "kind": "secret"}


@pytest.mark.parametrize("path", ["/me", "/nothing", "/health?live", "/openapi.json", "/jobs/abc"])
def test_every_answer_is_fenced_in(api: Api, path: str) -> None:
    headers = api.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Type"] == "application/json"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not [name for name in dict(headers) if name.lower().startswith("access-control")]


def test_what_the_browser_has_already_is_answered_without_a_word_about_its_length(api: Api) -> None:
    first = api.client.get("/dashboard/main.js")
    again = api.client.get("/dashboard/main.js", headers={"If-None-Match": first.headers["ETag"]})
    assert int(first.headers["Content-Length"]) == len(first.data)
    assert (again.status_code, again.data) == (304, b"")
    assert "Content-Length" not in again.headers  # it would have to be that of the file


def test_a_misconfigured_function_says_so_without_a_detail(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_made", [])
    monkeypatch.delenv("SUPABASE_URL")
    response = api.get("/me")
    assert error_of(response) == (500, "misconfigured", None)
    assert "SUPABASE" not in response.text


def test_what_nobody_foresaw_is_500_and_stays_in_the_log(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode(*_: object) -> object:
        raise RuntimeError("at the worst of times")

    api.get("/me")
    monkeypatch.setattr(desk._made[0].doorkeeper, "admit", explode)
    response = api.get("/me")
    assert error_of(response) == (500, "internal", None)
    assert "worst" not in response.text
    assert "at the worst of times" in capsys.readouterr().out
