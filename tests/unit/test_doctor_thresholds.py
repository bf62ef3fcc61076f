"""Where doctor's warnings begin: small numbers and slow answers are no trouble, and what is not known is not judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.doctor.examine import examine
from functions.doctor.look import Seen, WorkerSeen
from tests.unit.test_doctor_judges import NOW, SETTINGS, TICK, answered, judged, secret, seen

ROUTE = {
    "name": "uploads",
    "bucket": "ingest",
    "active": True,
    "path_pattern": "%",
    "mime_pattern": "%",
    "types": ["analyze_file", "create_cards"],
}
BUCKET = {"id": "ingest", "public": False, "file_size_limit": None, "allowed_mime_types": None}
PING: dict[str, Any] = {
    "version": "0",
    "time": NOW,
    "budget_seconds": 45,
    "lease_seconds": 120,
    "job_types": ["analyze_file"],
    "backend": "table",
}


def queue(done: int = 0, failed: int = 0) -> dict[str, Any]:
    return {
        "due": [],
        "expired": {"jobs": 0, "oldest_seconds": None},
        "ended": {"done": done, "failed": failed},
        "failed_types": ["create_cards"],
        "ingest_failures": {"uploads": 0, "error": None},
    }


def with_workers(*pings: dict[str, Any] | None, **facts: Any) -> Seen:
    """Workers that answered so, or not at all."""
    named = secret("job_queue_worker_endpoint")
    pair = {"endpoint": named.model_dump(), "secret": named.model_dump()}
    secrets = {"workers": [pair] * len(pings), "alert_webhook": named.model_dump()}
    known = seen(secrets=secrets, settings=SETTINGS, recurring_types=[], queue=queue(), **facts)
    workers = (WorkerSeen(named, named, (answered(answer=ping),) if ping else ()) for ping in pings)
    return replace(known, workers=tuple(workers))


@pytest.mark.parametrize(
    ("done", "failed", "severity"), [(1, 1, "note"), (18, 2, "note"), (17, 3, "warning"), (50, 0, "ok")]
)
def test_a_share_of_failures_says_something_from_twenty_jobs_on(
    done: int, failed: int, severity: str
) -> None:
    ((was, _),) = judged(seen(queue=queue(done, failed)), "failures")
    assert was == severity


@pytest.mark.parametrize(
    ("live", "dead", "found"), [(10, 9_000, []), (50_000, 20_000, []), (50, 20_000, ["warning"])]
)
def test_few_dead_rows_and_a_small_share_of_them_are_vacuums_daily_work(
    live: int, dead: int, found: list[str]
) -> None:
    bloat = [{"table": "jobs", "live": live, "dead": dead, "bytes": 1}]
    assert [was for was, _ in judged(seen(bloat=bloat), "dead rows")] == found


def test_a_slow_answer_is_not_taken_for_a_wrong_clock() -> None:
    late = seen(now=NOW + timedelta(seconds=35))
    assert judged(late, "clock")[0][0] == "warning"
    assert judged(replace(late, seconds=10.0), "clock")[0][0] == "ok"


def test_a_job_type_is_missed_only_where_every_worker_has_said_what_it_runs() -> None:
    missed = [("broken", "no worker has a handler for create_cards, which the route uploads starts")]
    assert judged(with_workers(PING, routes=[ROUTE]), "job types") == missed
    assert judged(with_workers(PING, None, routes=[ROUTE]), "job types") == []
    other = PING | {"job_types": ["create_cards"]}
    assert judged(with_workers(PING, other, routes=[ROUTE]), "job types") == [("ok", "2 job types")]


@pytest.mark.parametrize(
    ("budget", "lease", "severity"),
    [(45, 120, "ok"), (54, 56, "ok"), (55, 120, "broken"), (45, 55, "warning")],
)
def test_a_tick_ends_before_the_call_and_the_call_before_the_lease(
    budget: int, lease: int, severity: str
) -> None:
    found = with_workers(PING | {"budget_seconds": budget, "lease_seconds": lease})
    assert [was for was, _ in judged(found, "time limits")] == [severity]


@pytest.mark.parametrize(("megabytes", "found"), [(None, []), (512, []), (513, ["note"])])
def test_a_bucket_may_take_what_the_worker_takes(megabytes: int | None, found: list[str]) -> None:
    limit = megabytes and megabytes * 1024**2
    there = seen(routes=[ROUTE], buckets=[BUCKET | {"file_size_limit": limit}])
    assert [was for was, _ in judged(there, "size limits")] == found


@pytest.mark.parametrize(
    ("allowed", "is_fine"),
    [(None, True), (["image/*"], True), (["*/*"], True), (["image/webp"], True), (["image/png"], False)],
)
def test_the_bucket_of_thumbnails_has_to_take_webp(allowed: list[str] | None, is_fine: bool) -> None:
    pictures = BUCKET | {"id": "thumbnails", "allowed_mime_types": allowed}
    found = judged(seen(routes=[ROUTE], buckets=[BUCKET, pictures]), "buckets")
    assert (("broken" not in {was for was, _ in found}), len(found) == 1) == (is_fine, is_fine)


@pytest.mark.parametrize(
    ("statuses", "severity"),
    [
        (["succeeded", "failed"], "ok"),
        (["running", "succeeded"], "ok"),
        (["failed", "succeeded"], "warning"),
        (["failed", "failed", "succeeded"], "warning"),
        (["failed", "failed", "failed", "succeeded"], "broken"),
        (["failed"], "broken"),
    ],
)
def test_a_tick_that_failed_once_is_a_warning_and_one_that_keeps_failing_is_broken(
    statuses: list[str], severity: str
) -> None:
    runs = [{"status": status, "message": "ERROR: no", "seconds_ago": 9} for status in statuses]
    assert [was for was, _ in judged(seen(schedules=[TICK | {"runs": runs}]), "runs")] == [severity]


@pytest.mark.parametrize(
    ("look", "severity"),
    [({"length": 15}, "warning"), ({"length": 16}, "ok"), ({"padded": True}, "broken")],
)
def test_a_secret_of_vault_is_judged_by_its_looks(look: dict[str, Any], severity: str) -> None:
    named = secret("job_queue_runner_secret")
    there = with_workers(PING)
    (worker,) = there.workers
    there = replace(there, workers=(replace(worker, secret=named.model_copy(update=look)),))
    assert [was for was, _ in judged(there, "Vault secrets")] == [severity]


def test_members_may_call_what_is_meant_for_them_and_nothing_else() -> None:
    granted = {"anon": False, "authenticated": True, "service_role": True}
    functions = [{"name": name} | granted for name in ("edit_card", "claim_jobs")]
    ((was, what),) = judged(seen(functions=functions), "what browsers may")
    assert (was, what) == ("broken", "anybody with the publishable key may call claim_jobs")


def test_a_name_from_elsewhere_stays_a_text_in_the_remedy_that_is_pasted() -> None:
    route = ROUTE | {"bucket": "o'neil"}
    found = examine(seen(routes=[route], buckets=[]), "storage")
    (remedy,) = (finding.remedy for finding in found if "o'neil does not exist" in finding.what)
    assert "values ('o''neil', 'o''neil', false)" in remedy
