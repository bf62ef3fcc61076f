"""What the database hears when it calls the worker, each kind of trouble by its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import psycopg
import pytest

from functions.doctor.findings import Finding
from tests.end_to_end.doctor.patient import Patient, Stranger, symptom

BROKEN_ANSWER = [("worker", "answer", "broken")]


@contextmanager
def calling(patient: Patient, url: str, secret: str | None = None) -> Iterator[list[Finding]]:
    """What doctor finds while Vault names another worker, or another secret."""
    patient.project.set_secret("job_queue_worker_endpoint", url)
    patient.project.set_secret("job_queue_runner_secret", secret or patient.function.runner_secret)
    try:
        yield patient.symptoms()
    finally:
        patient.project.set_secret("job_queue_worker_endpoint", patient.function.url)
        patient.project.set_secret("job_queue_runner_secret", patient.function.runner_secret)


def symptoms(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [symptom(finding) for finding in found]


def test_a_worker_that_is_not_there_cannot_be_reached(patient: Patient) -> None:
    with calling(patient, "http://127.0.0.1:1/") as found:
        assert symptoms(found) == BROKEN_ANSWER
        assert "the database cannot reach 127.0.0.1:1: " in found[0].what


def test_a_wrong_secret_is_told_from_a_wrong_address(patient: Patient) -> None:
    with calling(patient, patient.function.url, "not-the-secret-of-it") as found:
        assert symptoms(found) == BROKEN_ANSWER
        assert "refuses the secret" in found[0].what
        assert "not-the-secret-of-it" not in str(found)
    with calling(patient, f"{patient.function.url}elsewhere") as found:
        assert symptoms(found) == BROKEN_ANSWER
        assert "nothing at this path (404)" in found[0].what


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/301", "the address redirects (405)"),
        ("/302", "somebody else answers"),
        ("/400", "does not know a ping"),
        ("/403", "without a Google identity"),
        ("/200", "somebody else answers"),
        ("/500", "answered 500"),
    ],
)
def test_whoever_else_answers_is_told_by_how(
    patient: Patient, stranger: Stranger, path: str, words: str
) -> None:
    with calling(patient, f"{stranger.url}{path}") as found:
        assert symptoms(found) == BROKEN_ANSWER
        assert words in found[0].what
        assert found[0].remedy


def ping(**changed: Any) -> dict[str, Any]:
    return {
        "ping": True,
        "version": version("crontick"),
        "time": datetime.now(UTC).isoformat(),
        "budget_seconds": 45,
        "job_types": ["analyze_file", "create_cards", "create_thumbnail", "prune_storage"],
        "backend": "table",
        "project": "127.0.0.1",
    } | changed


@pytest.mark.parametrize(
    ("changed", "check", "severity", "words"),
    [
        ({"version": "0.0.1"}, "version", "warning", "runs version 0.0.1"),
        ({"unusable": ["create_cards: broken"]}, "version", "warning", "a handler cannot be used"),
        ({"budget_seconds": 60}, "time limits", "broken", "works up to 60 s"),
        ({"lease_seconds": 50}, "time limits", "warning", "leases end after 50 s"),
        ({"project": None}, "project", "broken", "has no SUPABASE_URL"),
        (
            {"time": "2026-01-01T00:00:00Z"},
            "clock of the worker",
            "warning",
            "s off the database's",
        ),
        ({"job_types": ["analyze_file", "create_cards"]}, "job types", "broken", "create_thumbnail"),
    ],
    ids=str,
)
def test_what_a_worker_says_of_itself_is_judged(
    patient: Patient, stranger: Stranger, changed: dict[str, Any], check: str, severity: str, words: str
) -> None:
    with calling(patient, stranger.says(ping())) as found:
        assert found == []
    with calling(patient, stranger.says(ping(**changed))) as found:
        assert symptoms(found) == [("worker", check, severity)]
        assert words in found[0].what


@pytest.mark.parametrize(
    ("url", "secret", "severity", "words"),
    [
        ("not an address", None, "broken", "is no http(s) URL"),
        ("http://worker.invalid/", None, "broken", "is not https"),
        (None, "sb_secret_of_the_project", "broken", "is an API key of Supabase"),
        (None, "short", "warning", "fewer than 16 characters"),
        (None, " padded-with-a-blank-or-two ", "broken", "has blanks around it"),
    ],
)
def test_what_vault_holds_is_judged_by_its_looks_and_never_shown(
    patient: Patient, url: str | None, secret: str | None, severity: str, words: str
) -> None:
    with calling(patient, url or patient.function.url, secret) as found:
        (looks,) = [finding for finding in found if finding.check == "Vault secrets"]
        assert {group for group, _, _ in symptoms(found)} == {"worker"}
        assert (looks.severity, words in looks.what) == (severity, True)
        assert secret is None or secret not in str(found)


def test_a_transaction_that_somebody_holds_open_is_named_with_what_ends_it(patient: Patient) -> None:
    with psycopg.connect(patient.project.supabase.database_url, application_name="forgotten") as holder:
        holder.execute("select txid_current()")
        found = patient.settled(lambda found: "forgotten" in str(found), snapshot_seconds=0)
        mine = [finding for finding in found if "forgotten" in finding.what]
        assert symptoms(mine) == [("queue", "snapshots", "warning")]
        patient.project.database.execute(mine[0].remedy.encode())
        with pytest.raises(psycopg.OperationalError):
            holder.execute("select 1")
