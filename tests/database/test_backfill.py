"""Backfill: files that are older than a route, or than a step of it, get the jobs that they lack and no others."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row, at_once, result_of
from tests.database.storage import upload
from tests.database.test_ingest import FLOW, statuses

ANALYSIS: Row = {"ref": "analysis", "type": "analyze_file"}
THUMBNAIL: Row = {"type": "create_thumbnail"}
CARDS: Row = {"type": "create_cards", "after": ["analysis"]}
SUMMARY: Row = {"type": "write_summary", "after": ["analysis"]}


@pytest.fixture
def queue(queue: Queue) -> Queue:
    """Without the functions that write outputs: these tests are about which jobs there are."""
    queue.rows("update public.job_types set apply_function = null where true")
    return queue


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


def test_a_new_route_is_for_the_files_that_were_there_before_it(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    upload(queue.connection, "globex/b.txt")
    add_route(queue, "summaries", {"type": "write_summary"}, path_pattern="acme/%")

    assert backfill(queue, "summaries") == {"checked": 2, "enqueued": 1, "finished": True}
    assert set(statuses(queue, "acme/a.txt")) == FLOW | {"write_summary"}
    assert set(statuses(queue, "globex/b.txt")) == FLOW
    assert backfill(queue, "summaries") == {"checked": 2, "finished": True}


def test_a_new_step_waits_for_the_job_that_its_parent_already_has(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    (analysis,) = queue.claim(types=["analyze_file"])
    set_flow(queue, ANALYSIS, THUMBNAIL, CARDS, SUMMARY)
    assert backfill(queue) == {"checked": 1, "enqueued": 1, "finished": True}
    assert statuses(queue, "acme/a.txt")["write_summary"] == "waiting"

    queue.resolve_one(analysis, output={"title": "Rivers"})
    (summary,) = queue.claim(types=["write_summary"])
    assert summary["parents"] == {"analyze_file": {"title": "Rivers"}}


def test_a_new_step_gets_the_output_of_a_parent_that_was_done_earlier(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    finish_all(queue)
    set_flow(queue, ANALYSIS, THUMBNAIL, CARDS, SUMMARY)
    backfill(queue)

    job = queue.claim_one()
    assert (job["type"], job["parents"]) == ("write_summary", {"analyze_file": {"by": "analyze_file"}})
    assert job["payload"]["path"] == "acme/a.txt"


def test_parents_of_one_type_keep_the_names_that_the_flow_gives_them(queue: Queue) -> None:
    halves = [{"ref": ref, "type": "read_half", "payload": {"half": ref}} for ref in ("left", "right")]
    set_flow(queue, *halves)
    upload(queue.connection, "acme/a.txt")
    finish_all(queue)
    set_flow(queue, *halves, {"type": "join_halves", "after": ["left", "right"]})
    backfill(queue)

    assert set(queue.claim_one()["parents"]) == {"left", "right"}


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


def test_backfilled_jobs_stand_behind_fresh_uploads(queue: Queue) -> None:
    upload(queue.connection, "acme/old.txt")
    finish_all(queue)
    add_route(queue, "summaries", {"type": "write_summary", "priority": 3}, path_pattern="acme/old%")
    backfill(queue, "summaries")
    queue.rows("update public.jobs set run_at = now() - interval '1 hour' where type = 'write_summary'")
    upload(queue.connection, "acme/fresh.txt")

    (job,) = queue.rows("select priority from public.jobs where type = 'write_summary'")
    assert job["priority"] == -997
    assert [one["type"] for one in queue.claim(2)] != ["write_summary"]
    assert queue.claim_one()["type"] == "write_summary"


def test_the_priority_of_a_backfill_can_be_chosen(queue: Queue) -> None:
    upload(queue.connection, "acme/old.txt")
    add_route(queue, "summaries", {"type": "write_summary"})
    backfill(queue, "summaries", priority=7)

    assert queue.rows("select priority from public.jobs where type = 'write_summary'") == [{"priority": 7}]


def test_objects_that_never_became_files_are_ingested_behind_everything_else(
    queue: Queue, without_triggers: psycopg.Connection[Any]
) -> None:
    upload(without_triggers, "acme/old.txt")

    assert backfill(queue) == {"checked": 1, "enqueued": 1, "finished": True}
    assert set(statuses(queue, "acme/old.txt")) == FLOW
    assert queue.rows("select distinct priority from public.jobs") == [{"priority": -1000}]


def test_a_backfill_of_one_route_leaves_the_objects_of_others_alone(
    queue: Queue, without_triggers: psycopg.Connection[Any]
) -> None:
    upload(without_triggers, "acme/old.txt")
    add_route(queue, "summaries", {"type": "write_summary"}, path_pattern="globex/%")

    assert backfill(queue, "summaries") == {"checked": 1, "finished": True}
    assert queue.rows("select * from public.jobs") == []


def test_a_backfill_goes_on_where_it_stopped_and_starts_over_when_the_flow_changes(queue: Queue) -> None:
    for n in range(5):
        upload(queue.connection, f"acme/{n}.txt")
    set_flow(queue, ANALYSIS, SUMMARY)
    assert backfill(queue, up_to=2) == {"checked": 2, "enqueued": 2}
    assert backfill(queue, up_to=2) == {"checked": 2, "enqueued": 2}

    set_flow(queue, ANALYSIS, SUMMARY, {"type": "index_text", "after": ["analysis"]})
    assert backfill(queue) == {"checked": 5, "enqueued": 5, "finished": True}
    counts = queue.rows("select type, count(*) from public.jobs group by type order by type")
    assert {row["type"]: row["count"] for row in counts} == dict.fromkeys(
        [*FLOW, "write_summary", "index_text"], 5
    )


def test_backfills_of_two_routes_keep_their_own_places(queue: Queue) -> None:
    for n in range(3):
        upload(queue.connection, f"acme/{n}.txt")
    for name in ("one", "two"):
        add_route(queue, name, {"type": f"step_{name}"})
    backfill(queue, "one", up_to=2)

    assert backfill(queue, "two", up_to=2) == {"checked": 2, "enqueued": 2}
    assert backfill(queue, "one", up_to=2) == {"checked": 1, "enqueued": 1, "finished": True}


def test_a_file_that_cannot_be_enqueued_stops_no_backfill_and_is_recorded_once(queue: Queue) -> None:
    upload(queue.connection, "acme/bad.txt")
    upload(queue.connection, "acme/good.txt")
    add_route(queue, "summaries", {"type": "write_summary"})
    queue.rows(
        "alter table public.jobs add constraint no_bad_ones check (payload ->> 'path' <> 'acme/bad.txt' or "
        "type <> 'write_summary')"
    )
    for enqueued in ({"enqueued": 1}, {}):
        assert backfill(queue, "summaries") == {"checked": 2, "failed": 1, "finished": True} | enqueued
    (failure,) = queue.call("queue_health")["ingest_failures"]
    assert (failure["operation"], failure["path"]) == ("backfill summaries", "acme/bad.txt")

    queue.rows("alter table public.jobs drop constraint no_bad_ones")
    assert backfill(queue, "summaries") == {"checked": 2, "enqueued": 1, "finished": True}
    assert queue.call("queue_health")["ingest_failures"] == []


@pytest.mark.parametrize(
    ("route", "arguments", "complaint"),
    [
        ("nope", {}, 'there is no active route "nope"'),
        ("off", {}, 'there is no active route "off"'),
        ("broken", {}, "is not a job type"),
        ("uploads", {"priority": 1001}, "priority: expected a whole number"),
    ],
)
def test_what_cannot_be_backfilled_is_refused_at_once(
    queue: Queue, route: str, arguments: Row, complaint: str
) -> None:
    add_route(queue, "off", {"type": "write_summary"})
    queue.rows("update public.ingest_routes set active = false where name = 'off'")
    add_route(queue, "broken", {"type": "Bad Type"})

    with pytest.raises(psycopg.errors.InvalidParameterValue, match=complaint):
        backfill(queue, route, **arguments)


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
