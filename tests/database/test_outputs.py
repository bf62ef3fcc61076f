"""What done jobs write: one analysis, one set of pictures and one set of cards per file, exactly once."""

from __future__ import annotations

from typing import Any

from tests.database.file_flow import card, run_flow
from tests.database.queue import Queue, Row
from tests.database.storage import move, upload


def all_cards(queue: Queue) -> list[Row]:
    return queue.rows("select id, card_key, front, file_id from public.cards order by card_key")


def test_outputs_stand_in_the_tables_when_the_jobs_are_done(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    run_flow(queue, [card("a"), card("b", front="What is a source?")])

    (analysis,) = queue.rows("select * from public.file_analyses")
    assert (analysis["title"], analysis["key_terms"]) == ("Rivers", ["delta", "source"])
    (thumbnail,) = queue.rows("select * from public.thumbnails")
    assert (thumbnail["path"], thumbnail["width"], thumbnail["placeholder"]) == (
        "acme/1/v/256.webp",
        256,
        "abc",
    )
    assert [row["card_key"] for row in all_cards(queue)] == ["a", "b"]
    (status,) = queue.rows("select status, path from public.file_status")
    assert status == {"status": "done", "path": "acme/notes.txt"}


def test_one_set_of_cards_remains_after_an_overwrite_and_known_cards_keep_their_id(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    run_flow(queue, [card("a"), card("b")])
    before = {row["card_key"]: row["id"] for row in all_cards(queue)}

    upload(queue.connection, "acme/notes.txt")
    run_flow(queue, [card("b", front="What is a river's delta?"), card("c")])

    after: dict[str, Any] = {row["card_key"]: row for row in all_cards(queue)}
    assert set(after) == {"b", "c"}
    assert after["b"]["id"] == before["b"]
    assert after["b"]["front"] == "What is a river's delta?"


def test_a_flow_that_runs_again_after_a_crash_leaves_no_doubles(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    lost = queue.claim()
    for job in lost:
        queue.expire_lease(job["job_id"])
    run_flow(queue, [card("a")])

    assert {answer["verdict"] for answer in queue.resolve(*_late(lost))} == {"lost"}
    assert len(all_cards(queue)) == 1
    assert len(queue.rows("select 1 from public.thumbnails")) == 1


def _late(jobs: list[Row]) -> list[Row]:
    return [{**job, "outcome": "done", "output": {"cards": [card("late")]}} for job in jobs]


def test_an_output_without_its_list_does_not_pass_for_an_empty_one(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    run_flow(queue, [card("a")])
    upload(queue.connection, "acme/notes.txt")
    queue.resolve(
        *({**job, "outcome": "done", "output": {"kind": "text", "thumbnails": []}} for job in queue.claim())
    )

    answer = queue.resolve_one(queue.claim_one(), output={})

    assert (answer["verdict"], 'no list "cards"' in answer["error"]) == ("error", True)
    assert len(all_cards(queue)) == 1


def test_a_card_that_stands_in_an_output_twice_is_one_card(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    run_flow(queue, [card("a"), card("a")])

    assert len(all_cards(queue)) == 1


def test_a_file_that_moves_to_another_organisation_leaves_nothing_readable_behind(queue: Queue) -> None:
    upload(queue.connection, "acme/notes.txt")
    run_flow(queue, [card("a")])
    move(queue.connection, "acme/notes.txt", "globex/notes.txt")
    run_flow(queue, [card("a")])

    rows = queue.rows("select org_id from public.cards union all select org_id from public.file_analyses")
    assert {row["org_id"] for row in rows} == {"globex"}


def test_cards_for_a_job_without_a_file_are_refused_with_the_reason(queue: Queue) -> None:
    queue.enqueue("create_cards")

    answer = queue.resolve_one(queue.claim_one(), output={"cards": []})

    assert answer["verdict"] == "error"
    assert "has no file" in answer["error"]
