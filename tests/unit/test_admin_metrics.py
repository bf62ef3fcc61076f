"""What Prometheus gets to read, by its own parser."""

from __future__ import annotations

from typing import Any

import respx
from prometheus_client.parser import text_string_to_metric_families

from functions.admin.metrics import MAX_TYPES
from tests.unit.admin_calls import HEALTH, TYPE_ROW, Api, overview


def scrape(api: Api, rest: respx.MockRouter, **changes: Any) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    rest.post("/rest/v1/rpc/queue_overview").respond(json=overview(**changes))
    response = api.get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_a_scrape_tells_the_state_of_the_queue(api: Api, rest: respx.MockRouter) -> None:
    found = scrape(api, rest, problems=[{"condition": "failed", "text": "2 job(s) failed"}])
    expected = {
        ("crontick_jobs", "queued"): 3,
        ("crontick_jobs", "cancelled"): 0,
        ("crontick_jobs_by_type", "failed", "create_cards"): 2,
        ("crontick_due_jobs",): 2,
        ("crontick_oldest_due_seconds",): 40,
        ("crontick_expired_leases",): 1,
        ("crontick_dead_rows",): 12,
        ("crontick_processing_enabled",): 1,
        ("crontick_schedule_last_run_timestamp_seconds", "crontick"): 1795348800,
        ("crontick_schedule_healthy", "crontick"): 1,
        ("crontick_schedule_healthy", "crontick-2"): 0,
        ("crontick_schedule_healthy", "crontick-prune"): 0,
        ("crontick_problems", "failed"): 1,
        ("crontick_problems", "schedule"): 0,
        ("crontick_attempts_last_hour", "done"): 8,
        ("crontick_attempts_last_hour", "retried"): 4,
    }
    assert {name: found.get(name) for name in expected} == expected
    assert ("crontick_schedule_last_run_timestamp_seconds", "crontick-prune") not in found


def test_a_pause_and_an_idle_queue_are_numbers_too(api: Api, rest: respx.MockRouter) -> None:
    health = HEALTH | {"processing_enabled": False, "oldest_due_seconds": None}
    found = scrape(api, rest, health=health, by_type=[])
    assert found["crontick_processing_enabled",] == 0
    assert found["crontick_oldest_due_seconds",] == 0


def test_types_beyond_a_hundred_make_no_more_series(api: Api, rest: respx.MockRouter) -> None:
    rows = [TYPE_ROW | {"type": f"type_{number}"} for number in range(MAX_TYPES + 50)]
    found = scrape(api, rest, by_type=rows)
    assert len([name for name in found if name[0] == "crontick_due_jobs_by_type"]) == MAX_TYPES


def test_text_from_jobs_cannot_break_out_of_a_label(api: Api, rest: respx.MockRouter) -> None:
    schedule = HEALTH["cron_schedules"][0] | {"jobname": 'odd"} 7\n# name'}
    found = scrape(api, rest, health=HEALTH | {"cron_schedules": [schedule]})
    assert found["crontick_schedule_healthy", 'odd"} 7\n# name'] == 1
