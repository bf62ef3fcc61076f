"""Jobs enqueued per second through PostgREST, one client, in batches of several sizes."""

from __future__ import annotations

import statistics
import time
from functools import partial

from scripts.bench.queue_client import JOB_TYPE, RestClient
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row
from scripts.bench.stand import Stand

NAME = "enqueue"
BATCHES = (1, 100, 2000)
SHARE_OF_JOBS = {1: 0.02, 100: 0.5, 2000: 1.0}


def enqueue(stand: Stand) -> list[Row]:
    """Every job is new work: its idempotency key is the hash of a payload that no other has."""
    contestants = {str(batch): partial(enqueued_per_second, stand, batch) for batch in BATCHES}
    figures = take_turns(contestants, stand.sizes.repetitions, stand.progress)
    return [
        Row(NAME, f"batches of {batch:,}", statistics.median(figures[str(batch)]), "jobs/s")
        for batch in BATCHES
    ]


def enqueued_per_second(stand: Stand, batch: int) -> float:
    stand.empty()
    stand.settle()
    client = RestClient(stand.rest_url, stand.keys.service_role_key)
    client.call("queue_health", {})
    batches = max(1, int(stand.sizes.jobs * SHARE_OF_JOBS[batch] / batch))
    began = time.perf_counter()
    for number in range(batches):
        jobs = [
            {"org_id": "org-0", "type": JOB_TYPE, "payload": {"n": number * batch + place}}
            for place in range(batch)
        ]
        answers = client.call("enqueue_jobs", {"jobs": jobs})
        assert all(answer["created"] for answer in answers)
    took = time.perf_counter() - began
    client.connection.close()
    return batches * batch / took
