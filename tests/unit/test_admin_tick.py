"""The manual kick: the jobs API calls the worker as cron does."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from tests.unit.admin_calls import SECRET, Api, error_of, overview

WORKER = "https://worker.test/"
REPORT = {"status": "ok", "processed": 1, "succeeded": 1, "failed": 0, "results": []}


@pytest.fixture
def worker(http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> respx.Route:
    monkeypatch.setenv("JOB_QUEUE_WORKER_ENDPOINT", WORKER)
    http.post("http://supabase.test/rest/v1/rpc/operate").respond(json={"noted": True})
    return http.post(WORKER).respond(json=REPORT)


def test_the_workers_report_is_handed_on(api: Api, worker: respx.Route, http: respx.MockRouter) -> None:
    response = api.post("/tick", {"limit": 3, "types": ["create_cards"], "force": True})
    assert (response.status_code, response.json) == (200, REPORT)
    request = worker.calls.last.request
    assert request.headers["x-job-runner-secret"] == SECRET
    wanted = {"limit": 3, "types": ["create_cards"], "force": True, "drain": True}
    assert json.loads(request.content) == wanted
    noted = json.loads(http.routes[0].calls.last.request.content)
    assert (noted["actor"], noted["action"], noted["parameters"]) == ("runner secret", "tick", wanted)


@pytest.mark.parametrize(
    ("answer", "status", "code", "said"),
    [
        (httpx.Response(401), 502, "worker_unusable", "JOB_QUEUE_RUNNER_SECRET"),
        (httpx.Response(500, text="Traceback of the worker"), 502, "worker_unusable", "500"),
        (httpx.Response(200, text="<html>"), 502, "worker_unusable", "no report"),
        (httpx.Response(200, json=[]), 502, "worker_unusable", "no report"),
        (httpx.Response(302, headers={"Location": "https://elsewhere.test"}), 502, "worker_unusable", "302"),
        (httpx.ConnectError("no route to 10.1.2.3"), 502, "worker_unusable", "JOB_QUEUE_WORKER_ENDPOINT"),
        (httpx.ConnectTimeout("slow"), 502, "worker_unusable", "JOB_QUEUE_WORKER_ENDPOINT"),
        (httpx.ReadTimeout("slow"), 504, "worker_too_slow", "55 s"),
    ],
    ids=["secret", "crash", "no json", "no report", "redirect", "unreachable", "slow to connect", "slow"],
)
def test_a_worker_in_trouble_is_told_with_the_remedy(
    api: Api, worker: respx.Route, answer: Any, status: int, code: str, said: str
) -> None:
    worker.mock(side_effect=[answer])
    response = api.post("/tick")
    assert error_of(response) == (status, code, None)
    assert said in response.text
    assert "Traceback" not in response.text
    assert "10.1.2.3" not in response.text


def test_those_who_wait_for_the_worker_never_take_all_threads(
    api: Api, worker: respx.Route, http: respx.MockRouter
) -> None:
    within: list[tuple[int, str, str | None]] = []

    def tick_again(_: httpx.Request) -> httpx.Response:
        response = api.post("/tick")
        within.append(error_of(response) if response.status_code != 200 else (200, "", None))
        return httpx.Response(200, json=REPORT)

    worker.mock(side_effect=tick_again)
    assert api.post("/tick").status_code == 200
    assert within == [(409, "conflict", None), (200, "", None)]
    assert api.post("/tick").status_code == 200


def test_what_a_reader_saw_while_the_worker_worked_is_not_kept(
    api: Api, worker: respx.Route, http: respx.MockRouter
) -> None:
    asked = http.post("http://supabase.test/rest/v1/rpc/queue_overview").respond(json=overview())

    def read_meanwhile(_: httpx.Request) -> httpx.Response:
        api.get("/overview")
        return httpx.Response(200, json=REPORT)

    worker.mock(side_effect=read_meanwhile)
    assert api.post("/tick").status_code == 200
    api.get("/overview?hours=6")
    assert asked.call_count == 2


def test_without_an_endpoint_there_is_nothing_to_call(api: Api) -> None:
    response = api.post("/tick")
    assert error_of(response) == (409, "not_configured", None)
    assert "JOB_QUEUE_WORKER_ENDPOINT" in response.text
