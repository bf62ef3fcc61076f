"""One job, or one file, with all that is known of it."""

from __future__ import annotations

from typing import Any

from tests.database.cards import process
from tests.database.file_flow import card, run_flow
from tests.database.queue import Queue, Row, refusal
from tests.database.storage import upload

NARROWED: list[tuple[Row, list[str]]] = [
    ({}, ["globex/c.txt", "acme/100%_b.txt", "acme/a.txt"]),
    ({"org_id": "acme"}, ["acme/100%_b.txt", "acme/a.txt"]),
    ({"org_id": "nobody"}, []),
    ({"path": "A.T"}, ["acme/a.txt"]),
    ({"path": "0%_"}, ["acme/100%_b.txt"]),
    ({"path": "%"}, ["acme/100%_b.txt"]),
    ({"path": "\\"}, []),
    ({"path": "_b", "org_id": "acme", "status": "waiting"}, ["acme/100%_b.txt"]),
    ({"status": "done"}, []),
    ({"status": "waiting"}, ["globex/c.txt", "acme/100%_b.txt", "acme/a.txt"]),
]
WRONG: list[tuple[Row, str]] = [
    ({"filter": {"type": "a"}}, "type: this list is narrowed down by org_id, status, path only"),
    ({"filter": {"path": 7}}, "path: expected a string"),
    ({"filter": {"status": "queued"}}, "status: expected one of waiting, processing"),
    ({"cursor": "files_1"}, "cursor: not one that this list gave out"),
]


def files(queue: Queue, page_size: int = 50, **narrowed: Any) -> list[Row]:
    """All rows of the list of files, page by page."""
    rows: list[Row] = []
    cursor = None
    while True:
        page = queue.call("list_files", filter=narrowed, page_size=page_size, cursor=cursor)
        rows += page["files"]
        cursor = page["next"]
        if cursor is None:
            return rows


def test_a_job_is_described_with_its_attempts_the_latest_first(queue: Queue) -> None:
    job_id = queue.enqueue(payload={"n": 1})["job_id"]
    queue.resolve_one(queue.claim_one(), "retry", error="not yet", retry_in=0)
    queue.claim_one()

    told = queue.call("describe_job", job_id=job_id)

    assert (told["status"], told["payload"], told["attempts"]) == ("processing", {"n": 1}, 2)
    (run,) = told["runs"]
    assert (run["attempt"], run["outcome"], run["error"]) == (1, "retry", "not yet")
    assert told["worker_id"] == queue.worker_id


def test_nobody_learns_a_lease_token_from_it(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    queue.resolve_one(queue.claim_one(), "retry", error="not yet", retry_in=0)
    job = queue.claim_one()

    told = str(queue.call("describe_job", job_id=job_id))

    (run,) = queue.rows("select lease_token from public.job_runs")
    assert job["lease_token"] not in told
    assert str(run["lease_token"]) not in told


def test_a_flow_is_told_in_both_directions(queue: Queue) -> None:
    parent, child = queue.enqueue_many({"type": "a", "ref": "first"}, {"type": "b", "after": ["first"]})

    above = queue.call("describe_job", job_id=parent["job_id"])
    below = queue.call("describe_job", job_id=child["job_id"])

    assert above["children"] == [{"id": child["job_id"], "type": "b", "status": "waiting", "ref": "first"}]
    assert below["parents"] == [{"id": parent["job_id"], "type": "a", "status": "queued", "ref": "first"}]
    assert (above["parents"], below["children"]) == ([], [])
    assert (below["waiting_for"], below["waits_for"]) == (1, "1 unfinished job(s)")


def test_what_is_too_large_to_show_is_measured_instead(queue: Queue) -> None:
    job_id = queue.enqueue(payload={"text": "x" * 70000})["job_id"]

    assert queue.call("describe_job", job_id=job_id)["payload"] == {"too_large": 70012}


def test_only_the_last_fifty_attempts_are_shown(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    queue.rows(
        "insert into public.job_runs (job_id, org_id, type, attempt, worker_id, lease_token, outcome, started_at) "
        "select %s, 'acme', 'a', n, gen_random_uuid(), gen_random_uuid(), 'snooze', now() "
        "from generate_series(1, 60) n",
        job_id,
    )

    runs = queue.call("describe_job", job_id=job_id)["runs"]

    assert [run["attempt"] for run in runs] == list(range(60, 10, -1))


def test_the_file_of_a_job_is_told(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")

    told = queue.call("describe_job", job_id=queue.claim()[0]["job_id"])

    assert (told["file"]["path"], told["file"]["bucket_id"], told["path"]) == (
        "acme/a.txt",
        "ingest",
        "acme/a.txt",
    )


def test_what_is_not_there_is_null(queue: Queue) -> None:
    for number in (404, -1, 2**62):
        assert queue.call("describe_job", job_id=number) is None
        assert queue.call("describe_file", file_id=number) is None


def test_a_file_is_listed_with_its_jobs_and_what_they_made(queue: Queue) -> None:
    process(queue, card("a"), card("b"))

    (file,) = files(queue)

    assert (file["path"], file["title"], file["cards"], file["thumbnail"], file["status"]) == (
        "acme/notes.txt",
        "Rivers",
        2,
        True,
        "done",
    )
    assert {job["type"]: job["status"] for job in file["jobs"]} == {
        "analyze_file": "done",
        "create_thumbnail": "done",
        "create_cards": "done",
    }


def test_a_file_is_described_with_its_analysis_pictures_and_cards(queue: Queue) -> None:
    process(queue, card("a"), card("b", front="Where?"))
    queue.rows("update public.cards set removed_at = now() where card_key = 'a'")
    (file,) = files(queue)

    told = queue.call("describe_file", file_id=file["id"])

    assert (told["analysis"]["title"], told["analysis"]["topics"]) == ("Rivers", ["water"])
    assert [(t["size"], t["bucket_id"]) for t in told["thumbnails"]] == [(256, "thumbnails")]
    assert [(c["question"], c["answer"]) for c in told["cards"]] == [("Where?", "Where a river ends.")]


def test_the_list_shows_current_files_only_and_an_older_version_is_described_as_such(queue: Queue) -> None:
    process(queue, card("a"))
    (old,) = files(queue)
    upload(queue.connection, "acme/notes.txt")
    run_flow(queue, [card("a")])

    (new,) = files(queue)

    assert new["id"] != old["id"]
    assert queue.call("describe_file", file_id=old["id"])["status"] == "superseded"


def test_files_are_narrowed_down_and_come_the_latest_first(queue: Queue) -> None:
    for path in ("acme/a.txt", "acme/100%_b.txt", "globex/c.txt"):
        upload(queue.connection, path)

    for page_size in (1, 2, 50):
        for narrowed, expected in NARROWED:
            found = [file["path"] for file in files(queue, page_size, **narrowed)]
            assert found == expected, (narrowed, page_size)


def test_a_wrong_question_about_files_is_named(queue: Queue) -> None:
    for arguments, message in WRONG:
        refused = refusal(queue, "list_files", **arguments)
        assert refused.startswith(f"22023 {message}"), (arguments, refused)
