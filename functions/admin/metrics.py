"""The overview as Prometheus reads it: gauges, made anew for each scrape from what all readers share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MAX_TYPES = 100  # each type costs as many series as there are statuses
_BY_TYPE = ("waiting", "queued", "processing", "failed")
_OUTCOMES = ("done", "failed", "retried", "crashed")
_CONDITIONS = ("stuck", "expired_leases", "failed", "schedule", "cron_tasks", "ingest_failures")


def exposed(overview: dict[str, Any]) -> bytes:
    """The text of one scrape, from an overview of the last hour."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Overview(overview))
    return generate_latest(registry)


class _Overview(Collector):
    def __init__(self, overview: dict[str, Any]) -> None:
        self._overview = overview

    def collect(self) -> Iterable[Metric]:
        health = self._overview["health"]
        yield _gauge("crontick_jobs", "Jobs by status.", health["counts"].items(), "status")
        yield from _of_the_queue(health)
        yield from _of_schedules(health["cron_schedules"])
        yield from self._of_types()
        yield from self._of_the_last_hour()
        yield _gauge(
            "crontick_problems",
            "1 while find_problems() names this condition.",
            self._conditions(),
            "condition",
        )

    def _of_types(self) -> Iterator[Metric]:
        rows = self._overview["by_type"][:MAX_TYPES]
        counts = GaugeMetricFamily(
            "crontick_jobs_by_type",
            "Unfinished and failed jobs by type and status.",
            labels=("type", "status"),
        )
        due = GaugeMetricFamily(
            "crontick_due_jobs_by_type", "Jobs whose time has come, by type.", labels=["type"]
        )
        oldest = GaugeMetricFamily(
            "crontick_oldest_due_by_type_seconds", "For how long the oldest due job waits.", labels=["type"]
        )
        for row in rows:
            for status in _BY_TYPE:
                counts.add_metric([row["type"], status], row[status])
            due.add_metric([row["type"]], row["due"])
            oldest.add_metric([row["type"]], row["oldest_due_seconds"] or 0)
        yield from (counts, due, oldest)

    def _of_the_last_hour(self) -> Iterator[Metric]:
        buckets = self._overview["history"]["buckets"]
        sums = [(outcome, sum(bucket[outcome] for bucket in buckets)) for outcome in _OUTCOMES]
        yield _gauge("crontick_attempts_last_hour", "Attempts that ended in the last hour.", sums, "outcome")

    def _conditions(self) -> Iterator[tuple[str, int]]:
        found = [problem["condition"] for problem in self._overview["problems"]]
        for condition in dict.fromkeys((*_CONDITIONS, *found)):
            yield condition, int(condition in found)


def _of_the_queue(health: dict[str, Any]) -> Iterator[Metric]:
    facts = {
        "crontick_due_jobs": ("Jobs whose time has come.", health["due"]),
        "crontick_oldest_due_seconds": (
            "For how long the oldest due job waits.",
            health["oldest_due_seconds"] or 0,
        ),
        "crontick_expired_leases": ("Running jobs whose worker fell silent.", health["expired_leases"]),
        "crontick_failed_over_10_minutes": (
            "Dead letters that nobody brought back for 10 minutes.",
            health["failed_over_10_min"],
        ),
        "crontick_dead_rows": ("Rows of jobs that vacuum has yet to remove.", health["dead_rows"]),
        "crontick_processing_enabled": ("0 while processing is paused.", int(health["processing_enabled"])),
    }
    for name, (text, value) in facts.items():
        yield GaugeMetricFamily(name, text, value=value)


def _of_schedules(schedules: list[dict[str, Any]]) -> Iterator[Metric]:
    last = GaugeMetricFamily(
        "crontick_schedule_last_run_timestamp_seconds", "When pg_cron last ran a schedule.", labels=["job"]
    )
    healthy = GaugeMetricFamily(
        "crontick_schedule_healthy", "1 if a schedule is active and its last run succeeded.", labels=["job"]
    )
    for one in schedules:
        if one["last_start"]:
            last.add_metric([one["jobname"]], datetime.fromisoformat(one["last_start"]).timestamp())
        works = one["active"] and one["last_status"] in ("succeeded", "running", "starting")
        healthy.add_metric([one["jobname"]], int(works))
    yield from (last, healthy)


def _gauge(name: str, text: str, values: Iterable[tuple[str, float]], label: str) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values:
        gauge.add_metric([key], value)
    return gauge
