"""What fairness costs, and what it gives: against first come first served, and a small organisation's wait."""

from __future__ import annotations

import time
import uuid
from typing import Any

import psycopg

from scripts.bench import first_come
from scripts.bench.queue_client import JOB_TYPE
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row, at_least, at_most, median_ratio, percentile
from scripts.bench.stand import ORGANISATIONS, Stand

NAME = "fair"
BATCH = 100
CLAIMS_A_TURN = 20
SPEED_BAR = 0.6
WAIT_BAR = 2
BIG_BACKLOG = 10_000
SMALL_BACKLOG = 10
NEXT_STEP = "look at the plan of candidates_in_turn: it should read a bounded number of index entries"

FAIR = "select public.claim_jobs(worker_id => %(worker_id)s, batch_size => %(batch)s)::text"
# The same work for each job (lease, attempt, answer as JSON), but simply the oldest ones.
FIRST_COME = f"""
with claimed as (
  update public.jobs j set
    status = 'processing', worker_id = %(worker_id)s, lease_token = gen_random_uuid(),
    lease_expires_at = now() + interval '120 seconds', attempts = j.attempts + 1, progress = null,
    started_at = now(), updated_at = now()
  where j.id = any (array({first_come.IDS}))
  returning j.*
)
select jsonb_agg(jsonb_build_object(
  'job_id', c.id, 'org_id', c.org_id, 'type', c.type, 'payload', c.payload, 'attempts', c.attempts,
  'max_attempts', c.max_attempts, 'lease_token', c.lease_token, 'lease_expires_at', c.lease_expires_at,
  'timeout_seconds', null, 'alone', c.turn = 'alone', 'parents', '{{}}'::jsonb) order by c.place, c.id)::text
from claimed c
"""
TAKE_BACK = """
update public.jobs set status = 'queued', worker_id = null, lease_token = null, lease_expires_at = null, attempts = 0
where status = 'processing'
"""


def fair(stand: Stand) -> list[Row]:
    """Claims alone, committed, at a hundred a batch, one organisation of a thousand owning 90 % of the backlog."""
    return [*speed(stand), waiting(stand)]


def speed(stand: Stand) -> list[Row]:
    stand.empty()
    stand.progress.tell(f"{stand.sizes.fair_jobs:,} jobs of {ORGANISATIONS:,} organisations")
    stand.fill(stand.sizes.fair_jobs, organisations=ORGANISATIONS, of_ten=9)
    contestants = {
        "fair": lambda: claimed_per_second(stand, FAIR),
        "first come first served": lambda: claimed_per_second(stand, FIRST_COME),
    }
    figures = take_turns(contestants, stand.sizes.repetitions, stand.progress)
    ratio = median_ratio(figures["fair"], figures["first come first served"])
    rows = [
        Row(NAME, f"{name}, claims of {BATCH}", percentile(of, 0.5), "jobs/s") for name, of in figures.items()
    ]
    return [*rows, Row(NAME, "fair / first come first served", ratio, "x", at_least(SPEED_BAR), NEXT_STEP)]


def claimed_per_second(stand: Stand, statement: str) -> float:
    values = {"worker_id": uuid.uuid4(), "batch": BATCH, "type": JOB_TYPE}
    claims = min(CLAIMS_A_TURN, stand.sizes.fair_jobs // BATCH // 2)
    with stand.connect() as connection:
        connection.execute(first_come.PLANNER)
        first_come.require_order_from_an_index(connection, values)
        began = time.perf_counter()
        for _ in range(claims):
            connection.execute(statement.encode(), values).fetchone()
        took = time.perf_counter() - began
        claimed = connection.execute(TAKE_BACK).rowcount
    stand.settle()
    return claimed / took


def waiting(stand: Stand) -> Row:
    """The worst of several tries: the fair claim starts at a random organisation."""
    tries = max(2, stand.sizes.repetitions * 2)
    worst = 0
    for number in range(tries):
        stand.progress.tell(f"{SMALL_BACKLOG} jobs behind {BIG_BACKLOG:,}: try {number + 1} of {tries}")
        worst = max(worst, batches_until_claimed(stand))
    what = f"batches of {BATCH} until {SMALL_BACKLOG} jobs behind another's {BIG_BACKLOG:,} are claimed"
    return Row(NAME, what, worst, "batches", at_most(WAIT_BAR), NEXT_STEP)


def batches_until_claimed(stand: Stand) -> int:
    stand.empty()
    stand.fill(BIG_BACKLOG)
    with stand.connect() as connection:
        for number in range(SMALL_BACKLOG):
            connection.execute(
                "select public.enqueue_job('small', %s, jsonb_build_object('n', %s::int))", (JOB_TYPE, number)
            )
        batches = 0
        while small_jobs_queued(connection):
            connection.execute(FAIR.encode(), {"worker_id": uuid.uuid4(), "batch": BATCH})
            batches += 1
    return batches


def small_jobs_queued(connection: psycopg.Connection[Any]) -> bool:
    query = "select from public.jobs where org_id = 'small' and status = 'queued' limit 1"
    return connection.execute(query).fetchone() is not None
