"""Pictures of file versions that are gone: who is found, who is left alone, and that nothing is enqueued twice."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row, at_once
from tests.database.storage import delete, move, upload

UPLOAD = "acme/photo.jpg"
VERSION = "7c9e6679-7425-40de-944b-e07fc1f90ae7"  # as Storage gives them


def prune(queue: Queue, **arguments: Any) -> Row:
    answer: Row = queue.call("enqueue_prune_storage", **arguments)
    return answer


def picture(queue: Queue, path: str, *, bucket: str = "thumbnails", hours_old: float = 0) -> str:
    """Stores an object that is so old, over one that was there; Storage's own trigger would make an update new."""
    delete(queue.connection, path)
    queue.rows(
        "insert into storage.objects (bucket_id, name, version, created_at, updated_at) "
        "select %s, %s, gen_random_uuid()::text, t.at, t.at from (select now() - make_interval(secs => %s) as at) t",
        bucket,
        path,
        hours_old * 3600,
    )
    return path


def file_with_pictures(queue: Queue, path: str = UPLOAD, sizes: tuple[int, ...] = (256, 1024)) -> list[str]:
    """Uploads a file, or a newer version of it, and does what create_thumbnail does. Returns the pictures' paths."""
    upload(queue.connection, path, mime_type="image/jpeg")
    (job,) = queue.claim(types=["create_thumbnail"])
    file = job["payload"]
    pictures = [
        picture(queue, f"{job['org_id']}/{file['file_id']}/{file['version']}/{size}.webp") for size in sizes
    ]
    thumbnails = [
        {"bucket": "thumbnails", "path": one, "width": 9, "height": 9, "bytes": 5, "size": size}
        for one, size in zip(pictures, sizes, strict=True)
    ]
    assert queue.resolve_one(job, output={"thumbnails": thumbnails})["verdict"] == "ok"
    return pictures


def test_pictures_of_very_many_organisations_are_left_to_the_next_calls(queue: Queue) -> None:
    queue.rows(
        "insert into storage.objects (bucket_id, name, version, created_at, updated_at) "
        "select 'thumbnails', format('org%%s/%%s/%%s/256.webp', n, 1000000 + n, %s::text), gen_random_uuid()::text, "
        "now() - interval '2 hours', now() - interval '2 hours' from generate_series(1, 2300) n",
        VERSION,
    )
    answers = [prune(queue) for _ in range(3)]
    assert [(answer["enqueued"], answer["finished"]) for answer in answers] == [
        (1000, False),
        (1000, False),
        (300, True),
    ]
    (jobs,) = queue.rows("select count(*), count(distinct org_id) as orgs from public.jobs")
    assert jobs == {"count": 2300, "orgs": 2300}


def to_remove(queue: Queue, org_id: str = "acme") -> list[str]:
    """The paths of all jobs of an organisation that have not ended."""
    rows = queue.rows(
        "select payload from public.jobs where type = 'prune_storage' and org_id = %s and status <> 'done' order by id",
        org_id,
    )
    assert {row["payload"]["bucket"] for row in rows} <= {"thumbnails"}
    return [path for row in rows for path in row["payload"]["paths"]]


def rows_of_pictures(queue: Queue) -> list[str]:
    return [row["path"] for row in queue.rows("select path from public.thumbnails order by path")]


def test_pictures_of_a_current_file_are_left_alone(queue: Queue) -> None:
    file_with_pictures(queue)

    assert prune(queue) == {"checked": 3, "enqueued": 0, "finished": True, "busy": False}
    assert to_remove(queue) == []


def test_pictures_of_an_overwritten_version_go_and_the_current_ones_stay(queue: Queue) -> None:
    old = file_with_pictures(queue)
    new = file_with_pictures(queue)

    assert prune(queue)["enqueued"] == 2
    assert to_remove(queue) == sorted(old)
    (job,) = queue.claim(types=["prune_storage"])
    assert queue.resolve_one(job, output={"removed": 2})["verdict"] == "ok"
    assert rows_of_pictures(queue) == sorted(new)


def test_pictures_of_an_overwritten_version_do_not_wait_for_the_new_ones(queue: Queue) -> None:
    old = file_with_pictures(queue)
    upload(queue.connection, UPLOAD)

    prune(queue)
    assert to_remove(queue) == sorted(old)


