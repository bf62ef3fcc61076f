"""When a schedule comes due, as the database says."""

from __future__ import annotations

from tests.database.queue import Queue


def next_times(queue: Queue, schedule: str, after: str, count: int, time_zone: str = "UTC") -> list[str]:
    """That many due times in a row, in UTC, as `2026-03-29 01:30`."""
    rows = queue.rows(
        """
        with recursive due (at, number) as (
          select %s::timestamptz, 0
          union all
          select public.next_cron_time(%s, due.at, %s), number + 1 from due where number < %s)
        select to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as at from due where number > 0 order by number
        """,
        after,
        schedule,
        time_zone,
        count,
    )
    return [row["at"] for row in rows]
