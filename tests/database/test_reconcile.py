"""Making up for what the storage triggers missed: files that never became jobs, and jobs of files that are gone."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row, at_once, result_of
from tests.database.storage import delete, delete_many, upload
from tests.database.test_ingest import FLOW, files, statuses

NOTHING = {"checked": 0, "enqueued": 0, "retired": 0, "failed": 0, "finished": True, "busy": False}


def reconcile(queue: Queue, **arguments: Any) -> Row:
    """What a call did, without what it did not."""
    answer: Row = queue.call("reconcile_files", **arguments)
    return {name: value for name, value in answer.items() if value}


def reconcile_all(queue: Queue, up_to: int) -> list[Row]:
    """Calls until the sweep is finished."""
    answers = [reconcile(queue, up_to=up_to)]
    while "finished" not in answers[-1]:
        answers.append(reconcile(queue, up_to=up_to))
    return answers


def test_an_upload_that_the_trigger_missed_becomes_a_file_and_its_flow(
    queue: Queue, without_triggers: psycopg.Connection[Any]
) -> None:
    upload(without_triggers, "acme/missed.txt")
    upload(queue.connection, "acme/seen.txt")

    assert reconcile(queue) == {"checked": 2, "enqueued": 1, "finished": True}
    assert set(statuses(queue, "acme/missed.txt")) == FLOW
    assert reconcile(queue) == {"checked": 2, "finished": True}
    assert len(queue.rows("select 1 from public.jobs")) == 6


def test_a_bucket_that_holds_nothing_is_finished_at_once(queue: Queue) -> None:
    assert queue.call("reconcile_files") == NOTHING


def test_an_overwrite_that_the_trigger_missed_retires_the_old_version_and_starts_the_new_one(
    queue: Queue, without_triggers: psycopg.Connection[Any]
) -> None:
    upload(queue.connection, "acme/notes.txt")
    late = queue.claim(types=["analyze_file"])[0]
    upload(without_triggers, "acme/notes.txt")

    assert reconcile(queue) == {"checked": 1, "enqueued": 1, "retired": 1, "finished": True}
    assert queue.extend(late) == ["cancelled"]
    assert [file["superseded"] for file in files(queue)] == [True, False]
    rows = queue.rows("select status, count(*) from public.jobs group by status")
    assert {row["status"]: row["count"] for row in rows} == {"cancelled": 3, "queued": 2, "waiting": 1}


def test_a_deletion_that_the_trigger_missed_cancels_the_jobs(
    queue: Queue, without_triggers: psycopg.Connection[Any]
) -> None:
    upload(queue.connection, "acme/notes.txt")
    delete(without_triggers, "acme/notes.txt")

    assert reconcile(queue) == {"checked": 1, "retired": 1, "finished": True}
    assert set(statuses(queue, "acme/notes.txt").values()) == {"cancelled"}
    assert files(queue) == [{"path": "acme/notes.txt", "superseded": False, "deleted": True}]


@pytest.mark.parametrize(
    ("bucket", "path"), [("thumbnails", "acme/1/256.webp"), ("ingest", "acme/new/.emptyFolderPlaceholder")]
)
def test_what_the_trigger_ignores_is_ignored_here_too(
    queue: Queue, without_triggers: psycopg.Connection[Any], bucket: str, path: str
) -> None:
    upload(without_triggers, path, bucket=bucket)

    assert reconcile(queue) == {"checked": 1, "finished": True}
    assert files(queue) == []


def test_a_sweep_goes_on_where_the_last_call_stopped_and_then_starts_over(
    queue: Queue, without_triggers: psycopg.Connection[Any]
) -> None:
    for n in range(5):
        upload(without_triggers, f"acme/{n}.txt")

    assert reconcile_all(queue, up_to=2) == [
        {"checked": 2, "enqueued": 2},
        {"checked": 2, "enqueued": 2},
        {"checked": 1, "enqueued": 1, "finished": True},
    ]
    assert reconcile(queue) == {"checked": 5, "finished": True}


def test_however_much_is_to_be_made_up_for_a_call_does_a_bounded_part_of_it(queue: Queue) -> None:
    queue.rows(
        "insert into public.ingested_files (org_id, object_id, version, bucket_id, path) "
        "select 'acme', gen_random_uuid(), 'v', 'ingest', 'acme/' || i from generate_series(1, 301) i"
    )

    assert reconcile_all(queue, up_to=1000) == [
        {"checked": 300, "retired": 300},
        {"checked": 1, "retired": 1, "finished": True},
    ]


def test_a_sweep_that_was_left_in_the_middle_can_start_over(queue: Queue) -> None:
    for n in range(3):
        upload(queue.connection, f"acme/{n}.txt")
    reconcile(queue, up_to=2)

    assert reconcile(queue, restart=True) == {"checked": 3, "finished": True}


def test_one_object_that_cannot_be_ingested_stops_no_sweep_and_is_recorded_once(
    queue: Queue, without_triggers: psycopg.Connection[Any]
) -> None:
    upload(without_triggers, "no-organisation.txt")
    upload(without_triggers, "acme/notes.txt")

    assert reconcile(queue) == {"checked": 2, "enqueued": 1, "failed": 1, "finished": True}
    (first,) = queue.call("queue_health")["ingest_failures"]
    assert (first["operation"], first["path"]) == ("ingest", "no-organisation.txt")
    assert reconcile(queue) == {"checked": 2, "failed": 1, "finished": True}
    assert queue.call("queue_health")["ingest_failures"] == [first]


def test_a_route_that_failed_is_started_once_it_can_be_and_no_other_again(queue: Queue) -> None:
    queue.rows(
        "insert into public.ingest_routes (name, bucket_id, flow) "
        "values ('broken', 'ingest', '[{\"type\": \"Bad Type\"}]')"
    )
    upload(queue.connection, "acme/notes.txt")
    queue.resolve(*(result_of(job) for job in queue.claim(types=["create_thumbnail"])))
    assert reconcile(queue) == {"checked": 1, "failed": 1, "finished": True}

    queue.rows("update public.ingest_routes set flow = '[{\"type\": \"good_type\"}]' where name = 'broken'")
    assert reconcile(queue) == {"checked": 1, "enqueued": 1, "finished": True}
    assert statuses(queue, "acme/notes.txt")["good_type"] == "queued"
    assert len(queue.rows("select 1 from public.jobs")) == 4
    assert queue.call("queue_health")["ingest_failures"] == []
    assert reconcile(queue) == {"checked": 1, "finished": True}


def test_a_file_whose_jobs_were_removed_long_ago_is_not_started_again(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    queue.rows("delete from public.jobs where true")

    assert reconcile(queue) == {"checked": 1, "finished": True}
    assert queue.rows("select * from public.jobs") == []


def test_a_file_moved_to_a_path_that_is_refused_is_retired_all_the_same(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    queue.rows("update storage.objects set name = 'notes.txt', version = 'v2'")

    assert set(statuses(queue, "acme/notes.txt").values()) == {"cancelled"}
    assert [file["superseded"] for file in files(queue)] == [True]


def test_an_object_that_is_being_written_is_left_to_its_own_trigger(
    queue: Queue, second: psycopg.Connection[Any], without_triggers: psycopg.Connection[Any]
) -> None:
    upload(without_triggers, "acme/notes.txt")
    with second.transaction():
        second.execute("update storage.objects set version = 'v2'")
        assert reconcile(queue) == {"checked": 1, "finished": True}

    assert [file["superseded"] for file in files(queue)] == [False]
    assert set(statuses(queue, "acme/notes.txt")) == FLOW
    assert queue.call("queue_health")["ingest_failures"] == []


def test_a_job_that_is_locked_for_long_keeps_its_own_file_only(
    queue: Queue, second: psycopg.Connection[Any], without_triggers: psycopg.Connection[Any]
) -> None:
    for name in ("locked", "free"):
        upload(queue.connection, f"acme/{name}.txt")
    delete_many(without_triggers, ["acme/locked.txt", "acme/free.txt"])
    with second.transaction():
        second.execute("select 1 from public.jobs order by id limit 1 for update")
        assert reconcile(queue) == {"checked": 2, "retired": 1, "failed": 1, "finished": True}

    (failure,) = queue.call("queue_health")["ingest_failures"]
    assert (failure["operation"], failure["path"]) == ("retire", "acme/locked.txt")
    assert reconcile(queue) == {"checked": 1, "retired": 1, "finished": True}
    assert queue.call("queue_health")["ingest_failures"] == []


def test_two_calls_at_once_never_do_the_same_work(
    queue: Queue, workers: list[Queue], without_triggers: psycopg.Connection[Any]
) -> None:
    for n in range(40):
        upload(without_triggers, f"acme/{n}.txt")

    answers = at_once(workers, lambda worker: reconcile(worker, up_to=50))

    assert sum(answer.get("enqueued", 0) for answer in answers) == 40
    assert all("busy" in answer or "finished" in answer for answer in answers)
    assert len(queue.rows("select 1 from public.jobs")) == 120


@pytest.mark.parametrize("sweeps_before", [0, 1])
def test_a_call_that_finds_another_at_work_does_nothing(
    queue: Queue,
    second: psycopg.Connection[Any],
    without_triggers: psycopg.Connection[Any],
    sweeps_before: int,
) -> None:
    for _ in range(sweeps_before):
        reconcile(queue)
    upload(without_triggers, "acme/notes.txt")
    with second.transaction():
        second.execute("select public.reconcile_files()")
        assert reconcile(queue) == {"busy": True}

    assert set(statuses(queue, "acme/notes.txt")) == FLOW


def test_uploads_and_results_that_meet_a_sweep_end_neither_in_errors_nor_twice(
    queue: Queue, workers: list[Queue], without_triggers: psycopg.Connection[Any]
) -> None:
    for n in range(6):
        paths = [f"acme/{n}/{i}.txt" for i in range(8)]
        for path in paths:
            upload(queue.connection, path)
        claimed = workers[2].claim(100)
        for path in paths[:4]:
            upload(without_triggers, path)

        def meet(who: Queue, paths: list[str] = paths, claimed: list[Row] = claimed) -> Any:
            if who is workers[0]:
                return reconcile_all(who, up_to=3)
            if who is workers[1]:
                return [upload(who.connection, path) for path in reversed(paths)]
            return who.resolve(*(result_of(job, "retry") for job in claimed))

        at_once(workers[:3], meet)
        reconcile(queue, restart=True)

        assert queue.call("queue_health")["ingest_failures"] == []
        unfinished = queue.rows(
            """
            select f.path, count(*) as jobs from public.jobs j join public.ingested_files f on f.id = j.file_id
            where j.status in ('queued', 'waiting') and f.path like %s group by f.path
            """,
            f"acme/{n}/%",
        )
        assert [row["jobs"] for row in unfinished] == [3] * 8


def test_what_waits_for_the_job_of_an_overwritten_file_is_cancelled_with_it(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    (analysis,) = queue.rows("select id from public.jobs where type = 'analyze_file'")
    (digest,) = queue.enqueue_many({"type": "send_digest", "after": [analysis["id"]]})
    upload(queue.connection, "acme/notes.txt")

    job = queue.job(digest["job_id"])
    assert (job["status"], job["cancelled_by"]) == ("cancelled", analysis["id"])
