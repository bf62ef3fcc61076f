"""What `crontick doctor` prints, and with which code it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
import respx

from functions.doctor import examine as examination
from functions.doctor.findings import Finding, Severity
from tests.unit.cli_calls import URL, crontick

pytestmark = pytest.mark.usefixtures("configured")

REFUSED = {"statusCode": "401", "error": "Unauthorized", "message": "Invalid API key"}
CODES: list[tuple[list[Severity], int]] = [
    (["ok"], 0),
    (["ok", "note"], 0),
    (["warning", "note"], 3),
    (["warning", "broken", "ok"], 1),
]


def finding(severity: Severity) -> Finding:
    return Finding("worker", "answer", severity, f"it is {severity}", "select 1;\nselect '[bold]';")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """The findings of an examination that has taken place elsewhere."""
    findings: list[Finding] = []
    monkeypatch.setattr(examination, "look", lambda _: None)
    monkeypatch.setattr(examination, "examine", lambda *_: findings)
    return findings


@pytest.mark.parametrize(("severities", "code"), CODES)
def test_the_exit_code_is_that_of_the_worst_finding(
    found: list[Finding], severities: list[Severity], code: int
) -> None:
    found += map(finding, severities)
    assert crontick("doctor").exit_code == code
    said = json.loads((done := crontick("doctor", "--json")).stdout)
    assert (done.exit_code, said["ok"]) == (code, code == 0)
    assert said["findings"][0] == {
        "group": "worker",
        "check": "answer",
        "severity": severities[0],
        "what": f"it is {severities[0]}",
        "remedy": "select 1;\nselect '[bold]';",
    }


def test_a_remedy_stands_below_its_finding_a_line_for_each_command(found: list[Finding]) -> None:
    found += [finding("ok"), finding("broken")]
    lines = [line.strip() for line in crontick("doctor").stdout.splitlines()]
    assert (
        "→ select 1;" not in lines[: lines.index(next(line for line in lines if line.startswith("broken")))]
    )
    assert "→ select 1;" in lines
    assert "→ select '[bold]';" in lines
    assert "1 fine, 1 broken" in lines


def test_an_unknown_link_is_refused_with_those_there_are() -> None:
    done = crontick("doctor", "--only", "heart")
    assert (done.exit_code, "keys, reach, database" in done.stderr) == (2, True)


def test_waiting_needs_a_probe() -> None:
    assert crontick("doctor", "--wait", "10").exit_code == 2


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SUPABASE_SECRET_KEY", "sb_publishable_x", "this is the public key"),
        ("SUPABASE_URL", "https://supabase.com/dashboard/project/x", "use the bare project URL"),
        ("TICK_BUDGET_SECONDS", "long", "TICK_BUDGET_SECONDS"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = crontick("doctor", "--json")
    (only,) = json.loads(done.stdout)["findings"]
    assert (done.exit_code, only["group"], only["severity"]) == (1, "keys", "broken")
    assert words in only["what"]
    assert value not in only["what"] or variable == "TICK_BUDGET_SECONDS"


@pytest.mark.parametrize(
    ("variable", "remedy"),
    [("SUPABASE_SECRET_KEY", "in the environment or in .env"), ("SUPABASE_URL", "Start one with: ")],
)
def test_a_setting_that_is_missing_is_a_finding_too(
    monkeypatch: pytest.MonkeyPatch, variable: str, remedy: str
) -> None:
    monkeypatch.delenv(variable)
    done = crontick("doctor", "--json")
    (only,) = json.loads(done.stdout)["findings"]
    assert (done.exit_code, only["group"], only["severity"]) == (1, "keys", "broken")
    assert f"{variable} is not set" in only["what"]
    assert remedy in only["remedy"]


def test_one_link_can_be_looked_at_alone(http: respx.MockRouter) -> None:
    answer: dict[str, Any] = {"now": "2026-11-22T12:00:00Z"}
    http.post(f"{URL}/rest/v1/rpc/inspect_project").respond(json=answer)
    http.get(f"{URL}/storage/v1/bucket").respond(json=[])
    done = crontick("doctor", "--only", "storage", "--json")
    said = json.loads(done.stdout)["findings"]
    assert {one["group"] for one in said} == {"storage"}
    assert {one["severity"] for one in said} == {"ok", "note"}


def test_a_project_that_does_not_answer_still_gets_the_other_checks(http: respx.MockRouter) -> None:
    http.post(f"{URL}/rest/v1/rpc/inspect_project").respond(401, json=REFUSED)
    http.get(f"{URL}/storage/v1/bucket").respond(400, json=REFUSED)
    done = crontick("doctor")
    assert done.exit_code == 1
    assert "the key was refused" in done.stdout
    assert "Storage: it answered 401: Invalid API key" in done.stdout
    assert "secret key" in done.stdout


def test_what_the_gateway_before_storage_says_is_told_without_what_it_is_wrapped_in(
    http: respx.MockRouter,
) -> None:
    http.post(f"{URL}/rest/v1/rpc/inspect_project").respond(401, json=REFUSED)
    gateway = {"message": "Invalid API key", "hint": "Double check your Supabase API key."}
    http.get(f"{URL}/storage/v1/bucket").respond(401, json=gateway)
    findings = json.loads(crontick("doctor", "--json").stdout)["findings"]
    assert [f["what"] for f in findings if f["check"] == "Storage"] == [
        "Storage: it answered 401: Invalid API key"
    ]
