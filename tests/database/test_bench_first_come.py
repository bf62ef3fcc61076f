"""The plain claim that scripts/bench compares ours with has to be a fast one."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from scripts.bench import first_come
from scripts.local_supabase.errors import LocalSupabaseError

FILL = """
insert into public.jobs (org_id, type, payload, max_attempts, idempotency_key)
select 'org-' || n % 100, 'no_op', '{}', 5, n::text from generate_series(1, 3000) n
"""
VALUES = {"type": "no_op", "batch": 100}


@pytest.fixture
def filled(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    connection.execute(FILL)
    connection.execute("analyze public.jobs")
    connection.execute(first_come.PLANNER)
    return connection


def test_the_plain_claim_reads_its_jobs_in_the_order_of_an_index(filled: psycopg.Connection[Any]) -> None:
    assert "jobs_ready_by_place" in first_come.require_order_from_an_index(filled, VALUES)


def test_without_such_an_index_nothing_is_compared(filled: psycopg.Connection[Any]) -> None:
    filled.execute("drop index public.jobs_ready_by_place")
    with pytest.raises(LocalSupabaseError, match="a comparison with it says nothing"):
        first_come.require_order_from_an_index(filled, VALUES)
