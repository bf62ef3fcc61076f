"""A suspect runs with nothing beside it in the process, and nobody waits for that for ever."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from functions.clock import SystemClock
from functions.errors import QueueUnavailable
from functions.room import Room
from functions.runner import start_thread
from functions.tick import run_tick
from functions.tick_options import TickOptions
from tests.unit.fakes import FakeClock, FakeQueue, HeldThreads
from tests.unit.support import claimed, doing, runner_for, tick

OTHER_TICK = object()


def test_a_suspect_starts_when_the_jobs_of_other_ticks_in_the_process_have_ended() -> None:
    room, clock, started = Room(), FakeClock(), []
    assert room.enter(OTHER_TICK, alone=False)
    clock.at(10, room.leave)
    report = tick(
        FakeQueue([claimed(1, alone=True)]),
        doing(lambda: started.append(clock.now())),
        clock=clock,
        room=room,
    )
    assert report.succeeded == 1
    assert 1010 <= started[0] < 1011


def test_nothing_starts_in_the_process_while_a_suspect_runs_or_waits_to() -> None:
    room, clock, threads, asked = Room(), FakeClock(), HeldThreads(), list[bool]()
    assert room.enter(OTHER_TICK, alone=False)

    def ask() -> None:
        asked.append(room.enter(OTHER_TICK, alone=False))

    clock.at(1, ask)  # it waits
    clock.at(2, room.leave)
    clock.at(3, ask)  # it runs
    clock.at(4, threads.run_next)
    clock.at(6, ask)  # it is done
    queue = FakeQueue([claimed(1, alone=True)])
    queue.when_resolved = lambda: queue.batches.append([claimed(2)])
    clock.at(8, threads.run_next)
    tick(queue, doing(lambda: 1), clock=clock, start=threads, room=room, concurrency=4)
    assert asked == [False, False, True]


def test_its_own_tick_claims_nothing_while_a_suspect_runs() -> None:
    clock, threads, claims = FakeClock(), HeldThreads(), list[int]()
    queue = FakeQueue([claimed(1, alone=True)], [claimed(2)])
    clock.at(20, lambda: claims.append(len(queue.claims)))
    clock.at(21, threads.run_next)
    clock.at(25, threads.run_next)
    assert tick(queue, doing(lambda: 1), clock=clock, start=threads, room=Room()).succeeded == 2
    assert claims == [1]


def test_jobs_that_were_claimed_with_a_suspect_wait_for_it_and_it_for_them() -> None:
    clock, threads, side_by_side = FakeClock(), HeldThreads(), list[int]()
    queue = FakeQueue([claimed(1), claimed(2, alone=True), claimed(3), claimed(4)])

    def end_one() -> None:
        side_by_side.append(len(threads.held))
        threads.run_next()

    for second in (1, 2, 3, 4):
        clock.at(second, end_one)
    assert tick(queue, doing(lambda: 1), clock=clock, start=threads, room=Room()).succeeded == 4
    assert side_by_side == [1, 1, 2, 1]


def test_a_tick_claims_nothing_while_another_one_runs_a_suspect() -> None:
    room = Room()
    assert room.enter(OTHER_TICK, alone=True)
    queue = FakeQueue([claimed(1)])
    assert tick(queue, doing(lambda: 1), room=room).processed == 0
    assert queue.claims == []


def test_a_suspect_that_never_gets_the_process_to_itself_is_released_and_keeps_nobody_out() -> None:
    room = Room()
    assert room.enter(OTHER_TICK, alone=False)
    queue = FakeQueue([claimed(1, alone=True)])
    report = tick(queue, doing(lambda: 1), room=room)
    assert (queue.outcomes(), report.released) == ({1: "release"}, 1)
    assert room.enter(OTHER_TICK, alone=False)


def test_of_two_suspects_the_second_waits_for_the_first() -> None:
    room, me = Room(), object()
    assert room.enter(OTHER_TICK, alone=True)
    assert not room.enter(me, alone=True)
    room.give_up(me)  # which is not its to give
    assert room.is_closed
    room.leave()
    assert room.enter(me, alone=True)


def test_a_suspect_that_is_given_up_makes_room_although_its_thread_hangs() -> None:
    room, clock = Room(), FakeClock()
    queue = FakeQueue([claimed(1, alone=True, timeout_seconds=5)], [claimed(2)])
    threads = HeldThreads()
    clock.at(20, lambda: threads.held.pop()())
    assert tick(queue, doing(lambda: 1), clock=clock, start=threads, room=room).succeeded == 1
    assert queue.outcomes() == {1: "retry", 2: "done"}


def test_a_tick_that_ends_in_an_error_leaves_the_room() -> None:
    room = Room()

    def no_thread(_: Any) -> None:
        raise QueueUnavailable("whatever")

    for job in (claimed(1, alone=True), claimed(2)):
        with pytest.raises(QueueUnavailable):
            tick(FakeQueue([job]), doing(lambda: 1), start=no_thread, room=room)
    assert room.enter(OTHER_TICK, alone=True)


def test_suspects_of_real_ticks_on_real_threads_never_meet() -> None:
    room, most, lock = Room(), list[int](), threading.Lock()
    running = 0

    def work() -> None:
        nonlocal running
        with lock:
            running += 1
            most.append(running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1

    def one_tick(*jobs: Any) -> None:
        clock = SystemClock()
        runner = runner_for(doing(work), clock)  # type: ignore[arg-type]
        options = TickOptions(drain=False)
        run_tick(FakeQueue(jobs), runner, options, stop=threading.Event(), start=start_thread, room=room)

    ticks = [threading.Thread(target=one_tick, args=(claimed(n, alone=True),)) for n in range(3)]
    for thread in ticks:
        thread.start()
    for thread in ticks:
        thread.join(timeout=20)
    assert set(most) == {1}
