"""Whoever watches the files of an organisation is told when their jobs move on; the queue works without anybody."""

from __future__ import annotations

import psycopg
import pytest

from tests.database.queue import Queue, Row, result_of
from tests.database.storage import upload
from tests.database.test_privileges import signed_in


def watch(queue: Queue, topic: str, *org_ids: str) -> list[Row]:
    """What a member of these organisations gets of a private topic."""
    with signed_in(queue.connection, "authenticated", *org_ids):
        queue.rows("select set_config('realtime.topic', %s, true)", topic)
        rows = queue.rows("select payload from realtime.messages order by inserted_at")
    return [row["payload"] for row in rows]


def test_members_are_told_how_their_file_moves_on(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    (thumbnail,) = queue.claim(types=["create_thumbnail"])
    queue.resolve_one(thumbnail, output={"thumbnails": []})

    told = [one for one in watch(queue, "files:acme", "acme") if one["type"] == "create_thumbnail"]

    assert [(one["status"], one["file"]) for one in told] == [
        ("queued", "waiting"),
        ("processing", "processing"),
        ("done", "processing"),
    ]
    assert told[0]["job_id"] == thumbnail["job_id"]


def test_nobody_is_told_about_files_of_others(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    upload(queue.connection, "globex/b.txt")

    assert len(watch(queue, "files:acme", "acme")) == 3
    assert watch(queue, "files:globex", "acme") == []
    assert watch(queue, "files:acme") == []
    assert watch(queue, "something else", "acme") == []


def test_a_browser_broadcasts_nothing_in_our_name(queue: Queue) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
        signed_in(queue.connection, "authenticated", "acme"),
    ):
        queue.rows(
            "insert into realtime.messages (topic, extension, private) values ('files:acme', 'broadcast', true)"
        )


def test_what_is_told_says_nothing_of_a_jobs_inside(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    (job,) = queue.claim(types=["analyze_file"])
    queue.resolve_one(job, "failed", error="host db-3", output={"words": 1})

    for told in watch(queue, "files:acme", "acme"):
        assert set(told) == {"id", "file_id", "job_id", "type", "status", "file"}


def test_jobs_without_a_file_are_told_to_nobody(queue: Queue) -> None:
    queue.enqueue()
    queue.resolve(*map(result_of, queue.claim()))

    assert queue.rows("select 1 from realtime.messages") == []


def test_telling_can_be_switched_off(queue: Queue) -> None:
    queue.rows("update public.job_queue_settings set realtime = false where only_row")
    upload(queue.connection, "acme/a.txt")

    assert queue.rows("select 1 from realtime.messages") == []


@pytest.mark.parametrize("broken", ["drop schema realtime cascade", "drop table realtime.messages cascade"])
def test_the_queue_works_when_realtime_is_gone_or_broken(
    queue: Queue, admin: psycopg.Connection[object], broken: str
) -> None:
    admin.execute(broken.encode())
    upload(queue.connection, "acme/a.txt")

    (job,) = queue.claim(types=["create_thumbnail"])
    assert queue.resolve_one(job, output={"thumbnails": []})["verdict"] == "ok"


def test_the_queue_works_when_realtime_raises(queue: Queue, admin: psycopg.Connection[object]) -> None:
    admin.execute(
        "create or replace function realtime.send(payload jsonb, event text, topic text, "
        "private boolean default true) returns void language plpgsql as $$ begin raise 'down'; end $$"
    )
    upload(queue.connection, "acme/a.txt")

    assert len(queue.claim()) == 2
