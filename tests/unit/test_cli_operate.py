"""Commands that switch the queue and put jobs right, and those that enqueue and dispatch."""

from __future__ import annotations

import json
from typing import Any

import pytest
import respx

from tests.unit.cli_calls import FUNCTION, URL, crontick

pytestmark = pytest.mark.usefixtures("configured")

SKIPPED = {"job_id": 7, "reason": "the file was deleted"}


def answering(http: respx.MockRouter, function: str, answer: Any, status: int = 200) -> respx.Route:
    return http.post(f"{URL}/rest/v1/rpc/{function}").respond(status, json=answer)


def sent(route: respx.Route) -> Any:
    return json.loads(route.calls.last.request.content)


def asked(route: respx.Route) -> tuple[str, Any]:
    """Which operation was asked for, with what."""
    return sent(route)["action"], sent(route)["parameters"]


def test_every_command_says_who_gives_it(http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    route = answering(http, "operate", {"processing_enabled": True, "paused_reason": None})
    crontick("resume")
    assert sent(route)["actor"] == "cli ann@desk"


def test_a_user_without_a_name_is_still_an_actor(
    http: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1001")

    monkeypatch.setattr("getpass.getuser", nameless)
    route = answering(http, "operate", {"processing_enabled": True, "paused_reason": None})
    assert crontick("resume").exit_code == 0
    assert sent(route)["actor"].startswith("cli unknown@")


def test_a_pause_carries_its_reason(http: respx.MockRouter) -> None:
    answer = {"processing_enabled": False, "paused_reason": "deploying"}
    route = answering(http, "operate", answer)
    assert "resume" in crontick("pause", "--reason", "deploying").stdout
    assert asked(route) == ("pause", {"reason": "deploying"})
    assert json.loads(crontick("pause", "--json").stdout) == answer


def test_resume_lets_it_go_on(http: respx.MockRouter) -> None:
    answering(http, "operate", {"processing_enabled": True, "paused_reason": None})
    assert "goes on" in crontick("resume").stdout


@pytest.mark.parametrize(("cancelled", "exit_code"), [(True, 0), (False, 1)])
def test_cancelling_what_has_ended_is_a_problem(
    cancelled: bool, exit_code: int, http: respx.MockRouter
) -> None:
    answer = {"job_id": 17, "cancelled": cancelled, "status": "cancelled" if cancelled else "done"}
    answering(http, "operate", answer)
    done = crontick("cancel", "17")
    assert done.exit_code == exit_code
    assert ("had ended already: done" in done.stderr) is not cancelled
    as_json = crontick("cancel", "17", "--json")
    assert (json.loads(as_json.stdout), as_json.exit_code) == (answer, exit_code)


def test_a_dead_letter_comes_back_with_what_waited_for_it(http: respx.MockRouter) -> None:
    route = answering(http, "operate", {"job_id": 17, "status": "queued", "revived": 2})
    assert "job 17 is queued again, and 2 jobs that waited for it" in crontick("retry", "17").stdout
    assert asked(route) == ("retry", {"job_id": 17})


def test_a_job_that_cannot_be_retried_is_a_problem_with_its_reason(http: respx.MockRouter) -> None:
    refusal = {"code": "PT409", "message": "job 17 is done", "hint": None, "details": None}
    answering(http, "operate", refusal, status=409)
    done = crontick("retry", "17")
    assert (done.exit_code, "job 17 is done" in done.stderr) == (1, True)


def test_dead_letters_come_back_by_type_and_organisation(http: respx.MockRouter) -> None:
    route = answering(http, "operate", {"retried": 3, "skipped": [SKIPPED], "left": 1})
    done = crontick("retry", "--failed", "--type", "create_cards", "--org", "acme")
    assert done.exit_code == 0
    assert "retried 3 jobs, 1 dead letter left" in done.stdout
    assert "the file was deleted" in done.stdout
    assert asked(route) == ("retry_failed", {"type": "create_cards", "org_id": "acme"})


def test_when_no_dead_letter_could_be_retried_the_command_fails(http: respx.MockRouter) -> None:
    answer = {"retried": 0, "skipped": [SKIPPED], "left": 1}
    answering(http, "operate", answer)
    done = crontick("retry", "--failed", "--json")
    assert (json.loads(done.stdout), done.exit_code) == (answer, 1)


@pytest.mark.parametrize(
    "arguments", [[], ["17", "--failed"], ["17", "--type", "work"], ["--org", "acme"]], ids=str
)
def test_retry_wants_one_job_or_all_dead_letters(arguments: list[str]) -> None:
    assert crontick("retry", *arguments).exit_code == 2


def test_enqueue_can_push_back_what_waits_and_take_a_key_for_ever(http: respx.MockRouter) -> None:
    answer = {"job_id": 7, "created": False, "status": "queued", "changed": True}
    route = answering(http, "enqueue_job", answer)
    done = crontick("enqueue", "t", "--org", "acme", "--on-conflict", "debounce", "--once", "--delay", "5")
    assert "changed job 7" in done.stdout
    assert (sent(route)["on_conflict"], sent(route)["unique_for"]) == ("debounce", "ever")


def test_dispatch_has_the_function_run_one_job(http: respx.MockRouter) -> None:
    results = [{"id": 17, "status": "done", "attempts": 1, "lastError": None}]
    answer = {"status": "ok", "processed": 1, "succeeded": 1, "failed": 0, "results": results}
    route = http.post(FUNCTION).respond(json=answer | {"job": {"id": 17, "created": True}})
    done = crontick("dispatch", "t", "--org", "acme", "--payload", '{"a": 1}', "--key", "k")
    assert (done.exit_code, "17" in done.stdout) == (0, True)
    assert sent(route) == {
        "type": "t",
        "org_id": "acme",
        "payload": {"a": 1},
        "force": False,
        "idempotency_key": "k",
    }


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ({"status": "queued", "waitsFor": "the budget of today is used"}, "the budget of today is used"),
        ({"status": "processing", "waitsFor": None}, "it is processing"),
        ({}, "put back"),
    ],
)
def test_dispatch_fails_with_the_reason_when_the_job_was_not_run(
    job: dict[str, Any], why: str, http: respx.MockRouter
) -> None:
    answer = {"status": "ok", "processed": 0, "succeeded": 0, "failed": 0, "results": []}
    http.post(FUNCTION).respond(json=answer | {"job": {"id": 17, "created": False, **job}})
    done = crontick("dispatch", "t", "--org", "acme")
    assert done.exit_code == 1
    assert "job 17 was not run" in done.stdout
    assert why in done.stdout
