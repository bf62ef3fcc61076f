"""Backfill: whatever a file has had is not enqueued again, nor by two calls at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.database.backfilling import (
    ANALYSIS,
    CARDS,
    SUMMARY,
    THUMBNAIL,
    backfill,
    finish_all,
    jobs_of,
    prune,
    set_flow,
)
from tests.database.queue import Queue, Row, at_once, result_of
from tests.database.storage import upload

pytestmark = pytest.mark.usefixtures("without_outputs")


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_a_step_that_was_had_is_not_done_again_whatever_became_of_it(queue: Queue, outcome: str) -> None:
    upload(queue.connection, "acme/a.txt")
    finish_all(queue, outcome)

    assert backfill(queue) == {"checked": 1, "finished": True}
    assert len(jobs_of(queue, "acme/a.txt")) == 3


def test_a_step_whose_job_was_removed_when_its_time_was_over_counts_as_had(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    finish_all(queue, "done")
    prune(queue, "create_thumbnail")

    assert backfill(queue) == {"checked": 1, "finished": True}
    assert "create_thumbnail" not in jobs_of(queue, "acme/a.txt")


def test_a_job_that_was_only_emptied_counts_as_had_too(queue: Queue) -> None:
    set_flow(queue, {"type": "create_thumbnail", "payload": {"pixels": 64}, "unique_for": "ever"}, ANALYSIS)
    upload(queue.connection, "acme/a.txt")
    finish_all(queue)
    prune(queue, "create_thumbnail", "analyze_file")
    assert queue.rows("select payload from public.jobs") == [{"payload": {}}]

    assert backfill(queue) == {"checked": 1, "finished": True}


@pytest.mark.parametrize("loss", ["removed", "failed"])
def test_a_parent_whose_result_is_not_to_be_had_is_enqueued_again_and_nothing_else(
    queue: Queue, loss: str
) -> None:
    upload(queue.connection, "acme/a.txt")
    finish_all(queue, "failed" if loss == "failed" else "done")
    if loss == "removed":
        prune(queue, "analyze_file")
    before = len(jobs_of(queue, "acme/a.txt"))
    set_flow(queue, ANALYSIS, THUMBNAIL, CARDS, SUMMARY)
    backfill(queue)

    assert jobs_of(queue, "acme/a.txt")[before:] == ["analyze_file", "write_summary"]
    queue.resolve_one(queue.claim_one(), output={"title": "Rivers"})
    assert queue.claim_one()["parents"] == {"analyze_file": {"title": "Rivers"}}
    assert backfill(queue) == {"checked": 1, "finished": True}


def test_steps_of_one_type_are_told_apart_by_their_own_payload(queue: Queue) -> None:
    small, large = ({"type": "create_thumbnail", "payload": {"pixels": pixels}} for pixels in (256, 1024))
    set_flow(queue, small)
    upload(queue.connection, "acme/a.txt")
    set_flow(queue, small, large)

    assert backfill(queue) == {"checked": 1, "enqueued": 1, "finished": True}
    found = queue.rows("select payload -> 'pixels' as pixels from public.jobs order by id")
    assert [row["pixels"] for row in found] == [256, 1024]


def test_calls_at_once_enqueue_nothing_twice(queue: Queue, workers: list[Queue]) -> None:
    for n in range(30):
        upload(queue.connection, f"acme/{n}.txt")
    set_flow(queue, ANALYSIS, THUMBNAIL, CARDS, SUMMARY)

    answers = at_once(workers, lambda worker: backfill(worker, up_to=100))

    assert sum(answer.get("enqueued", 0) for answer in answers) == 30
    counts = queue.rows("select type, count(*) from public.jobs group by type")
    assert {row["count"] for row in counts} == {30}


def test_a_backfill_that_meets_workers_and_uploads_ends_in_one_job_for_each_step(
    queue: Queue, workers: list[Queue]
) -> None:
    for n in range(6):
        paths = [f"acme/{n}/{i}.txt" for i in range(8)]
        for path in paths:
            upload(queue.connection, path)
        claimed = workers[2].claim(100)
        set_flow(queue, ANALYSIS, THUMBNAIL, CARDS, {"type": f"step_{n}", "after": ["analysis"]})

        def meet(who: Queue, paths: list[str] = paths, claimed: list[Row] = claimed) -> Any:
            if who is workers[0]:
                while not backfill(who, up_to=3).get("finished"):
                    pass
                return None
            if who is workers[1]:
                return [upload(who.connection, path) for path in reversed(paths[4:])]
            return who.resolve(*(result_of(job) for job in reversed(claimed)))

        at_once(workers[:3], meet)
        backfill(queue)
        finish_all(queue)

        assert queue.call("queue_health")["ingest_failures"] == []
        steps = queue.rows(
            """
            select f.path, count(*) filter (where j.status = 'done') as done, count(*) as jobs
            from public.jobs j join public.ingested_files f on f.id = j.file_id and f.superseded_at is null
            where j.type = %s and f.path like %s group by f.path
            """,
            f"step_{n}",
            f"acme/{n}/%",
        )
        assert [(row["done"], row["jobs"]) for row in steps] == [(1, 1)] * 8
