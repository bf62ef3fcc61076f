"""What a tick does about time: leases, timeouts, its own budget, and the end of its process."""

from __future__ import annotations

from typing import Any

import pytest

from functions.errors import QueueUnavailable
from functions.runner import Attempt
from tests.unit.fakes import FakeClock, FakeQueue, HeldThreads
from tests.unit.support import Output, claimed, doing, handler_of, tick

DOWN = QueueUnavailable("the database is down")


def test_one_id_stands_for_the_tick_in_every_call() -> None:
    queue, clock, threads = FakeQueue([claimed(1)]), FakeClock(), HeldThreads()
    clock.at(11, threads.run_next)
    report = tick(queue, doing(lambda: 1), clock=clock, start=threads, lease_seconds=30)
    assert queue.calls == [(report.tick, 30), (report.tick, None)]
    assert {call["worker_id"] for call in queue.claims} == {report.tick}


def test_leases_are_extended_for_everything_held_each_third_of_a_lease() -> None:
    queue, clock, threads = FakeQueue([claimed(1), claimed(2)]), FakeClock(), HeldThreads()
    clock.at(25, threads.run_next)
    clock.at(26, threads.run_next)
    tick(queue, doing(lambda: 1), clock=clock, start=threads, concurrency=1, lease_seconds=30)
    held = [sorted(one.job_id for one in leases) for leases in queue.extended]
    assert held == [[1, 2], [1, 2]]


def test_reported_progress_travels_within_two_seconds() -> None:
    queue, clock, threads = FakeQueue([claimed(1)]), FakeClock(), HeldThreads()

    def start(work: Any) -> None:
        threads(work)
        attempt: Attempt = work.args[0]
        clock.at(1, lambda: attempt.context.progress(0.5, "page 1"))
        clock.at(3.1, lambda: clock.at(0, threads.run_next) if queue.extended else None)

    tick(queue, doing(lambda: 1), clock=clock, start=start)
    assert queue.extended[0][0].progress == {"done": 0.5, "note": "page 1"}
    assert queue.outcomes() == {1: "done"}


@pytest.mark.parametrize(("verdict", "reported"), [("cancelled", ["cancelled"]), ("lost", [])])
def test_a_job_that_is_no_longer_ours_is_dropped_and_its_late_result_never_sent(
    verdict: str, reported: list[str]
) -> None:
    queue, clock, threads = FakeQueue([claimed(1), claimed(2)]), FakeClock(), HeldThreads()
    queue.lease_verdicts[1] = verdict
    clock.at(41, threads.run_next)
    clock.at(41, threads.run_next)
    report = tick(queue, doing(lambda: 1), clock=clock, start=threads)
    assert queue.outcomes() == {2: "done"}
    assert [job.status for job in report.results if job.id == 1] == reported


def test_a_handler_over_its_timeout_is_given_up_and_tried_again() -> None:
    queue, clock, threads = FakeQueue([claimed(1)]), FakeClock(), HeldThreads()
    report = tick(queue, handler_of(lambda *_: Output(), timeout=5), clock=clock, start=threads)
    assert (report.results[0].status, report.results[0].last_error) == ("queued", "timed out after 5 s")
    assert clock.now() - 1000 == pytest.approx(5)


def test_a_timeout_in_job_types_wins_over_the_handlers_own() -> None:
    queue, clock = FakeQueue([claimed(1, timeout_seconds=2)]), FakeClock()
    tick(queue, handler_of(lambda *_: Output(), timeout=30), clock=clock, start=HeldThreads())
    assert queue.resolved[0].error == "timed out after 2 s"


def test_what_was_not_started_when_the_budget_ends_is_released() -> None:
    queue, clock = FakeQueue([claimed(1), claimed(2), claimed(3)]), FakeClock()
    report = tick(queue, doing(lambda: clock.advance(25)), clock=clock, concurrency=1, budget=45)
    assert queue.outcomes() == {1: "done", 2: "release", 3: "release"}
    assert (report.processed, report.released) == (1, 2)
    assert len(queue.claims) == 1


def test_a_job_that_had_most_of_a_ticks_budget_is_charged_one_that_started_late_is_not() -> None:
    queue, clock, threads = FakeQueue([claimed(1), claimed(2), claimed(3)]), FakeClock(), HeldThreads()

    def finish_the_second() -> None:
        threads.held.pop(1)()

    clock.at(40, finish_the_second)
    tick(
        queue,
        handler_of(lambda *_: Output(), timeout=60),
        clock=clock,
        start=threads,
        concurrency=2,
        budget=45,
    )
    assert queue.outcomes() == {1: "retry", 2: "done", 3: "release"}
    assert "TICK_BUDGET_SECONDS" in next(one.error or "" for one in queue.resolved if one.job_id == 1)


def test_a_heartbeat_that_fails_is_tried_again_soon() -> None:
    queue, clock, threads = FakeQueue([claimed(1)]), FakeClock(), HeldThreads()
    queue.errors["extend"] = [DOWN]
    clock.at(44, threads.run_next)
    tick(queue, doing(lambda: 1), clock=clock, start=threads, lease_seconds=120)
    assert len(queue.extended) == 1
