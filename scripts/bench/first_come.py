"""The plain claim that the queue is compared with: the oldest jobs first, in the one shape that stays fast.

A comparison is worth what its slower side is worth, so the plan is looked at before anything is measured: a change of
the indexes that makes this one sort the whole backlog would otherwise show as a triumph of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from scripts.local_supabase.errors import LocalSupabaseError

# The condition on the priority always holds: the index jobs_ready_by_place is for those who name it.
IDS = """
select q.id from public.jobs q
where q.status = 'queued' and q.turn = 'ready' and q.priority >= -1000 and q.type = %(type)s
order by q.place, q.id limit %(batch)s for update skip locked
"""
PLANNER = "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off"


def require_order_from_an_index(connection: psycopg.Connection[Any], values: Mapping[str, object]) -> str:
    """The plain claim's plan. Raises LocalSupabaseError when it would sort what is queued."""
    rows = connection.execute(f"explain {IDS}".encode(), values).fetchall()
    plan = "\n".join(row[0] for row in rows)
    if "Sort" in plan:
        raise LocalSupabaseError(
            f"The plain claim sorts the whole backlog, so a comparison with it says nothing:\n{plan}\n"
            "Next: fit scripts/bench/first_come.py to the indexes of public.jobs."
        )
    return plan
