"""What one tick does about SIGTERM: what fits into the last seconds is finished, the rest is given back."""

from __future__ import annotations

import threading

import pytest

from tests.unit.fakes import FakeClock, FakeQueue, HeldThreads
from tests.unit.support import Output, claimed, doing, handler_of, tick

PATIENT = handler_of(lambda *_: Output(), timeout=600)


def test_on_a_stop_nothing_new_starts_and_what_runs_gets_its_seconds() -> None:
    queue, clock, threads, stop = (
        FakeQueue([claimed(1), claimed(2)]),
        FakeClock(),
        HeldThreads(),
        threading.Event(),
    )
    clock.at(2, stop.set)
    clock.at(8, threads.run_next)
    tick(queue, doing(lambda: 1), clock=clock, start=threads, concurrency=1, stop=stop)
    assert queue.outcomes() == {1: "done", 2: "release"}
    assert threads.held == [], "the slot that became free stays empty"


def test_on_a_stop_what_does_not_finish_in_time_is_released() -> None:
    queue, clock, threads, stop = FakeQueue([claimed(1)]), FakeClock(), HeldThreads(), threading.Event()
    clock.at(30, stop.set)
    tick(queue, doing(lambda: 1), clock=clock, start=threads, stop=stop, shutdown_seconds=8)
    assert queue.outcomes() == {1: "release"}
    assert clock.now() - 1000 == pytest.approx(38)
    threads.run_next()
    assert queue.outcomes() == {1: "release"}


def test_after_a_stop_nothing_is_claimed() -> None:
    queue, stop = FakeQueue([claimed(1)]), threading.Event()
    stop.set()
    assert tick(queue, doing(lambda: 1), stop=stop).processed == 0
    assert queue.claims == []


def test_after_a_stop_the_last_call_is_over_before_the_platform_kills() -> None:
    clock, threads, stop = FakeClock(), HeldThreads(), threading.Event()
    queue = FakeQueue([claimed(1)], clock=clock)
    clock.at(10, stop.set)
    tick(queue, PATIENT, clock=clock, start=threads, stop=stop, shutdown_seconds=8)
    assert queue.time_left["resolve"] == pytest.approx([1.5])
    assert clock.now() - 1000 == pytest.approx(18)


def test_a_stop_never_gives_more_time() -> None:
    clock, threads, stop = FakeClock(), HeldThreads(), threading.Event()
    queue = FakeQueue([claimed(1)])
    clock.at(40, stop.set)
    tick(queue, PATIENT, clock=clock, start=threads, stop=stop, budget=45, shutdown_seconds=8)
    assert clock.now() - 1000 == pytest.approx(45)
    assert queue.time_left["resolve"] == pytest.approx([1.5])


def test_a_stop_does_not_lengthen_a_jobs_own_timeout() -> None:
    queue, clock, stop = FakeQueue([claimed(1)]), FakeClock(), threading.Event()
    clock.at(2, stop.set)
    tick(queue, handler_of(lambda *_: Output(), timeout=5), clock=clock, start=HeldThreads(), stop=stop)
    assert queue.resolved[0].error == "timed out after 5 s"
    assert clock.now() - 1000 == pytest.approx(5)


def test_a_stop_during_a_claim_releases_what_it_brought_unstarted() -> None:
    queue, clock, threads, stop = FakeQueue([claimed(1)]), FakeClock(), HeldThreads(), threading.Event()
    queue.when_called = lambda method: stop.set() if method == "claim" else None
    tick(queue, PATIENT, clock=clock, start=threads, stop=stop)
    assert (queue.outcomes(), threads.held) == ({1: "release"}, [])


def test_a_stop_while_resolving_is_noticed_before_the_next_claim() -> None:
    queue, stop = FakeQueue([claimed(1)], [claimed(2)]), threading.Event()
    queue.when_called = lambda method: stop.set() if method == "resolve" else None
    tick(queue, doing(lambda: 1), stop=stop)
    assert len(queue.claims) == 1