def test_pictures_of_a_deleted_file_go(queue: Queue) -> None:
    pictures = file_with_pictures(queue)
    delete(queue.connection, UPLOAD)

    prune(queue)
    assert to_remove(queue) == sorted(pictures)


def test_pictures_of_a_file_that_moved_to_another_organisation_go_from_where_they_were(queue: Queue) -> None:
    pictures = file_with_pictures(queue)
    move(queue.connection, UPLOAD, "globex/photo.jpg")

    prune(queue)
    assert to_remove(queue) == sorted(pictures)


def test_pictures_that_came_too_late_for_their_file_are_found_the_next_time(queue: Queue) -> None:
    (path, _) = file_with_pictures(queue)
    delete(queue.connection, UPLOAD)
    prune(queue)
    (job,) = queue.claim(types=["prune_storage"])
    queue.resolve_one(job, output={"removed": 2})

    prune(queue)
    assert path in to_remove(queue)  # nobody removed them here


@pytest.mark.parametrize(
    "like",
    [
        "acme/1000{id}/{version}/256.webp",
        "acme/{id}/7c9e6679-7425-40de-944b-e07fc1f90ae7/256.webp",
        "globex/{id}/{version}/256.webp",
        f"acme/999999999999999999/{VERSION}/256.webp",
        "acme/1000{id}/unversioned/256.webp",
    ],
    ids=[
        "an unknown file",
        "an unknown version",
        "another organisation's",
        "a file that cannot be",
        "no version",
    ],
)
def test_a_picture_of_nothing_we_know_goes_when_it_is_an_hour_old(queue: Queue, like: str) -> None:
    upload(queue.connection, UPLOAD)
    (file,) = queue.rows("select id, version from public.ingested_files")
    path = picture(queue, like.format(**file), hours_old=0.9)
    org_id = path.split("/")[0]

    assert prune(queue)["enqueued"] == 0
    picture(queue, path, hours_old=1.1)
    assert prune(queue)["enqueued"] == 1
    assert to_remove(queue, org_id) == [path]


@pytest.mark.parametrize(
    "path",
    [
        "logo.png",
        "acme/logo.png",
        f"acme/logo/{VERSION}/256.webp",
        "acme/7/256.webp",
        "acme/2024/january/holiday.png",
        "acme/2024/01/1024.webp",
        f"acme/2024/{VERSION}/holiday.webp",
        f"acme/2024/{VERSION}/256.png",
        f"acme/7/{VERSION}/more/256.webp",
        f"acme/1234567890123456789/{VERSION}/256.webp",
        "acme/7/../256.webp",
        f" /7/{VERSION}/256.webp",
    ],
)
def test_what_others_keep_in_the_bucket_is_theirs(queue: Queue, path: str) -> None:
    picture(queue, path, hours_old=1000)

    assert prune(queue) == {"checked": 1, "enqueued": 0, "finished": True, "busy": False}


def test_uploads_that_look_like_pictures_are_no_pictures(queue: Queue) -> None:
    picture(queue, f"acme/7/{VERSION}/256.webp", bucket="ingest", hours_old=1000)

    assert prune(queue)["enqueued"] == 0


def test_nothing_is_enqueued_twice_while_its_job_has_not_ended(queue: Queue) -> None:
    old = file_with_pictures(queue)
    file_with_pictures(queue)
    prune(queue)

    assert prune(queue)["enqueued"] == 0
    (job,) = queue.claim(types=["prune_storage"])
    assert prune(queue)["enqueued"] == 0
    newer = picture(queue, old[0].replace("256", "64"))
    assert prune(queue)["enqueued"] == 1
    assert to_remove(queue) == [*sorted(old), newer]
    assert job["payload"]["paths"] == sorted(old)


def test_what_a_dead_letter_left_is_enqueued_again(queue: Queue) -> None:
    file_with_pictures(queue)
    delete(queue.connection, UPLOAD)
    prune(queue)
    (job,) = queue.claim(types=["prune_storage"])
    queue.resolve_one(job, "failed", error="the bucket is gone")

    assert prune(queue)["enqueued"] == 2
    assert rows_of_pictures(queue) != []


