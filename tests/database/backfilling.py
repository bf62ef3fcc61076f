"""Routes, their flows and backfills as the tests write them."""

from __future__ import annotations

import json
from typing import Any

from tests.database.queue import Queue, Row, result_of

ANALYSIS: Row = {"ref": "analysis", "type": "analyze_file"}
THUMBNAIL: Row = {"type": "create_thumbnail"}
CARDS: Row = {"type": "create_cards", "after": ["analysis"]}
SUMMARY: Row = {"type": "write_summary", "after": ["analysis"]}


def set_flow(queue: Queue, *steps: Row, route: str = "uploads") -> None:
    queue.rows("update public.ingest_routes set flow = %s where name = %s", json.dumps(steps), route)


def add_route(queue: Queue, name: str, *steps: Row, path_pattern: str = "%") -> None:
    queue.rows(
        "insert into public.ingest_routes (name, bucket_id, path_pattern, flow) values (%s, 'ingest', %s, %s)",
        name,
        path_pattern,
        json.dumps(steps),
    )


def backfill(queue: Queue, route: str = "uploads", **arguments: Any) -> Row:
    """What a call did, without what it did not."""
    answer: Row = queue.call("backfill_files", route=route, **arguments)
    return {name: value for name, value in answer.items() if value}


def finish_all(queue: Queue, outcome: str = "done") -> None:
    while jobs := queue.claim(100):
        queue.resolve(*(result_of(job, outcome, output={"by": job["type"]}) for job in jobs))


def prune(queue: Queue, *types: str) -> None:
    """Moves time past the end of all retention for the ended jobs of these types."""
    queue.rows(
        "update public.jobs set completed_at = now() - interval '1 year' where type = any (%s)", [*types]
    )
    assert queue.call("prune_jobs")["jobs"] > 0


def jobs_of(queue: Queue, path: str) -> list[str]:
    """The types of all jobs of the newest file at a path, oldest job first."""
    rows = queue.rows(
        "select j.type from public.jobs j join public.ingested_files f on f.id = j.file_id "
        "where f.id = (select max(id) from public.ingested_files where path = %s) order by j.id",
        path,
    )
    return [row["type"] for row in rows]
