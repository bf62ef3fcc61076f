"""The pages of jobs that people are shown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.database.queue import Queue, Row, refusal
from tests.database.storage import upload

NARROWED: list[tuple[str, Row, int]] = [
    ("all", {"type": "c"}, 3),
    ("all", {"type": "c", "org_id": "acme"}, 2),
    ("all", {"status": "cancelled"}, 1),
    ("all", {"org_id": "nobody"}, 0),
    ("all", {"org_id": "acme' or true --"}, 0),
    ("all", {"org_id": "eq.acme"}, 0),
    ("all", {"type": None}, 9),
    ("by_org", {"org_id": "globex"}, 1),
    ("by_org", {"org_id": "globex", "type": "a"}, 0),
    ("pending", {"type": "c"}, 3),
    ("pending", {"type": "b"}, 1),
    ("pending", {"org_id": "globex"}, 1),
    ("pending", {"org_id": "acme", "type": "c"}, 2),
    ("pending", {"status": "waiting"}, 1),
    ("pending", {"status": "queued"}, 4),
    ("active", {"org_id": "globex"}, 0),
    ("active", {"type": "count_words"}, 1),
    ("failed", {"type": "count_words"}, 1),
    ("failed", {"type": "a"}, 0),
    ("failed", {"file_id": 7}, 0),
]
WRONG: list[tuple[Row, str]] = [
    ({"action": "some"}, "action: expected all, pending"),
    ({"action": None}, "action: expected all, pending"),
    ({"action": "by_file"}, "file_id: by_file wants it"),
    ({"action": "by_org", "filter": {"org_id": None}}, "org_id: by_org wants it"),
    ({"action": "all", "filter": {"colour": "x"}}, "colour: this list is narrowed down by type, org_id"),
    ({"action": "all", "filter": {"org_id": 7}}, "org_id: expected a string"),
    ({"action": "all", "filter": {"org_id": "x" * 1025}}, "org_id: at most 1,024"),
    ({"action": "all", "filter": {"type": "Not A Type"}}, "type: expected a job type"),
    ({"action": "all", "filter": {"status": "gone"}}, "status: expected one of waiting"),
    ({"action": "pending", "filter": {"status": "done"}}, "status: a pending job is waiting or queued"),
    ({"action": "all", "filter": {"file_id": "seven"}}, "file_id: expected the number of a file"),
    ({"action": "all", "filter": {"file_id": 10**20}}, "file_id: expected the number of a file"),
]
CURSORS = [
    ("all", "all_"),
    ("all", "all_0"),
    ("all", "all_99999999999999999999"),
    ("all", "active_7"),
    ("all", "all_7\n"),
    ("all", ""),
    ("active", "all_7"),
    ("failed", "failed_7"),
    ("failed", "failed_9999999999999999999_7"),
    ("pending", "pending_1_3_0_7"),
    ("pending", "pending_1_1_0.5_7"),
    ("pending", "pending_1_0_1e999_7"),
    ("pending", "pending_1_0_nan_7"),
]


def listed(queue: Queue, action: str, page_size: int = 50, **narrowed: Any) -> list[Row]:
    """All rows of a list, page by page."""
    rows: list[Row] = []
    cursor = None
    while True:
        page = queue.call("list_jobs", action=action, filter=narrowed, page_size=page_size, cursor=cursor)
        rows += page["jobs"]
        cursor = page["next"]
        if cursor is None:
            return rows


def ids(rows: list[Row]) -> list[int]:
    return [row["id"] for row in rows]


@pytest.fixture
def mixed(queue: Queue) -> dict[str, list[int]]:
    """Some jobs of every status: their ids."""
    done, failed, active = (queue.enqueue(payload={"n": n})["job_id"] for n in range(3))
    jobs = {job["job_id"]: job for job in queue.claim()}
    queue.resolve_one(jobs[done])
    queue.resolve_one(jobs[failed], "failed", error="x" * 600)
    first, waiting = queue.enqueue_many({"type": "a", "ref": "a"}, {"type": "b", "after": ["a"]})
    urgent = queue.enqueue("c", "globex", priority=5)["job_id"]
    later = queue.enqueue("c", run_at="2999-01-01T00:00:00Z")["job_id"]
    sooner = queue.enqueue("c", payload={"n": 1}, run_at="2998-01-01T00:00:00Z")["job_id"]
    cancelled = queue.enqueue("d")["job_id"]
    queue.call("cancel_job", job_id=cancelled)
    return {
        "all": sorted(
            [done, failed, active, first["job_id"], waiting["job_id"], urgent, later, sooner, cancelled]
        )[::-1],
        "active": [active],
        "failed": [failed],
        "pending": [urgent, first["job_id"], sooner, later, waiting["job_id"]],
    }


@pytest.mark.parametrize("page_size", [1, 2, 3, 50])
@pytest.mark.parametrize("action", ["all", "active", "failed", "pending"])
def test_a_list_shows_each_of_its_jobs_once_in_its_order_whatever_the_size_of_its_pages(
    queue: Queue, mixed: dict[str, list[int]], action: str, page_size: int
) -> None:
    rows = listed(queue, action, page_size)

    assert ids(rows) == mixed[action]
    if action == "pending":
        assert [row["position"] for row in rows] == [1, 2, 3, 4, 5]


def test_the_pending_ones_stand_in_the_order_of_the_view(queue: Queue, mixed: dict[str, list[int]]) -> None:
    view = queue.rows("select id, waits_for from public.pending_jobs_queue order by position")

    assert [(row["id"], row["waits_for"]) for row in listed(queue, "pending")] == [
        (row["id"], row["waits_for"]) for row in view
    ]


def test_pages_go_on_where_many_jobs_share_a_moment(queue: Queue) -> None:
    queue.rows(
        "insert into public.jobs (org_id, type, max_attempts, idempotency_key, turn, run_at) "
        "select 'acme', 'a', 5, n::text, 'later', '2999-01-01' from generate_series(1, 20) n"
    )
    queue.rows(
        "insert into public.jobs (org_id, type, max_attempts, idempotency_key, status, completed_at) "
        "select 'acme', 'a', 5, 'f' || n, 'failed', '2020-01-01' from generate_series(1, 20) n"
    )

    assert len(set(ids(listed(queue, "pending", 7)))) == 20
    assert len(set(ids(listed(queue, "failed", 7)))) == 20


def test_suspects_stand_among_the_ready_ones(queue: Queue) -> None:
    suspect = queue.enqueue(payload={"n": 1})["job_id"]
    queue.claim_one()
    queue.expire_lease(suspect)
    ready = queue.enqueue(payload={"n": 2})["job_id"]
    queue.claim(types=["none"])

    assert set(ids(listed(queue, "pending", 1))) == {suspect, ready}


def test_a_row_says_what_is_known_without_a_second_question(
    queue: Queue, mixed: dict[str, list[int]]
) -> None:
    (failed,) = listed(queue, "failed")
    (active,) = listed(queue, "active")

    assert failed["last_error"] == "x" * 500
    assert failed["running_seconds"] is None
    assert active["running_seconds"] >= 0
    assert 0 < active["lease_left_seconds"] <= 120
    assert not failed.keys() & {"payload", "output", "lease_token", "position"}


def test_the_jobs_of_a_file_come_with_its_path(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    upload(queue.connection, "acme/b.txt")
    (file,) = queue.rows("select id from public.ingested_files where path = 'acme/b.txt'")

    rows = listed(queue, "by_file", 1, file_id=file["id"])

    assert {row["path"] for row in rows} == {"acme/b.txt"}
    assert len(rows) == 3
    assert ids(listed(queue, "all", file_id=str(file["id"]))) == ids(rows)
    assert [row["status"] for row in listed(queue, "pending", file_id=file["id"], status="waiting")] == [
        "waiting"
    ]


def test_the_pending_jobs_of_one_file_are_no_queue_and_have_no_positions(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    (file,) = queue.rows("select id from public.ingested_files")

    rows = listed(queue, "pending", 1, file_id=file["id"])

    assert len(rows) == 3
    assert not any("position" in row for row in rows)


def test_a_search_that_finds_little_goes_on_page_by_page(queue: Queue) -> None:
    old = queue.enqueue("rare")["job_id"]
    queue.rows(
        "insert into public.jobs (org_id, type, max_attempts, idempotency_key, status, completed_at) "
        "select 'acme', 'usual', 5, n::text, 'done', now() from generate_series(1, 5100) n"
    )

    first = queue.call("list_jobs", action="all", filter={"type": "rare"})
    then = queue.call("list_jobs", action="all", filter={"type": "rare"}, cursor=first["next"])

    assert (first["jobs"], ids(then["jobs"]), then["next"]) == ([], [old], None)


def test_a_page_is_never_larger_than_500(queue: Queue) -> None:
    queue.rows(
        "insert into public.jobs (org_id, type, max_attempts, idempotency_key) "
        "select 'acme', 'a', 5, n::text from generate_series(1, 510) n"
    )

    assert len(queue.call("list_jobs", action="all", page_size=100000)["jobs"]) == 500
    assert len(queue.call("list_jobs", action="all", page_size=-1)["jobs"]) == 1


def test_what_keeps_a_job_waiting_is_said(queue: Queue) -> None:
    queue.enqueue()
    queue.rows("insert into public.org_limits (org_id, max_concurrency) values ('acme', 0)")
    assert "may run at once" in listed(queue, "pending")[0]["waits_for"]

    queue.call("pause_processing", reason="deploying")
    assert listed(queue, "pending")[0]["waits_for"] == "processing is paused (deploying)"


def test_a_list_is_narrowed_down(queue: Queue, mixed: dict[str, list[int]]) -> None:
    assert len(mixed["all"]) == 9
    for action, narrowed, expected in NARROWED:
        assert len(listed(queue, action, 2, **narrowed)) == expected, (action, narrowed)


def test_a_wrong_question_is_named(queue: Queue) -> None:
    for arguments, message in WRONG:
        refused = refusal(queue, "list_jobs", **arguments)
        assert refused.startswith(f"22023 {message}"), (arguments, refused)


def test_a_cursor_that_the_list_did_not_give_out_is_refused(queue: Queue) -> None:
    for action, cursor in CURSORS:
        refused = refusal(queue, "list_jobs", action=action, cursor=cursor)
        assert refused.startswith("22023 cursor: not one that this list gave out"), (cursor, refused)


def test_a_cursor_survives_the_job_that_it_names(queue: Queue, mixed: dict[str, list[int]]) -> None:
    for action in ("all", "failed", "active", "pending"):
        page = queue.call("list_jobs", action=action, page_size=1)
        queue.rows("delete from public.jobs where id = %s", page["jobs"][0]["id"])

        rest = queue.call("list_jobs", action=action, cursor=page["next"])

        assert ids(rest["jobs"]) == [
            job_id
            for job_id in mixed[action][1:]
            if queue.rows("select id from public.jobs where id = %s", job_id)
        ]
