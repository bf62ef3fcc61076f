"""Backfill: files that are older than a route, or than a step of it, get the jobs that they lack."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.backfilling import (
    ANALYSIS,
    CARDS,
    SUMMARY,
    THUMBNAIL,
    add_route,
    backfill,
    finish_all,
    set_flow,
)
from tests.database.queue import Queue, Row
from tests.database.storage import upload
from tests.database.test_ingest import FLOW, statuses

pytestmark = pytest.mark.usefixtures("without_outputs")


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
