"""What members see of their cards, and how they change and review them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID, uuid4

import fsrs
import psycopg
import pytest

from handlers.ai.cards.schedule import new_schedule
from handlers.outputs import Card, Cards, CardSource
from tests.database.cards import NOW, PATH, REVIEW, as_member, process, row_of, seen_by
from tests.database.file_flow import card
from tests.database.queue import Queue, Row
from tests.database.storage import delete, move, upload
from tests.database.test_privileges import signed_in

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
