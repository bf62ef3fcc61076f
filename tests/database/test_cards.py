"""Cards over time: files that are processed again, people who change and review what they got."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import fsrs
import psycopg
import pytest

from handlers.ai.cards.schedule import new_schedule
from handlers.outputs import Card, Cards, CardSource
from tests.database.file_flow import card, run_flow
from tests.database.queue import Queue, Row
from tests.database.storage import delete, move, upload
from tests.database.test_privileges import signed_in

PATH = "acme/notes.txt"
NOW = datetime.now(UTC)
REVIEW: Row = {
    "state": 2,
    "step": None,
    "stability": 4.2,
    "difficulty": 5.5,
    "due": NOW + timedelta(days=4),
    "last_review": NOW,
}
SEEN = "removed_at is null and gone_at is null"


EDITS: list[tuple[Row, str]] = [
    ({"front": " "}, "front and back of a card must not be empty"),
    ({"back": ""}, "front and back of a card must not be empty"),
    ({"front": "x" * 4001}, "4000 characters"),
    ({"hint": "x" * 4001}, "4000 characters"),
    ({"tags": ["ok", ""]}, "none of them empty"),
    ({"tags": ["ok", None]}, "none of them empty"),
    ({"tags": ["x"] * 21}, "20 tags"),
    ({"tags": ["x" * 101]}, "longer than 100"),
    ({"tags": [["a", "b"], ["c", "d"]]}, "plain list"),
]


REVIEWS: list[tuple[Row, str]] = [
    ({"state": 0}, "state has to be 1"),
    ({"state": None}, "state has to be 1"),
    ({"step": 0}, "step has to be null in state 2"),
    ({"state": 1}, "step has to be null in state 2"),
    ({"state": 3, "step": -1}, "a number from 0"),
    ({"state": 3, "step": 101}, "a number from 0 to 100"),
    ({"stability": 0}, "stability"),
    ({"stability": float("nan")}, "stability"),
    ({"stability": float("inf")}, "stability"),
    ({"stability": 365_001}, "at most 365000"),
    ({"stability": None}, "stability"),
    ({"difficulty": 0.9}, "difficulty"),
    ({"difficulty": float("nan")}, "difficulty"),
    ({"difficulty": None}, "difficulty"),
    ({"due": None}, "due has to be"),
    ({"due": NOW - timedelta(days=1)}, "due has to be a time after"),
    ({"due": NOW + timedelta(days=365 * 300)}, "due has to be"),
    ({"due": "infinity"}, "due has to be"),
    ({"last_review": None}, "last_review has to be"),
    ({"last_review": "-infinity"}, "last_review has to be"),
    ({"last_review": "0044-03-15 BC", "due": "0043-01-01 BC"}, "last_review has to be"),
    ({"last_review": NOW + timedelta(days=1)}, "last_review has to be"),
]


@pytest.fixture
def deck(queue: Queue) -> Queue:
    """A queue whose one file has the cards a, b and c."""
    process(queue, card("a"), card("b"), card("c"))
    return queue


def process(queue: Queue, *cards: Row) -> None:
    """Uploads the file, again if it is there, and resolves its jobs."""
    upload(queue.connection, PATH)
    run_flow(queue, list(cards))


def as_member(queue: Queue, function: str, /, *, org: str = "acme", **arguments: Any) -> Any:
    """Calls a function as a signed-in user of that organisation, as over REST."""
    call = ", ".join(f"{name} => %({name})s" for name in arguments)
    with signed_in(queue.connection, "authenticated", org):
        row = queue.connection.execute(f"select public.{function}({call})".encode(), arguments).fetchone()
    return row[0] if row else None


def seen_by(queue: Queue, org: str, table: str) -> int:
    """How many rows a signed-in user of that organisation reads."""
    with signed_in(queue.connection, "authenticated", org):
        row = queue.connection.execute(f"select count(*) from public.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def row_of(queue: Queue, key: str) -> Row:
    (row,) = queue.rows("select * from public.cards where card_key = %s", key)
    return row


def keys(queue: Queue, where: str = SEEN) -> list[str]:
    rows = queue.rows(f"select card_key from public.cards where {where} order by position, id")
    return [row["card_key"] for row in rows]


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


@pytest.mark.parametrize("what", ["deleted", "moved to others"])
def test_nothing_that_was_made_from_a_file_is_seen_once_it_is_gone(deck: Queue, what: str) -> None:
    made = ("cards", "file_analyses", "thumbnails")
    before = {table: seen_by(deck, "acme", table) for table in made}
    upload(deck.connection, PATH)
    overwritten = {table: seen_by(deck, "acme", table) for table in made}
    card_id = row_of(deck, "a")["id"]
    if what == "deleted":
        delete(deck.connection, PATH)
    else:
        move(deck.connection, PATH, "globex/notes.txt")

    assert before == overwritten == {"cards": 3, "file_analyses": 1, "thumbnails": 1}
    assert {table: seen_by(deck, "acme", table) for table in made} == dict.fromkeys(made, 0)
    for function in ("edit_card", "remove_card", "restore_card"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no card"):
            as_member(deck, function, card_id=card_id)


def test_a_card_of_another_organisation_is_as_if_it_did_not_exist(deck: Queue) -> None:
    before = deck.rows("select * from public.cards order by id")
    cards = (row_of(deck, "a")["id"], uuid4())
    functions: dict[str, Row] = {
        "edit_card": {},
        "remove_card": {},
        "restore_card": {},
        "schedule_card": REVIEW,
    }

    for function, org, card_id in product(functions, ("globex", "ACME", ""), cards):
        with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
            as_member(deck, function, org=org, card_id=card_id, **functions[function])
        assert caught.value.diag.message_primary == f"there is no card {card_id}"

    assert deck.rows("select * from public.cards order by id") == before


def test_only_signed_in_users_change_cards(queue: Queue) -> None:
    for function, role in product(("edit_card", "remove_card", "restore_card"), ("anon", "service_role")):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            signed_in(queue.connection, role, "acme"),
        ):
            queue.connection.execute(f"select public.{function}(gen_random_uuid())".encode())


def test_an_edit_that_leaves_no_card_to_learn_is_refused(deck: Queue) -> None:
    before = row_of(deck, "a")
    for change, sentence in EDITS:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=sentence):
            as_member(deck, "edit_card", card_id=before["id"], **change)
    assert row_of(deck, "a") == before


def test_a_cloze_keeps_exactly_one_gap(queue: Queue) -> None:
    process(queue, {**card("a", front="A […] ends a river."), "type": "cloze"})
    card_id = row_of(queue, "a")["id"]
    for front in ("no gap", "[…] and […]"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="exactly one gap"):
            as_member(queue, "edit_card", card_id=card_id, front=front)
    assert as_member(queue, "edit_card", card_id=card_id, front="Its […].")["front"] == "Its […]."


def test_null_leaves_a_field_and_an_empty_hint_takes_it_away(deck: Queue) -> None:
    card_id = row_of(deck, "a")["id"]
    assert as_member(deck, "edit_card", card_id=card_id, hint=" wet ")["hint"] == "wet"
    assert as_member(deck, "edit_card", card_id=card_id, hint=None, back="New.")["hint"] == "wet"
    edited = as_member(deck, "edit_card", card_id=card_id, hint="", tags=[])
    assert (edited["hint"], edited["tags"], edited["back"]) == (None, [], "New.")


def test_saving_a_card_as_it_was_is_no_edit(deck: Queue) -> None:
    before = row_of(deck, "a")
    same = {name: before[name] for name in ("front", "back", "hint", "tags")}
    saved = as_member(deck, "edit_card", card_id=before["id"], **same)
    assert (saved["front"], saved["edited_at"], row_of(deck, "a")) == (before["front"], None, before)
    process(deck, card("a", front="What the file says now"), card("b"), card("c"))
    assert row_of(deck, "a")["front"] == "What the file says now"


def test_a_state_that_fsrs_cannot_be_in_is_refused(deck: Queue) -> None:
    before = row_of(deck, "a")
    for change, sentence in REVIEWS:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=sentence):
            as_member(deck, "schedule_card", card_id=before["id"], **{**REVIEW, **change})
    assert row_of(deck, "a") == before


def test_a_review_that_arrives_late_does_not_replace_a_later_one(deck: Queue) -> None:
    card_id = row_of(deck, "a")["id"]
    as_member(deck, "schedule_card", card_id=card_id, **REVIEW)
    as_member(deck, "schedule_card", card_id=card_id, **REVIEW)  # sent again after a lost answer

    with pytest.raises(psycopg.Error, match="reviewed at") as caught:
        as_member(
            deck, "schedule_card", card_id=card_id, **{**REVIEW, "last_review": NOW - timedelta(days=1)}
        )

    assert caught.value.sqlstate == "PT409"
    assert row_of(deck, "a")["last_review"] == NOW


def fsrs_card(row: Row) -> fsrs.Card:
    """A row of `cards` as the package fsrs takes it."""
    return fsrs.Card(
        card_id=UUID(str(row["id"])).int,
        state=fsrs.State(row["fsrs_state"]),
        step=row["fsrs_step"],
        stability=row["fsrs_stability"],
        difficulty=row["fsrs_difficulty"],
        due=row["due"],
        last_review=row["last_review"],
    )


def test_a_new_card_is_due_at_once_and_every_review_goes_there_and_back(queue: Queue) -> None:
    made = Card(
        key="k",
        type="basic",
        front="What is a delta?",
        back="Where a river ends.",
        source=CardSource(quote="A delta is …"),
        difficulty=0.3,
        confidence=0.9,
        fsrs=new_schedule(),
    )
    process(queue, *json.loads(Cards(cards=[made]).model_dump_json())["cards"])
    new = row_of(queue, "k")
    assert new["due"] <= datetime.now(UTC)
    assert fsrs_card(new).to_dict() == fsrs.Card(card_id=UUID(str(new["id"])).int, due=new["due"]).to_dict()

    scheduler = fsrs.Scheduler(enable_fuzzing=False)
    reviewed, when = fsrs_card(new), NOW - timedelta(days=60)
    for rating in (fsrs.Rating.Good, fsrs.Rating.Good, fsrs.Rating.Again, fsrs.Rating.Good, fsrs.Rating.Easy):
        reviewed, _ = scheduler.review_card(fsrs_card(row_of(queue, "k")), rating, when)
        as_member(
            queue,
            "schedule_card",
            card_id=new["id"],
            state=int(reviewed.state),
            step=reviewed.step,
            stability=reviewed.stability,
            difficulty=reviewed.difficulty,
            due=reviewed.due,
            last_review=reviewed.last_review,
        )
        assert fsrs_card(row_of(queue, "k")).to_dict() == reviewed.to_dict()
        when = reviewed.due
    assert reviewed.state == fsrs.State.Review
