"""Recurring jobs while several call enqueue_cron_tasks: each due time is enqueued once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from scripts.local_supabase.postgres import Cluster
from tests.database.cron_tasks import (
    THIS_MONTH,
    counts,
    enqueue_due,
    jobs,
    make_due,
    recur,
)
from tests.database.queue import Queue, at_once


@pytest.fixture
def callers(cluster: Cluster, database_name: str) -> Iterator[list[Queue]]:
    """Eight connections, each with its own transactions."""
    with ExitStack() as stack:
        yield [
            Queue(
                stack.enter_context(
                    psycopg.connect(cluster.socket_dsn("postgres"), dbname=database_name, autocommit=True)
                )
            )
            for _ in range(8)
        ]


@pytest.mark.parametrize("count", [2, 8])
def test_however_many_call_at_once_each_due_time_is_enqueued_once(
    queue: Queue, callers: list[Queue], count: int
) -> None:
    for number in range(12):
        recur(queue, f"report-{number}", overlap=True, missed_runs=("once", "all")[number % 2])
    for round_number in range(1, 9):
        make_due(queue, f"{THIS_MONTH} + interval '{round_number} seconds'")

        answers = at_once(callers[:count], enqueue_due)

        assert sum(answer["enqueued"] for answer in answers) == 12
        assert [counts(answer)[1:] for answer in answers] == [(0, 0)] * count
    assert queue.rows(
        "select count(*) as jobs, count(distinct (idempotency_key, run_at)) as times from public.jobs"
    ) == [{"jobs": 96, "times": 96}]


def test_a_call_does_not_wait_for_another_and_leaves_it_its_rows(queue: Queue, other_worker: Queue) -> None:
    recur(queue)
    make_due(queue)
    other_worker.rows("set statement_timeout = '5s'")
    with queue.connection.transaction():
        assert counts(enqueue_due(queue)) == (1, 0, 0)
        assert counts(enqueue_due(other_worker)) == (0, 0, 0)

    assert counts(enqueue_due(other_worker)) == (0, 0, 0)
    assert len(jobs(queue)) == 1


def test_what_a_call_enqueued_before_it_was_undone_is_due_again(queue: Queue, other_worker: Queue) -> None:
    recur(queue)
    make_due(queue)
    with queue.connection.transaction(force_rollback=True):
        assert counts(enqueue_due(queue)) == (1, 0, 0)

    assert counts(enqueue_due(other_worker)) == (1, 0, 0)
