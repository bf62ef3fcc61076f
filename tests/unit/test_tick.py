"""What one tick does with the jobs it claims. Time is passed in; nothing here sleeps."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest

from functions import log
from functions.clock import SystemClock
from functions.errors import QueueUnavailable, RequestRefused
from functions.queue_rows import ContentResult, ResolveVerdict
from functions.runner import start_thread
from functions.tick import run_tick
from functions.tick_options import TickOptions
from handlers.contract import Context, Handler, Job, Reject
from tests.unit.fakes import FakeClock, FakeQueue, HeldThreads
from tests.unit.support import Anything, Output, claimed, doing, handler_of, runner_for, tick

DOWN = QueueUnavailable("the database is down")


def test_a_tick_answers_in_the_documented_shape() -> None:
    def fails_on_two(job: Job[Any], _: Context) -> Output:
        if job.id == 2:
            raise Reject("this one is damaged")
        return Output()

    queue = FakeQueue([claimed(1), claimed(2)])
    assert tick(queue, handler_of(fails_on_two)).as_json() == {
        "status": "ok",
        "processed": 2,
        "succeeded": 1,
        "failed": 1,
        "results": [
            {"id": 1, "status": "done", "attempts": 1, "lastError": None},
            {"id": 2, "status": "failed", "attempts": 1, "lastError": "this one is damaged"},
        ],
    }


def test_it_claims_again_until_nothing_is_due() -> None:
    queue = FakeQueue([claimed(1)], [claimed(2)])
    assert tick(queue, doing(lambda: 1)).succeeded == 2
    assert len(queue.claims) == 3


def test_children_that_a_resolve_released_are_claimed_in_the_same_tick() -> None:
    queue = FakeQueue([claimed(1)])
    queue.when_resolved = lambda: queue.resolved[-1].job_id == 1 and queue.batches.append([claimed(2)])  # type: ignore[assignment, func-returns-value]
    assert tick(queue, doing(lambda: 1)).succeeded == 2


def test_a_long_job_does_not_keep_free_slots_from_newer_jobs() -> None:
    queue, clock, threads = FakeQueue([claimed(1)]), FakeClock(), HeldThreads()
    clock.at(1, lambda: queue.batches.append([claimed(2)]))
    clock.at(7, lambda: threads.held.pop(1)())
    clock.at(30, threads.run_next)
    assert tick(queue, doing(lambda: 1), clock=clock, start=threads, concurrency=2).succeeded == 2
    assert [[one.job_id for one in call] for call in queue.resolve_calls] == [[2], [1]]


def test_only_the_first_claim_takes_jobs_that_usually_run_longer_than_what_is_left() -> None:
    queue, clock = FakeQueue([claimed(1)], [claimed(2)], [claimed(3)]), FakeClock()
    tick(queue, doing(lambda: clock.advance(10.5)), clock=clock, budget=31.9)
    assert [asked["fits_in"] for asked in queue.claims] == [None, 21, 10, 1]


def test_without_drain_it_claims_once() -> None:
    queue = FakeQueue([claimed(1)], [claimed(2)])
    assert tick(queue, doing(lambda: 1), options=TickOptions(drain=False)).succeeded == 1
    assert len(queue.claims) == 1


def test_it_asks_for_what_the_caller_chose() -> None:
    queue = FakeQueue()
    tick(queue, doing(lambda: 1), options=TickOptions(limit=7, types=("work",), force=True), lease_seconds=30)
    asked = queue.claims[0]
    assert (asked["batch_size"], asked["types"], asked["force"], asked["lease_seconds"]) == (
        7,
        ("work",),
        True,
        30,
    )


def test_it_says_paused_when_the_first_claim_is_empty_because_of_a_pause() -> None:
    queue = FakeQueue()
    queue.paused = True
    assert tick(queue, doing(lambda: 1)).as_json()["status"] == "paused"


def test_a_batch_is_resolved_in_one_call() -> None:
    queue = FakeQueue([claimed(number) for number in range(1, 6)])
    tick(queue, doing(lambda: 1), concurrency=2)
    assert [len(call) for call in queue.resolve_calls] == [5]


def test_a_finished_job_does_not_wait_for_slow_ones_longer_than_a_second() -> None:
    queue, clock, threads = FakeQueue([claimed(1), claimed(2)]), FakeClock(), HeldThreads()
    clock.at(0.1, threads.run_next)
    clock.at(20, threads.run_next)
    tick(queue, doing(lambda: 1), clock=clock, start=threads)
    assert [[one.job_id for one in call] for call in queue.resolve_calls] == [[1], [2]]


def test_a_delay_means_one_job_after_the_other_with_a_pause_and_one_claim() -> None:
    clock, started = FakeClock(), []
    queue = FakeQueue([claimed(1), claimed(2), claimed(3)], [claimed(4)])
    handler = doing(lambda: started.append(clock.now() - 1000))
    tick(queue, handler, clock=clock, options=TickOptions(delay_seconds=0.5))
    assert started == [0.0, 0.5, 1.0]
    assert len(queue.claims) == 1


def test_never_more_jobs_run_at_once_than_it_has_slots() -> None:
    queue, clock, threads = FakeQueue([claimed(number) for number in range(1, 8)]), FakeClock(), HeldThreads()
    most = 0

    def let_one_finish() -> None:
        nonlocal most
        most = max(most, len(threads.held))
        threads.run_next()
        if len(queue.resolved) + 1 < 7:
            clock.at(0.1, let_one_finish)

    clock.at(0.1, let_one_finish)
    tick(queue, doing(lambda: 1), clock=clock, start=threads, concurrency=3)
    assert (most, len(queue.outcomes())) == (3, 7)


def test_handlers_really_run_side_by_side() -> None:
    together = threading.Barrier(2, timeout=5)
    queue, clock = FakeQueue([claimed(1), claimed(2)]), SystemClock()
    runner = runner_for(doing(together.wait), clock)  # type: ignore[arg-type]
    report = run_tick(queue, runner, TickOptions(), stop=threading.Event(), start=start_thread)
    assert report.succeeded == 2


def test_a_database_that_is_down_at_the_first_claim_is_the_callers_business() -> None:
    queue = FakeQueue()
    queue.errors["claim"] = [DOWN]
    with pytest.raises(QueueUnavailable):
        tick(queue, doing(lambda: 1))


def test_a_later_claim_that_fails_ends_the_claiming_but_not_the_tick() -> None:
    queue = FakeQueue([claimed(1)])
    queue.errors["claim"] = [None, DOWN]
    assert tick(queue, doing(lambda: 1)).succeeded == 1


def test_results_that_cannot_be_sent_are_kept_while_others_run() -> None:
    queue, clock, threads = FakeQueue([claimed(1), claimed(2)]), FakeClock(), HeldThreads()
    queue.errors["resolve"] = [DOWN]
    clock.at(0.1, threads.run_next)
    clock.at(20, threads.run_next)
    assert tick(queue, doing(lambda: 1), clock=clock, start=threads).succeeded == 2


def test_results_that_cannot_be_sent_at_the_end_are_an_error_of_the_tick() -> None:
    queue = FakeQueue([claimed(1)])
    queue.errors["resolve"] = [DOWN] * 100
    with pytest.raises(QueueUnavailable):
        tick(queue, doing(lambda: 1))


def test_one_result_that_the_database_refuses_does_not_spoil_the_others() -> None:
    queue = FakeQueue([claimed(1), claimed(2)])
    refusal = RequestRefused("unsupported Unicode escape sequence", sqlstate="22P05")
    queue.errors["resolve"] = [refusal, refusal]  # the batch, then job 1 alone
    report = tick(queue, doing(lambda: "text"))
    assert queue.outcomes() == {1: "retry", 2: "done"}
    assert "unsupported Unicode" in (report.results[0].last_error or "")


@pytest.mark.parametrize(
    ("verdict", "status", "succeeded", "failed"),
    [("superseded", "cancelled", 0, 0), ("error", "queued", 0, 1)],
)
def test_the_databases_verdict_on_a_result_is_what_is_reported(
    verdict: Any, status: str, succeeded: int, failed: int
) -> None:
    queue = FakeQueue([claimed(1)])
    queue.verdicts[1] = ResolveVerdict(job_id=1, verdict=verdict, status=status, attempts=1, error="because")
    report = tick(queue, doing(lambda: 1))
    assert (report.results[0].status, report.succeeded, report.failed) == (status, succeeded, failed)
    assert report.results[0].last_error


def test_a_result_whose_lease_was_lost_is_not_reported() -> None:
    queue = FakeQueue([claimed(1)])
    queue.verdicts[1] = ResolveVerdict(job_id=1, verdict="lost")
    assert tick(queue, doing(lambda: 1)).processed == 0


def test_the_ticks_answer_and_the_log_name_the_job_whose_result_was_taken() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    queue = FakeQueue([claimed(9, parents={"a": 1})])
    known = ContentResult(job_id=4, output={"value": 1})
    queue.find_content_result = lambda *_, **__: known  # type: ignore[method-assign]
    report = tick(queue, Handler("work", lambda *_: Output(), Anything, 60, "parents"))
    assert report.as_json()["results"] == [
        {"id": 9, "status": "done", "attempts": 1, "lastError": None, "reusedFrom": 4}
    ]
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ("job_reused", 4) in [(event["message"], event.get("reused_from")) for event in events]
