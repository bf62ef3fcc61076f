"""Cards over time: what a file that is processed again changes, and what it leaves."""

from __future__ import annotations

import psycopg
import pytest

from tests.database.cards import NOW, PATH, REVIEW, as_member, keys, process, row_of
from tests.database.file_flow import card, run_flow
from tests.database.queue import Queue, Row
from tests.database.storage import move, upload
from tests.database.test_privileges import signed_in


def test_a_new_order_moves_the_cards_and_nothing_else(deck: Queue) -> None:
    before = {row["card_key"]: row for row in deck.rows("select * from public.cards")}

    process(deck, card("c"), card("a"), card("b"))

    after = {row["card_key"]: row for row in deck.rows("select * from public.cards")}
    assert keys(deck) == ["c", "a", "b"]
    for key, row in after.items():
        changed = {name for name in row if row[name] != before[key][name]}
        assert changed <= {"position", "file_id"}


def test_new_words_or_a_new_place_in_the_file_are_a_change_of_the_card(deck: Queue) -> None:
    before = {row["card_key"]: row["updated_at"] for row in deck.rows("select * from public.cards")}

    moved = {**card("b"), "source": {"page": 2, "quote": "A delta is …"}}
    process(deck, card("a", front="Reworded?"), moved, card("c"))

    changed = {
        row["card_key"]
        for row in deck.rows("select * from public.cards")
        if row["updated_at"] > before[row["card_key"]]
    }
    assert changed == {"a", "b"}


def test_an_edited_card_keeps_the_words_of_the_person_and_learns_where_it_stands_now(deck: Queue) -> None:
    edited = as_member(deck, "edit_card", card_id=row_of(deck, "a")["id"], front="Mine?", tags=["my own"])
    assert (edited["front"], edited["back"], edited["tags"]) == ("Mine?", "Where a river ends.", ["my own"])

    again = card("a", front="Theirs?", back="Theirs.")
    process(deck, {**again, "hint": "theirs", "source": {"page": 9, "quote": "A delta"}})

    row = row_of(deck, "a")
    assert (row["front"], row["back"], row["hint"], row["tags"]) == (
        "Mine?",
        "Where a river ends.",
        None,
        ["my own"],
    )
    assert row["source"]["page"] == 9
    assert keys(deck) == ["a"]


def test_an_edited_card_stays_when_its_file_says_it_no_more(deck: Queue) -> None:
    as_member(deck, "edit_card", card_id=row_of(deck, "c")["id"], back="Mine.")

    for _ in range(3):
        process(deck, card("x"), card("y"))

    assert keys(deck) == ["x", "y", "c"]
    assert [row["position"] for row in deck.rows("select position from public.cards order by 1")] == [0, 1, 2]


def test_a_removed_card_stays_away_and_can_come_back(deck: Queue) -> None:
    card_id = row_of(deck, "b")["id"]
    first = as_member(deck, "remove_card", card_id=card_id)
    assert as_member(deck, "remove_card", card_id=card_id) == first

    process(deck, card("a"), card("b"), card("c"))
    process(deck, card("a"))
    assert keys(deck) == ["a"]
    with signed_in(deck.connection, "authenticated", "acme"):
        assert [row["card_key"] for row in deck.rows("select card_key from public.cards")] == ["a"]

    restored = as_member(deck, "restore_card", card_id=card_id)
    assert (restored["id"], restored["removed_at"]) == (str(card_id), None)
    assert keys(deck) == ["a", "b"]
    process(deck, card("a"))
    assert keys(deck) == ["a"]  # it was neither edited nor reviewed


def test_a_card_that_nobody_touched_goes_with_its_sentence_and_comes_back_new(deck: Queue) -> None:
    before = row_of(deck, "b")["id"]
    process(deck, card("a"))
    assert keys(deck, "true") == ["a"]

    process(deck, card("a"), card("b"))
    assert row_of(deck, "b")["id"] != before