def test_a_job_holds_at_most_500_pictures_of_one_organisation(queue: Queue) -> None:
    for org_id, count in (("acme", 1001), ("globex", 3)):
        queue.rows(
            "insert into storage.objects (bucket_id, name, version, created_at, updated_at) "
            "select 'thumbnails', format('%%s/%%s/%%s/256.webp', %s::text, n, gen_random_uuid()), 'v', "
            "'2020-01-01', '2020-01-01' from generate_series(1, %s) n",
            org_id,
            count,
        )

    assert prune(queue)["enqueued"] == 1004
    rows = queue.rows(
        "select org_id, jsonb_array_length(payload -> 'paths') as paths, priority from public.jobs order by id"
    )
    assert [(row["org_id"], row["paths"]) for row in rows] == [
        ("acme", 500),
        ("acme", 500),
        ("acme", 1),
        ("globex", 3),
    ]
    assert {row["priority"] for row in rows} == {-60}
    assert len(set(to_remove(queue))) == 1001


def test_the_longest_names_fit_into_their_jobs(queue: Queue) -> None:
    queue.rows(
        "insert into storage.objects (bucket_id, name, version, created_at, updated_at) "
        "select 'thumbnails', format('%%s/%%s/%%s/%%s', repeat('🦊', 256), n, gen_random_uuid(), name), 'v', "
        "'2020-01-01', '2020-01-01' from generate_series(1, 500) n, "
        "(values ('256.webp'), (repeat('9', 3000) || '.webp')) kind (name)"
    )

    assert prune(queue)["enqueued"] == 500


def test_a_call_looks_at_a_bounded_number_of_objects_and_the_next_one_goes_on(queue: Queue) -> None:
    file_with_pictures(queue)
    delete(queue.connection, UPLOAD)
    file_with_pictures(queue)

    calls = [prune(queue, up_to=2) for _ in range(3)]

    assert [(call["checked"], call["finished"]) for call in calls] == [(2, False), (2, False), (1, True)]
    assert sum(call["enqueued"] for call in calls) == 2
    assert prune(queue)["checked"] == 5


@pytest.mark.parametrize("up_to", [None, -1, 0, 10**9])
def test_any_number_is_brought_within_bounds(queue: Queue, up_to: int | None) -> None:
    file_with_pictures(queue)

    assert prune(queue, up_to=up_to)["checked"] in (1, 3)


def test_while_one_call_is_at_it_another_does_nothing(queue: Queue, other_worker: Queue) -> None:
    file_with_pictures(queue)
    delete(queue.connection, UPLOAD)
    prune(queue, up_to=1)
    with queue.connection.transaction():
        queue.connection.execute("select public.enqueue_prune_storage()")
        assert prune(other_worker) == {"checked": 0, "enqueued": 0, "finished": False, "busy": True}
    assert len(to_remove(queue)) == 2


def test_calls_at_the_same_time_enqueue_everything_once(queue: Queue, other_worker: Queue) -> None:
    for number in range(20):
        file_with_pictures(queue, f"acme/{number}.jpg")
        delete(queue.connection, f"acme/{number}.jpg")

    for _ in range(3):
        at_once([queue, other_worker], lambda worker: prune(worker, up_to=7))
    while not prune(queue, up_to=7)["finished"]:
        continue

    paths = to_remove(queue)
    assert len(paths) == len(set(paths)) == 40


def test_only_the_rows_of_removed_pictures_go(queue: Queue) -> None:
    pictures = file_with_pictures(queue)
    theirs = file_with_pictures(queue, "globex/photo.jpg")
    payload = {
        "bucket": "thumbnails",
        "paths": [pictures[0], theirs[0], "acme/x", "acme/99999999999999999999/v/1"],
    }
    queue.enqueue("prune_storage", payload=payload)
    (job,) = queue.claim(types=["prune_storage"])

    assert queue.resolve_one(job, output={"removed": 4})["verdict"] == "ok"
    assert rows_of_pictures(queue) == sorted([pictures[1], *theirs])


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_nobody_but_the_service_may_ask_for_it(
    queue: Queue, admin: psycopg.Connection[Any], role: str
) -> None:
    with admin.transaction():
        admin.execute(f"set local role {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege), admin.transaction():
            admin.execute("select public.enqueue_prune_storage()")
