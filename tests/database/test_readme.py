"""The README's SQL does what the README says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.database.queue import Queue
from tests.database.storage import upload

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)


def test_a_handler_of_your_own_starts_with_every_upload(queue: Queue) -> None:
    (route, *_) = [block for block in BLOCKS if "update public.ingest_routes" in block]
    queue.connection.execute(route.encode())

    upload(queue.connection, "acme/notes.txt")

    jobs = queue.rows("select type, payload ->> 'path' as path from public.jobs where type = 'count_words'")
    assert jobs == [{"type": "count_words", "path": "acme/notes.txt"}]
    assert queue.rows("select org_id from public.jobs where type = 'send_digest'") == [{"org_id": "acme"}]


def test_the_operators_queries_run(queue: Queue) -> None:
    (operate,) = [block for block in BLOCKS if "queue_health" in block]
    statements = [line for line in operate.splitlines() if "cron." not in line and "retry_job" not in line]

    for statement in statements:
        queue.connection.execute(statement.encode())

    assert len(statements) == 7
    assert queue.call("queue_health")["paused_reason"] == "maintenance"


def test_the_queue_can_be_used_as_the_readme_shows(queue: Queue) -> None:
    (block,) = [block for block in BLOCKS if "on_conflict" in block]

    queue.connection.execute(block.encode())

    waiting = queue.rows(
        "select j.type, j.waiting_for from public.jobs j where j.status = 'waiting' order by j.id limit 2"
    )
    assert waiting == [{"type": "join_scenes", "waiting_for": 2}, {"type": "asset_prep", "waiting_for": 1}]
    assert queue.rows("select 1 from public.cron_tasks where next_run_at > now()")
    assert queue.rows("select type from public.jobs where turn = 'later'") == [{"type": "reindex"}]
