"""The storage trigger: which storage events become files and jobs, and which must not."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row, result_of
from tests.database.storage import delete, move, upload

FLOW = {"analyze_file", "create_thumbnail", "create_cards"}


def statuses(queue: Queue, path: str) -> dict[str, str]:
    """Status by job type of the newest file at a path."""
    rows = queue.rows(
        """
        select j.type, j.status from public.jobs j join public.ingested_files f on f.id = j.file_id
        where f.id = (select max(id) from public.ingested_files where path = %s)
        """,
        path,
    )
    return {row["type"]: row["status"] for row in rows}


def files(queue: Queue) -> list[Row]:
    return queue.rows(
        "select path, superseded_at is not null as superseded, deleted_at is not null as deleted "
        "from public.ingested_files order by id"
    )


def test_an_upload_becomes_one_file_and_its_flow(queue: Queue) -> None:
    object_id, version = upload(queue.connection, "acme/notes.txt", mime_type="text/plain", size=12)

    assert statuses(queue, "acme/notes.txt") == {
        "analyze_file": "queued",
        "create_thumbnail": "queued",
        "create_cards": "waiting",
    }
    (file,) = queue.rows("select * from public.ingested_files")
    assert (file["org_id"], file["object_id"], file["version"]) == ("acme", object_id, version)
    payload = queue.rows("select payload from public.jobs where type = 'analyze_file'")[0]["payload"]
    assert payload == {
        "file_id": file["id"],
        "bucket": "ingest",
        "path": "acme/notes.txt",
        "version": version,
        "mime_type": "text/plain",
        "size": 12,
    }


def test_overwriting_supersedes_the_old_version_and_starts_the_new_one(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    upload(queue.connection, "acme/notes.txt")

    assert [file["superseded"] for file in files(queue)] == [True, False]
    rows = queue.rows("select status, count(*) from public.jobs group by status order by status")
    assert {row["status"]: row["count"] for row in rows} == {"cancelled": 3, "queued": 2, "waiting": 1}
    reason = queue.rows("select distinct last_error from public.jobs where status = 'cancelled'")
    assert reason == [{"last_error": "superseded: a newer version of the file was uploaded"}]


def test_the_late_result_of_an_overwritten_file_is_refused(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    late = queue.claim(types=["analyze_file"])[0]
    upload(queue.connection, "acme/notes.txt")
    assert queue.extend(late) == ["cancelled"]

    answer = queue.resolve_one(late, output={"kind": "text", "title": "Old"})

    assert (answer["verdict"], answer["status"]) == ("superseded", "cancelled")
    assert queue.rows("select * from public.file_analyses") == []
    assert queue.runs(late["job_id"]) == ["superseded"]


def test_the_file_version_is_checked_even_if_the_trigger_was_off(queue: Queue, admin: Any) -> None:
    upload(queue.connection, "acme/notes.txt")
    late = queue.claim(types=["analyze_file"])[0]
    admin.execute("alter table storage.objects disable trigger crontick_ingest_stored")
    upload(queue.connection, "acme/notes.txt")

    answer = queue.resolve_one(late, output={"kind": "text"})

    assert (answer["verdict"], answer["status"]) == ("superseded", "cancelled")


def test_deleting_a_file_cancels_its_jobs(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    running = queue.claim(types=["analyze_file"])[0]
    delete(queue.connection, "acme/notes.txt")

    assert set(statuses(queue, "acme/notes.txt").values()) == {"cancelled"}
    assert files(queue) == [{"path": "acme/notes.txt", "superseded": False, "deleted": True}]
    assert queue.resolve_one(running, output={"kind": "text"})["verdict"] == "superseded"


def test_a_moved_file_is_processed_under_its_new_path(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    move(queue.connection, "acme/notes.txt", "globex/notes.txt")

    assert [(file["path"], file["superseded"]) for file in files(queue)] == [
        ("acme/notes.txt", True),
        ("globex/notes.txt", False),
    ]
    assert set(statuses(queue, "globex/notes.txt")) == FLOW


def test_a_file_moved_to_another_bucket_is_gone(queue: Queue) -> None:
    queue.rows("insert into storage.buckets (id, name) values ('archive', 'archive')")
    upload(queue.connection, "acme/notes.txt")
    move(queue.connection, "acme/notes.txt", "acme/notes.txt", new_bucket="archive")

    assert files(queue) == [{"path": "acme/notes.txt", "superseded": False, "deleted": True}]


@pytest.mark.parametrize(
    ("bucket", "path"),
    [
        ("thumbnails", "acme/1/256.webp"),
        ("ingest", "acme/new folder/.emptyFolderPlaceholder"),
    ],
)
def test_our_own_pictures_and_empty_folders_are_ignored(queue: Queue, bucket: str, path: str) -> None:
    upload(queue.connection, path, bucket=bucket)

    assert files(queue) == []
    assert queue.call("queue_health")["ingest_failures"] == []


def test_a_change_of_metadata_only_is_no_upload(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    queue.rows("update storage.objects set last_accessed_at = now(), user_metadata = '{}'")

    assert len(files(queue)) == 1
    assert len(queue.rows("select 1 from public.jobs")) == 3


def test_routes_choose_by_path_and_type(queue: Queue) -> None:
    queue.rows("update public.ingest_routes set path_pattern = 'acme/%%', mime_pattern = 'image/%%'")

    upload(queue.connection, "acme/a.png", mime_type="image/png")
    upload(queue.connection, "acme/a.txt", mime_type="text/plain")
    upload(queue.connection, "globex/a.png", mime_type="image/png")

    assert [file["path"] for file in files(queue)] == ["acme/a.png"]


def test_an_upload_without_an_organisation_is_kept_and_reported(queue: Queue) -> None:
    upload(queue.connection, "notes.txt")

    assert queue.rows("select name from storage.objects") == [{"name": "notes.txt"}]
    (failure,) = queue.call("queue_health")["ingest_failures"]
    assert failure["path"] == "notes.txt"
    assert failure["error"] == 'no organisation: upload to <organisation>/…, not to "notes.txt"'


@pytest.mark.parametrize("path", ["acme/../globex/a.txt", "acme/./a.txt", "acme//a.txt", "acme/.."])
def test_a_path_that_could_lead_to_another_organisation_is_not_processed(queue: Queue, path: str) -> None:
    upload(queue.connection, path)

    assert files(queue) == []
    (failure,) = queue.call("queue_health")["ingest_failures"]
    assert "segment" in failure["error"]


def test_dots_inside_a_name_are_fine(queue: Queue) -> None:
    upload(queue.connection, "acme/..a/b..txt")

    assert [file["path"] for file in files(queue)] == ["acme/..a/b..txt"]


def test_a_failure_to_enqueue_never_refuses_the_upload(queue: Queue) -> None:
    queue.rows('update public.ingest_routes set flow = \'[{"type": "Not A Type"}]\'')

    upload(queue.connection, "acme/notes.txt")

    assert len(queue.rows("select 1 from storage.objects")) == 1
    (failure,) = queue.call("queue_health")["ingest_failures"]
    assert (failure["operation"], failure["path"]) == ("route uploads", "acme/notes.txt")
    assert "is not a job type" in failure["error"]


def test_one_route_that_cannot_be_enqueued_keeps_no_other_from_starting(queue: Queue) -> None:
    queue.rows(
        "insert into public.ingest_routes (name, bucket_id, flow) "
        "values ('broken', 'ingest', '[{\"type\": \"Bad Type\"}]')"
    )
    upload(queue.connection, "acme/notes.txt")

    assert set(statuses(queue, "acme/notes.txt")) == FLOW
    (failure,) = queue.call("queue_health")["ingest_failures"]
    assert failure["operation"] == "route broken"


def test_a_route_without_a_flow_is_refused(queue: Queue) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        queue.rows("update public.ingest_routes set flow = '[]' where true")


def test_an_upload_is_not_refused_even_if_the_failure_cannot_be_recorded(
    queue: Queue, second: psycopg.Connection[Any]
) -> None:
    with second.transaction():
        second.execute("lock table public.ingest_failures in share mode")
        upload(queue.connection, "no-organisation.txt")

    assert len(queue.rows("select 1 from storage.objects")) == 1


def test_an_object_stored_without_a_version_is_a_file_too(queue: Queue) -> None:
    queue.rows("insert into storage.objects (bucket_id, name) values ('ingest', 'acme/restored.txt')")

    job = queue.claim(types=["create_thumbnail"])[0]

    assert job["payload"]["version"] == "unversioned"
    assert queue.resolve_one(job, output={"thumbnails": []})["verdict"] == "ok"


def test_an_upload_does_not_wait_long_for_a_locked_job(queue: Queue, second: psycopg.Connection[Any]) -> None:
    upload(queue.connection, "acme/notes.txt")
    with second.transaction():
        second.execute("select 1 from public.jobs for update")
        upload(queue.connection, "acme/notes.txt")

    (failure,) = queue.call("queue_health")["ingest_failures"]
    assert failure["error"] == "canceling statement due to lock timeout"


def test_uploads_by_the_owner_of_storage_fire_the_trigger_without_rights_on_our_tables(
    queue: Queue, admin: psycopg.Connection[Any]
) -> None:
    with admin.transaction():
        admin.execute("set local role supabase_storage_admin")
        admin.execute(
            "insert into storage.objects (bucket_id, name, version) values ('ingest', 'acme/x.txt', 'v1')"
        )

    assert set(statuses(queue, "acme/x.txt")) == FLOW
    assert result_of(queue.claim_one())["outcome"] == "done"
