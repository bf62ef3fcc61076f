"""What was made from a file that is gone: seen by nobody at once, and removed by prune_jobs a while later."""

from __future__ import annotations

import psycopg
import pytest

from tests.database.file_flow import card, run_flow
from tests.database.queue import Queue
from tests.database.storage import delete, move, upload

PATH = "acme/notes.txt"
MADE = ["file_analyses", "thumbnails", "cards"]


def process(queue: Queue, path: str = PATH) -> None:
    upload(queue.connection, path)
    run_flow(queue, [card("a"), card("b")])


def age(queue: Queue, days: int) -> None:
    """Moves the end of every file version and of every job into the past."""
    for table, column in (
        ("ingested_files", "deleted_at"),
        ("ingested_files", "superseded_at"),
        ("jobs", "completed_at"),
    ):
        queue.rows(
            f"update public.{table} set {column} = {column} - make_interval(days => %s) where true", days
        )


def made(queue: Queue) -> list[int]:
    """How many analyses, pictures and cards there are."""
    return [len(queue.rows(f"select 1 from public.{table}")) for table in MADE]


def files(queue: Queue) -> int:
    return len(queue.rows("select 1 from public.ingested_files"))


def test_what_was_made_from_a_deleted_file_goes_after_thirty_days_and_its_row_with_the_jobs(
    queue: Queue,
) -> None:
    process(queue)
    delete(queue.connection, PATH)
    age(queue, 29)
    assert (queue.call("prune_jobs")["files"], made(queue), files(queue)) == (0, [1, 1, 2], 1)
    age(queue, 2)
    assert (queue.call("prune_jobs")["files"], made(queue), files(queue)) == (1, [0, 0, 0], 0)


def test_the_row_of_a_file_stays_while_a_job_is_about_it(queue: Queue) -> None:
    process(queue)
    queue.rows("update public.job_types set keep_done_days = 400 where type = '*'")
    delete(queue.connection, PATH)
    age(queue, 31)
    answers = [queue.call("prune_jobs")["files"] for _ in range(2)]
    assert (answers, made(queue), files(queue)) == ([1, 0], [0, 0, 0], 1)


def test_a_file_that_is_there_keeps_everything_however_old_its_versions_are(queue: Queue) -> None:
    process(queue)
    upload(queue.connection, PATH)  # not processed yet: what the older version gave is still shown
    age(queue, 1000)
    assert (queue.call("prune_jobs")["files"], made(queue), files(queue)) == (0, [1, 1, 2], 2)


def test_a_version_that_was_never_processed_takes_the_one_before_it_along(queue: Queue) -> None:
    process(queue)
    upload(queue.connection, PATH)
    age(queue, 1000)
    delete(queue.connection, PATH)
    assert (queue.call("prune_jobs")["files"], made(queue)) == (0, [1, 1, 2])
    age(queue, 31)
    assert (queue.call("prune_jobs")["files"], made(queue), files(queue)) == (2, [0, 0, 0], 0)


def test_a_file_that_was_moved_to_where_no_route_wants_it_is_gone_until_it_comes_back(queue: Queue) -> None:
    queue.rows("insert into storage.buckets (id, name) values ('attic', 'attic') on conflict do nothing")
    process(queue)
    move(queue.connection, PATH, "acme/old.txt", new_bucket="attic")
    age(queue, 31)
    with queue.connection.transaction(force_rollback=True):
        assert (queue.call("prune_jobs")["files"], made(queue)) == (1, [0, 0, 0])
    move(queue.connection, "acme/old.txt", PATH)
    assert (queue.call("prune_jobs")["files"], made(queue)) == (0, [1, 1, 2])


@pytest.mark.parametrize(("days", "left"), [(None, [1, 1, 2]), (400, [1, 1, 2]), (0, [0, 0, 0])])
def test_operators_say_how_long_it_is_kept(queue: Queue, days: int | None, left: list[int]) -> None:
    queue.rows("update public.job_queue_settings set keep_deleted_files_days = %s where only_row", days)
    process(queue)
    delete(queue.connection, PATH)
    age(queue, 390)
    queue.call("prune_jobs")
    assert made(queue) == left


def test_a_bounded_call_goes_on_behind_the_files_that_the_last_one_looked_at(queue: Queue) -> None:
    for number in range(12):
        upload(queue.connection, f"acme/{number}.txt")
        delete(queue.connection, f"acme/{number}.txt")
    process(queue)
    delete(queue.connection, PATH)
    age(queue, 31)
    queue.rows("update public.ingested_files set deleted_at = now() where path <> %s", PATH)
    assert [queue.call("prune_jobs", up_to=1)["files"] for _ in range(2)] == [0, 1]


def test_a_file_that_somebody_holds_is_left_for_the_next_round(
    queue: Queue, second: psycopg.Connection[tuple[object, ...]]
) -> None:
    process(queue)
    delete(queue.connection, PATH)
    age(queue, 31)
    with second.transaction():
        second.execute("select 1 from public.ingested_files for update")
        assert (queue.call("prune_jobs")["files"], made(queue)) == (0, [1, 1, 2])
    assert (queue.call("prune_jobs")["files"], made(queue)) == (1, [0, 0, 0])
