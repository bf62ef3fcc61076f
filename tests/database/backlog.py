"""Backlogs of several organisations, and workers that are killed, for the tests about claims."""

from __future__ import annotations

from collections import Counter

from tests.database.queue import Queue, Row

BACKLOG = """
insert into public.jobs (org_id, type, max_attempts, idempotency_key, run_at)
select o.name, %s, 5, n::text, now() - interval '1 hour' + n * interval '1 ms'
from unnest(%s::text[]) o (name) cross join generate_series(1, %s) n
"""


def fill(queue: Queue, jobs: int, *names: str, job_type: str = "count_words") -> None:
    """So many ready jobs for each of these organisations, older than what a test enqueues."""
    queue.rows(BACKLOG, job_type, list(names), jobs)


def numbered(organisations: int) -> list[str]:
    return [f"org-{n}" for n in range(organisations)]


def organisations(jobs: list[Row]) -> Counter[str]:
    return Counter(job["org_id"] for job in jobs)


def crash(queue: Queue, jobs: list[Row]) -> None:
    """The worker of these jobs was killed: their leases run out and are taken back."""
    for job in jobs:
        queue.expire_lease(job["job_id"])
