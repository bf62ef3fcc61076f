"""The jobs that a tick holds: one that it lets go of is gone, and its handler and its place in the room with it."""

from __future__ import annotations

from typing import Any

import pytest

from functions.errors import LeaseLost
from functions.held_jobs import HeldJobs
from functions.queue_rows import ClaimedJob
from functions.room import Room
from functions.runner import Attempt
from tests.unit.fakes import FakeClock
from tests.unit.support import claimed, doing, runner_for

OTHER = object()


def attempt_at(job: ClaimedJob) -> Attempt:
    return runner_for(doing(lambda: 1), FakeClock()).attempt(job, tick_ends=2000)


def holding(room: Room, *jobs: ClaimedJob) -> HeldJobs:
    held = HeldJobs(room)
    held.add(jobs)
    return held


def started(held: HeldJobs) -> Attempt:
    attempt = held.start_next(attempt_at)
    assert attempt is not None
    return attempt


def test_a_running_job_that_is_dropped_is_held_no_more_and_its_handler_hears_of_it() -> None:
    held = holding(Room(), claimed(1), claimed(2))
    attempt = started(held)

    assert held.drop(1, "somebody cancelled it") is attempt.job
    assert held.ids() == [2]
    assert [lease.job_id for lease in held.leases()] == [2]
    with pytest.raises(LeaseLost, match="somebody cancelled it"):
        attempt.context.seconds_left()
    assert not held.finish(attempt)


def test_a_running_job_that_is_dropped_leaves_the_room() -> None:
    room = Room()
    held = holding(room, claimed(1))
    started(held)
    assert not room.enter(OTHER, alone=True)
    room.give_up(OTHER)

    held.drop(1, "lost")

    assert room.enter(OTHER, alone=True)


def test_a_waiting_job_that_is_dropped_never_starts() -> None:
    held = holding(Room(), claimed(1), claimed(2))

    dropped = held.drop(1, "lost")

    assert dropped is not None
    assert dropped.job_id == 1
    assert held.ids() == [2]
    assert started(held).job.job_id == 2


def test_a_job_that_nobody_holds_is_dropped_without_a_trace() -> None:
    held = holding(Room(), claimed(1))

    assert held.drop(7, "lost") is None
    assert held.ids() == [1]


def test_a_job_that_was_claimed_again_is_held_once_under_its_new_lease() -> None:
    held = holding(Room(), claimed(1))
    old = started(held)

    held.add([claimed(1, lease_token="new")])

    assert [lease.lease_token for lease in held.leases()] == ["new"]
    with pytest.raises(LeaseLost, match="claimed again"):
        old.context.seconds_left()


@pytest.mark.parametrize(
    "lost", [lambda held: held.drop(1, "lost"), lambda held: held.take_waiting()], ids=["dropped", "taken"]
)
def test_a_suspect_that_waited_and_is_held_no_more_keeps_the_room_for_nobody(lost: Any) -> None:
    room = Room()
    held = holding(room, claimed(1, alone=True))
    assert room.enter(OTHER, alone=False)
    assert held.start_next(attempt_at) is None
    assert room.is_closed

    lost(held)

    assert not room.is_closed
    assert room.enter(OTHER, alone=False)


def test_whoever_waits_for_another_reason_takes_no_room_from_a_suspect() -> None:
    room = Room()
    room.enter(OTHER, alone=False)
    held = holding(room, claimed(1, alone=True))
    assert held.start_next(attempt_at) is None

    room.give_up(OTHER)

    assert room.is_closed


def test_a_suspect_that_runs_keeps_the_room_though_its_tick_wants_no_more() -> None:
    room = Room()
    held = holding(room, claimed(1, alone=True), claimed(2))
    started(held)

    held.drop(2, "lost")

    assert not room.enter(OTHER, alone=False)
