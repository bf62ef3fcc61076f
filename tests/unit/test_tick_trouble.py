"""What one tick does when something goes wrong at a bad moment: nothing is lost, and nothing runs over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from functions.errors import (
    AnswerUnknown,
    ConfigurationError,
    LeaseLost,
    QueueUnavailable,
    RequestRefused,
)
from functions.runner import Attempt
from functions.tick_options import TickOptions
from tests.unit.fakes import FakeClock, FakeQueue, HeldThreads
from tests.unit.support import Output, claimed, doing, handler_of, tick

DOWN = QueueUnavailable("the database is down")
PATIENT = handler_of(lambda *_: Output(), timeout=600)


class Started(HeldThreads):
    """Threads that are held, with the attempts that they would run."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Attempt] = []

    def __call__(self, work: Any) -> None:
        super().__call__(work)
        self.attempts.append(work.args[0])


def test_what_finished_while_the_queue_was_slow_counts_also_when_the_budget_is_over_by_then() -> None:
    clock, threads = FakeClock(), HeldThreads()
    queue = FakeQueue([claimed(number) for number in range(1, 5)], clock=clock, extend=8)

    def finish_meanwhile(method: str) -> None:
        while method == "extend" and threads.held:
            threads.run_next()

    queue.when_called = finish_meanwhile
    tick(queue, PATIENT, clock=clock, start=threads, budget=45)
    assert queue.outcomes() == dict.fromkeys(range(1, 5), "done")


@pytest.mark.parametrize(
    "error",
    [ConfigurationError("key refused"), AnswerUnknown("[]"), RequestRefused("no", sqlstate="42501")],
    ids=repr,
)
def test_whatever_goes_wrong_with_resolving_while_others_run_is_tried_again(error: Exception) -> None:
    queue, clock, threads = FakeQueue([claimed(1), claimed(2)]), FakeClock(), HeldThreads()
    queue.errors["resolve"] = [error]
    clock.at(0.1, threads.run_next)
    clock.at(20, threads.run_next)
    assert tick(queue, doing(lambda: 1), clock=clock, start=threads).succeeded == 2


def test_fifty_results_and_a_bad_one_among_them_are_resolved_within_the_budget_of_slow_calls() -> None:
    clock = FakeClock()
    queue = FakeQueue([claimed(number) for number in range(1, 51)], clock=clock, resolve=2)
    queue.refused = lambda results: (
        RequestRefused("bad", sqlstate="22P05")
        if any(one.job_id == 30 and one.output for one in results)
        else None
    )
    report = tick(queue, doing(lambda: 1), clock=clock, options=TickOptions(limit=50))
    assert (report.succeeded, report.failed) == (49, 1)
    assert clock.now() - 1000 < 45


def test_between_two_calls_that_resolve_the_leases_of_what_still_runs_are_extended() -> None:
    clock, threads = FakeClock(), HeldThreads()
    queue = FakeQueue([claimed(number) for number in range(1, 101)], clock=clock, resolve=11)

    def all_but_the_first_finish() -> None:
        while len(threads.held) > 1:
            threads.held.pop()()

    clock.at(0.1, all_but_the_first_finish)
    clock.at(40, threads.run_next)
    tick(
        queue,
        PATIENT,
        clock=clock,
        start=threads,
        options=TickOptions(limit=100),
        concurrency=100,
        lease_seconds=30,
    )
    assert [leases for _, leases in queue.calls][:4] == [None, 30, None, 30]


def test_a_call_gets_no_more_time_than_the_tick_has_left() -> None:
    clock, threads = FakeClock(), HeldThreads()
    queue = FakeQueue([claimed(1)], clock=clock)
    clock.at(44, threads.run_next)
    tick(queue, PATIENT, clock=clock, start=threads, budget=45)
    assert queue.time_left["claim"][0] == pytest.approx(20)
    assert queue.time_left["resolve"] == pytest.approx([6.0])


def test_no_call_is_so_long_that_the_leases_run_out_meanwhile() -> None:
    queue, clock = FakeQueue(), FakeClock()
    tick(queue, PATIENT, clock=clock, lease_seconds=30)
    assert (queue.time_left["claim"], queue.time_left["is_paused"]) == ([10.0], [10.0])


def test_a_tick_whose_results_cannot_be_resolved_in_time_ends_with_an_error() -> None:
    clock = FakeClock()
    queue = FakeQueue([claimed(1), claimed(2), claimed(3)], clock=clock, resolve=30)
    with pytest.raises(QueueUnavailable, match="1 results could not be resolved in time"):
        tick(queue, doing(lambda: "x" * 3_000_000), clock=clock, budget=20)
    assert queue.outcomes() == {1: "done", 2: "done"}


def test_results_that_come_too_late_for_that_get_one_short_call_all_the_same() -> None:
    clock, threads = FakeClock(), HeldThreads()
    queue = FakeQueue([claimed(1), claimed(2)], clock=clock, extend=60)
    queue.when_called = lambda method: threads.run_next() if method == "extend" else None
    tick(queue, PATIENT, clock=clock, start=threads, budget=45)
    assert queue.outcomes() == {1: "done", 2: "retry"}
    assert queue.time_left["resolve"] == [1.0]


def test_a_job_longer_than_what_is_left_is_not_started_however_short_the_last_one_was() -> None:
    queue, clock = FakeQueue([claimed(1), claimed(2), claimed(3)]), FakeClock()
    seconds = iter([20.0, 10.0, 1.0])
    tick(queue, doing(lambda: clock.advance(next(seconds))), clock=clock, concurrency=1, budget=45)
    assert queue.outcomes() == {1: "done", 2: "done", 3: "release"}