def test_a_card_that_was_reviewed_hides_and_comes_back_with_its_reviews(deck: Queue) -> None:
    card_id = row_of(deck, "b")["id"]
    as_member(deck, "schedule_card", card_id=card_id, **REVIEW)

    process(deck)  # text recognition failed, say
    process(deck)
    hidden = row_of(deck, "b")
    assert (keys(deck), hidden["gone_at"] is not None) == ([], True)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no card"):
        as_member(deck, "edit_card", card_id=card_id, front="Where?")

    process(deck, card("b", front="Reworded?"))
    back = row_of(deck, "b")
    assert (back["id"], back["fsrs_stability"], back["front"], back["gone_at"]) == (
        card_id,
        4.2,
        "Reworded?",
        None,
    )


def test_a_card_that_hides_and_is_restored_stays_from_then_on(deck: Queue) -> None:
    card_id = row_of(deck, "b")["id"]
    as_member(deck, "schedule_card", card_id=card_id, **REVIEW)
    process(deck, card("a"))

    as_member(deck, "restore_card", card_id=card_id)
    process(deck, card("a"))

    assert keys(deck) == ["a", "b"]


def test_reviews_and_their_due_time_outlive_every_new_version(deck: Queue) -> None:
    as_member(deck, "schedule_card", card_id=row_of(deck, "a")["id"], **REVIEW)

    process(deck, card("b"), card("a", front="Reworded?"))

    row = row_of(deck, "a")
    assert (row["fsrs_state"], row["fsrs_step"], row["due"], row["last_review"]) == (
        2,
        None,
        REVIEW["due"],
        NOW,
    )
    assert row["front"] == "Reworded?"


def test_an_older_version_that_is_resolved_late_changes_no_card(queue: Queue) -> None:
    upload(queue.connection, PATH)
    analysis = {"kind": "text", "mime_type": "text/plain", "title": "t", "content": [], "provider": "offline"}
    pictures: Row = {"thumbnails": [], "placeholder": None}
    outputs: dict[str, Row] = {"analyze_file": analysis, "create_thumbnail": pictures}
    for job in queue.claim():
        queue.resolve_one(job, output=outputs[job["type"]])
    late = queue.claim_one()
    process(queue, card("new"))

    answer = queue.resolve_one(late, output={"cards": [card("old")]})

    assert answer["verdict"] in ("superseded", "lost")
    assert keys(queue, "true") == ["new"]


def test_the_first_of_two_elements_with_one_key_is_the_card(queue: Queue) -> None:
    process(queue, card("a", front="First?"), card("b"), card("a", front="Second?"))

    assert (row_of(queue, "a")["front"], keys(queue)) == ("First?", ["a", "b"])
    process(queue, card("a", front="First?"), card("a", front="Second?"))
    assert (row_of(queue, "a")["front"], keys(queue)) == ("First?", ["a"])


def test_five_hundred_cards_keep_their_order_and_their_ids(queue: Queue) -> None:
    many = [card(f"key-{number}", front=f"Question {number}?") for number in range(500)]
    process(queue, *many)
    before = {row["card_key"]: row["id"] for row in queue.rows("select card_key, id from public.cards")}

    process(queue, *reversed(many[100:]))

    assert keys(queue) == [f"key-{number}" for number in range(499, 99, -1)]
    after = {row["card_key"]: row["id"] for row in queue.rows("select card_key, id from public.cards")}
    assert after.items() <= before.items()


def test_a_touched_card_moves_to_the_organisation_with_its_file(
    deck: Queue,
) -> None:
    card_id = row_of(deck, "a")["id"]
    as_member(deck, "edit_card", card_id=card_id, front="Mine?")
    move(deck.connection, PATH, "globex/notes.txt")
    run_flow(deck, [card("z")])
    assert {row["org_id"] for row in deck.rows("select org_id from public.cards")} == {"globex"}
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no card"):
        as_member(deck, "remove_card", card_id=card_id)
