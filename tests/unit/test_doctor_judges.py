"""Doctor's verdicts on what no test can break for real: a paused project, a wrong clock, a full disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from functions.doctor.answers import WorkerAnswer
from functions.doctor.examine import examine
from functions.doctor.facts import Facts, Secret
from functions.doctor.look import Seen, WorkerSeen
from functions.settings import load_settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
REF = "abcdefghijklmnopqrst"
HOSTED = f"https://{REF}.supabase.co"
DATABASE = {
    "name": "postgres",
    "version": "17.4",
    "replica": False,
    "read_only": False,
    "bytes": 10**9,
    "connections": 10,
    "max_connections": 60,
}
SCHEDULER = {"processes": 1, "visible": True, "runs_in": "postgres", "details_bytes": 10_000}
TICK = {
    "jobid": 1,
    "name": "process-flashcard-jobs",
    "schedule": "* * * * *",
    "active": True,
    "database": "postgres",
    "username": "postgres",
    "kind": "tick",
    "command": "select public.invoke_cron_tick()",
    "shows_secret": False,
    "runs": [],
    "overdue_seconds": None,
}
SETTINGS = {
    "processing_enabled": True,
    "paused_reason": None,
    "paused_seconds": None,
    "lease_seconds": 120,
    "http_timeout_ms": 55_000,
}


def seen(key: str = "sb_secret_x", url: str = HOSTED, **facts: Any) -> Seen:
    settings = load_settings({"SUPABASE_URL": url, "SUPABASE_SECRET_KEY": key, "K_SERVICE": "test"})
    known = Facts.model_validate({"now": NOW} | facts)
    return Seen(settings, url, key, facts=known, asked_at=NOW, seconds=0.1)


def judged(seen: Seen, check: str) -> list[tuple[str, str]]:
    """Severity and words of one check."""
    return [(f.severity, f.what) for f in examine(seen) if f.check == check]


def only(found: list[tuple[str, str]], severity: str, words: str) -> None:
    ((was, what),) = found
    assert (was, words in what) == (severity, True), what


def legacy_key(**claims: Any) -> str:
    return jwt.encode({"iss": "supabase", "role": "service_role"} | claims, "x" * 32, algorithm="HS256")


@pytest.mark.parametrize(
    ("key", "severity", "words"),
    [
        ("sb_secret_x", "ok", "a secret key"),
        (legacy_key(ref=REF), "note", "Supabase ends them in 2026"),
        (legacy_key(ref="another"), "broken", f"belongs to the project another, SUPABASE_URL to {REF}"),
        (legacy_key(exp=int(NOW.timestamp()) - 1), "broken", "has expired"),
        (legacy_key(exp=int(NOW.timestamp()) + 1), "note", "legacy"),
        (legacy_key(role="authenticated"), "broken", "one of the role authenticated"),
        ("geheim", "warning", "the form of no key"),
    ],
)
def test_the_key_is_judged_by_its_kind(key: str, severity: str, words: str) -> None:
    only(judged(seen(key), "secret key"), severity, words)


@pytest.mark.parametrize(
    "key", ["sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz", legacy_key(iss="supabase-demo")]
)
def test_the_keys_of_every_local_stack_open_no_hosted_project(key: str) -> None:
    only(judged(seen(key), "local keys"), "broken", "known to everybody")
    assert judged(seen(key, "http://127.0.0.1:54321"), "local keys") == []


@pytest.mark.parametrize(
    ("url", "severity", "words"),
    [
        (HOSTED, "ok", HOSTED),
        (f"https://db.{REF}.supabase.co", "broken", "is not the API of a project"),
        ("https://aws-0-eu-central-1.pooler.supabase.com", "broken", "is not the API"),
        ("http://supabase.example.com", "warning", "clear text"),
        ("http://127.0.0.1:54321", "ok", "on this machine"),
    ],
)
def test_the_url_is_judged_by_its_host(url: str, severity: str, words: str) -> None:
    only(judged(seen(url=url), "project URL"), severity, words)


def test_the_projects_key_is_no_tick_secret_and_neither_is_a_short_one() -> None:
    for secret, severity, words in (
        ("sb_secret_x", "broken", "could do everything"),
        ("x", "warning", "fewer"),
    ):
        environment = {"SUPABASE_URL": HOSTED, "SUPABASE_SECRET_KEY": "sb_secret_x", "CRON_SECRET": secret}
        settings = load_settings(environment | {"K_SERVICE": "test"})
        only(judged(Seen(settings, HOSTED, "sb_secret_x"), "tick secrets"), severity, words)


@pytest.mark.parametrize(
    ("facts", "check", "severity", "words"),
    [
        ({"database": DATABASE | {"replica": True}}, "state", "broken", "read replica"),
        ({"database": DATABASE | {"read_only": True}}, "state", "broken", "read-only"),
        ({"database": DATABASE | {"version": "14.9"}}, "state", "broken", "14.9 is too old"),
        ({"database": DATABASE}, "state", "ok", "PostgreSQL 17.4, 1,000 MB"),
        ({"now": NOW + timedelta(minutes=2)}, "clock", "warning", "120 s ahead of this machine's"),
        ({"now": NOW - timedelta(minutes=2)}, "clock", "warning", "120 s behind this machine's"),
        (
            {"caller": {"role": "service_role", "statement_timeout_ms": 0}},
            "statement timeout",
            "note",
            "end never",
        ),
        (
            {"caller": {"role": "anon", "statement_timeout_ms": 8000}},
            "role of the key",
            "broken",
            "acts as anon",
        ),
        ({"extensions": []}, "extensions", "broken", ""),
        ({"settings": SETTINGS | {"processing_enabled": False}}, "switch", "warning", "no reason given"),
        (
            {"bloat": [{"table": "jobs", "live": 100, "dead": 50_000, "bytes": 1}]},
            "dead rows",
            "warning",
            "50,000",
        ),
        (
            {"scheduler": SCHEDULER | {"details_bytes": 3 * 10**9}},
            "log of the runs",
            "warning",
            "has grown to 3.0 GB",
        ),
        ({"scheduler": SCHEDULER | {"processes": 0}}, "scheduler", "broken", "is not running"),
        (
            {"scheduler": SCHEDULER | {"processes": 0, "visible": False}},
            "scheduler",
            "note",
            "not for this role",
        ),
        (
            {"scheduler": SCHEDULER | {"runs_in": "cron"}},
            "scheduler",
            "broken",
            "in the database cron, not in postgres",
        ),
        (
            {"settings": SETTINGS | {"http_timeout_ms": 70_000}, "schedules": [TICK]},
            "pace",
            "warning",
            "pile up",
        ),
        (
            {"schedules": [TICK, TICK | {"name": "staging", "active": False}]},
            "ticks",
            "warning",
            "staging is switched off",
        ),
        ({"routes": [{"name": 7}]}, "routes", "note", "unknown: it is told in another version's words: "),
        ({"secrets": {"unknown": "no such view"}}, "Vault secrets", "broken", "cannot be read"),
        (
            {"schedules": {"unknown": "permission denied for table job"}},
            "ticks",
            "note",
            "unknown: permission denied",
        ),
        ({}, "triggers", "note", "unknown: this database does not tell it"),
    ],
)
def test_facts_are_judged_and_what_may_not_be_seen_is_a_note(
    facts: dict[str, Any], check: str, severity: str, words: str
) -> None:
    found = judged(seen(**{"database": DATABASE} | facts), check)
    assert {was for was, _ in found} - {"ok"} == {severity} - {"ok"}
    assert any((was, words in what) == (severity, True) for was, what in found), found


def test_a_crowded_database_is_a_warning_beside_its_state() -> None:
    found = judged(seen(database=DATABASE | {"connections": 59}), "state")
    assert found[1] == ("warning", "59 of 60 connections are in use")


def secret(name: str) -> Secret:
    return Secret(
        name=name, present=True, length=40, padded=False, scheme="https", host="worker.test", is_api_key=False
    )


def answered(**changed: Any) -> WorkerAnswer:
    right = {
        "ok": True,
        "status": 200,
        "seconds": 0.2,
        "error": None,
        "host": "worker.test",
        "answer": None,
        "at": NOW,
    }
    return WorkerAnswer.model_validate(right | changed)


@pytest.mark.parametrize(
    ("answers", "severity", "words"),
    [
        ([answered()], "ok", "answers the database in 0.20 s"),
        ([answered(seconds=4.5)], "note", "took 4.5 s to answer"),
        (
            [answered(ok=False, status=None, error="Timeout was reached", seconds=6.0), answered()],
            "note",
            "at the second try only, after 6.0 s",
        ),
        (
            [answered(ok=False, status=None, error="Could not resolve host")] * 2,
            "broken",
            "Could not resolve host",
        ),
    ],
)
def test_a_cold_start_is_told_from_a_worker_that_is_not_there(
    answers: list[WorkerAnswer], severity: str, words: str
) -> None:
    named = secret("job_queue_worker_endpoint")
    pair = {"endpoint": named.model_dump(), "secret": named.model_dump()}
    before = seen(secrets={"workers": [pair], "alert_webhook": named.model_dump()})
    worker = WorkerSeen(named, named, tuple(answers))
    found = Seen(before.settings, before.url, before.key, facts=before.facts, workers=(worker,))
    only(judged(found, "answer"), severity, words)