def test_forced_it_does_not_call_itself_paused() -> None:
    queue = FakeQueue()
    queue.paused = True
    assert tick(queue, doing(lambda: 1), options=TickOptions(force=True)).status == "ok"


def test_a_verdict_on_a_job_that_nobody_asked_about_is_ignored() -> None:
    queue, clock, threads = FakeQueue([claimed(1)]), FakeClock(), HeldThreads()
    queue.lease_verdicts = {99: "lost", 98: "cancelled"}
    clock.at(44, threads.run_next)
    assert tick(queue, PATIENT, clock=clock, start=threads).as_json()["processed"] == 1


@pytest.mark.parametrize("verdict", ["lost", "cancelled"])
def test_a_handler_whose_job_was_taken_away_hears_of_it_at_its_next_call(verdict: str) -> None:
    queue, clock, threads = FakeQueue([claimed(1)]), FakeClock(), Started()
    queue.lease_verdicts[1] = verdict
    tick(queue, PATIENT, clock=clock, start=threads)
    with pytest.raises(LeaseLost):
        threads.attempts[0].context.seconds_left()


def test_a_claim_that_is_repeated_names_what_waits_runs_and_is_not_resolved_yet() -> None:
    queue, clock, threads = FakeQueue([claimed(1), claimed(2)], [claimed(3)]), FakeClock(), HeldThreads()
    clock.at(4.5, threads.run_next)
    queue.errors["resolve"] = [DOWN]
    tick(queue, PATIENT, clock=clock, start=threads, options=TickOptions(limit=2), concurrency=3)
    assert [sorted(claim["held"]) for claim in queue.claims[:2]] == [[], [1, 2]]
    assert sorted(queue.claims[2]["held"]) == [1, 2, 3]


def test_an_attempt_at_a_job_that_is_claimed_again_is_abandoned_and_its_result_dropped() -> None:
    again = claimed(1, lease_token="another")
    queue, clock, threads = FakeQueue([claimed(1)], [again]), FakeClock(), Started()
    clock.at(10, threads.run_next)
    clock.at(12, threads.run_next)
    tick(queue, doing(lambda: 1), clock=clock, start=threads)
    assert [one.lease_token for one in queue.resolved] == ["another"]
    with pytest.raises(LeaseLost, match="claimed again"):
        threads.attempts[0].context.seconds_left()


def no_thread(_: Callable[[], None]) -> None:
    raise RuntimeError("can't start new thread")


def test_a_worker_without_threads_gives_its_jobs_back_and_claims_no_more() -> None:
    queue = FakeQueue([claimed(1), claimed(2)], [claimed(3)])
    report = tick(queue, doing(lambda: 1), start=no_thread)
    assert (queue.outcomes(), report.released) == ({1: "release", 2: "release"}, 2)
    assert len(queue.claims) == 1


def explodes(_: str) -> None:
    raise MemoryError


@pytest.mark.parametrize("database_is_down", [False, True])
def test_an_unexpected_error_ends_the_tick_but_gives_back_what_it_held(database_is_down: bool) -> None:
    queue, clock, threads = FakeQueue([claimed(1), claimed(2)]), FakeClock(), Started()
    queue.when_called = lambda method: explodes(method) if method == "extend" else None
    queue.errors["resolve"] = [DOWN] if database_is_down else []
    with pytest.raises(MemoryError):
        tick(queue, PATIENT, clock=clock, start=threads, concurrency=1)
    assert queue.outcomes() == ({} if database_is_down else {1: "release", 2: "release"})
    with pytest.raises(LeaseLost, match="its tick ended"):
        threads.attempts[0].context.seconds_left()


def test_what_is_done_outlasts_a_database_that_is_down_for_a_while() -> None:
    queue, clock = FakeQueue([claimed(1)]), FakeClock()
    queue.errors["resolve"] = [DOWN] * 8
    assert tick(queue, doing(lambda: 1), clock=clock, budget=45).succeeded == 1
    assert clock.now() - 1000 == pytest.approx(16, abs=1), "it asks every other second"


@pytest.mark.parametrize(("budget", "most"), [(45, 51), (3600, 121)], ids=["its-budget", "its-lease"])
def test_but_no_longer_than_the_tick_or_the_lease(budget: float, most: float) -> None:
    queue, clock = FakeQueue([claimed(1)]), FakeClock()
    queue.errors["resolve"] = [DOWN] * 1000
    with pytest.raises(QueueUnavailable):
        tick(queue, doing(lambda: 1), clock=clock, budget=budget, lease_seconds=120)
    assert most - 5 < clock.now() - 1000 < most


@pytest.mark.parametrize(
    "error",
    [ConfigurationError("key refused"), AnswerUnknown("[]"), RequestRefused("no", sqlstate="42501")],
    ids=repr,
)
def test_what_waiting_does_not_cure_ends_the_tick_at_once(error: Exception) -> None:
    queue, clock = FakeQueue([claimed(1)]), FakeClock()
    queue.errors["resolve"] = [error]
    with pytest.raises(type(error)):
        tick(queue, doing(lambda: 1), clock=clock)
    assert len(queue.resolve_calls) == 1


def test_an_instance_that_stops_waits_for_the_database_no_longer_than_it_may() -> None:
    queue, clock, stop = FakeQueue([claimed(1)]), FakeClock(), threading.Event()
    queue.errors["resolve"] = [DOWN] * 1000
    clock.at(4, stop.set)
    with pytest.raises(QueueUnavailable):
        tick(queue, doing(lambda: 1), clock=clock, stop=stop, budget=45, shutdown_seconds=8)
    assert clock.now() - 1000 < 14
