"""The README's SQL does what the README says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.database.queue import Queue
from tests.database.storage import upload

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)


def test_a_handler_of_your_own_starts_with_every_upload(queue: Queue) -> None:
    (route, *_) = [block for block in BLOCKS if "ingest_routes" in block]
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

    assert len(statements) == 3
    assert queue.call("queue_health")["paused_reason"] == "maintenance"
