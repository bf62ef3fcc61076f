"""How finished jobs reach the database: in batches, halved where it says no, and none forgotten too early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from functions.errors import AnswerUnknown, QueueTooSlow, QueueUnavailable, RequestRefused
from functions.queue_rows import JobResult, OutcomeName
from functions.results import Results
from functions.tick_report import TickReport
from tests.unit.fakes import FakeClock, FakeQueue
from tests.unit.support import claimed

REFUSED = RequestRefused("Bearer hidden: unsupported Unicode escape sequence", sqlstate="22P05")
SLOW = QueueTooSlow("statement timeout")


def pending(queue: FakeQueue, count: int, output: Any = "text", clock: FakeClock | None = None) -> Results:
    results = Results(queue, TickReport(tick=uuid4()), clock or FakeClock())
    for number in range(1, count + 1):
        results.add(claimed(number), JobResult(number, f"token-{number}", "done", output=output))
    return results


def resolve_all(results: Results) -> None:
    while results:
        results.resolve_batch(lambda: 20.0)


def sizes(queue: FakeQueue) -> list[int]:
    return [len(call) for call in queue.resolve_calls]


def whenever(condition: Callable[[Sequence[JobResult]], bool], error: Exception) -> Any:
    return lambda results: error if condition(results) else None


def has(job_id: int) -> Callable[[Sequence[JobResult]], bool]:
    return lambda results: any(one.job_id == job_id and one.output for one in results)


def test_a_batch_has_at_most_fifty_results() -> None:
    queue = FakeQueue()
    resolve_all(pending(queue, 120))
    assert sizes(queue) == [50, 50, 20]


def test_a_batch_has_at_most_four_megabytes_but_one_result_may_have_more() -> None:
    queue = FakeQueue()
    resolve_all(pending(queue, 5, output="x" * 1_500_000))
    assert sizes(queue) == [2, 2, 1]
    resolve_all(pending(queue, 2, output="x" * 5_000_000))
    assert sizes(queue)[3:] == [1, 1]


@pytest.mark.parametrize(("count", "output"), [(50, "text"), (3, "x" * 1_500_000)], ids=["results", "bytes"])
def test_a_full_batch_waits_for_no_company(count: int, output: str) -> None:
    clock = FakeClock()
    assert not pending(FakeQueue(), count - 1, output, clock).is_due()
    assert pending(FakeQueue(), count, output, clock).is_due()


def test_what_follows_a_full_batch_is_due_as_well() -> None:
    clock = FakeClock()
    results = pending(FakeQueue(), 60, clock=clock)
    clock.advance(1)
    results.resolve_batch(lambda: 20.0)
    assert (len(results), results.is_due()) == (10, True)
    results.resolve_batch(lambda: 20.0)
    assert (len(results), results.is_due(), results.due) == (0, False, None)


@pytest.mark.parametrize("bad", [1, 37, 50])
def test_one_result_that_the_database_refuses_is_found_in_a_few_calls_and_fails_alone(bad: int) -> None:
    queue = FakeQueue()
    queue.refused = whenever(has(bad), REFUSED)
    resolve_all(pending(queue, 50))
    assert queue.outcomes() == {number: "retry" if number == bad else "done" for number in range(1, 51)}
    assert len(queue.resolve_calls) < 20
    (failed,) = [one for one in queue.resolved if one.job_id == bad]
    assert failed.output is None
    assert "unsupported Unicode" in (failed.error or "")
    assert "hidden" not in (failed.error or "")


def test_a_result_that_is_refused_even_without_its_output_is_left_to_its_lease() -> None:
    queue = FakeQueue()
    queue.refused = whenever(lambda results: any(one.job_id == 2 for one in results), REFUSED)
    resolve_all(pending(queue, 3))
    assert queue.outcomes() == {1: "done", 3: "done"}


@pytest.mark.parametrize("sqlstate", ["42501", "PGRST202"])
def test_a_refusal_that_is_not_about_the_results_costs_none_of_them(sqlstate: str) -> None:
    queue = FakeQueue()
    queue.refused = whenever(lambda _: True, RequestRefused("no", sqlstate=sqlstate))
    results = pending(queue, 3)
    with pytest.raises(RequestRefused):
        results.resolve_batch(lambda: 20.0)
    assert (len(results), sizes(queue)) == (3, [3])


def test_a_batch_that_takes_too_long_is_halved_and_the_halves_are_not_joined_again() -> None:
    queue = FakeQueue()
    queue.refused = whenever(lambda results: len(results) > 12, SLOW)
    resolve_all(pending(queue, 50))
    assert sizes(queue) == [50, 25, 12, 12, 12, 12, 2]
    assert set(queue.outcomes().values()) == {"done"}


def test_a_single_result_that_takes_too_long_lets_the_others_pass() -> None:
    queue = FakeQueue()
    queue.refused = whenever(has(1), SLOW)
    results = pending(queue, 2)
    results.resolve_batch(lambda: 20.0)
    with pytest.raises(QueueTooSlow):
        results.resolve_batch(lambda: 20.0)
    results.resolve_batch(lambda: 20.0)
    assert (queue.outcomes(), results.ids()) == ({2: "done"}, [1])


@pytest.mark.parametrize("error", [QueueUnavailable("down"), AnswerUnknown("[]")], ids=repr)
def test_what_raises_forgets_only_what_was_resolved_before(error: Exception) -> None:
    queue = FakeQueue()
    queue.errors["resolve"] = [None, error]
    results = pending(queue, 80)
    results.resolve_batch(lambda: 20.0)
    with pytest.raises(type(error)):
        results.resolve_batch(lambda: 20.0)
    assert results.ids() == list(range(51, 81))
    resolve_all(results)
    assert len(queue.outcomes()) == 80


def test_after_trouble_the_next_results_travel_in_full_batches_again() -> None:
    queue = FakeQueue()
    queue.errors["resolve"] = [SLOW]
    results = pending(queue, 4)
    resolve_all(results)
    for number in range(5, 9):
        results.add(claimed(number), JobResult(number, "token", "done"))
    resolve_all(results)
    assert sizes(queue) == [4, 2, 2, 4]


@pytest.mark.parametrize(("attempts", "outcome"), [(2, "retry"), (3, "failed"), (4, "failed")])
def test_a_job_whose_attempts_are_used_up_by_the_setting_is_a_dead_letter(
    attempts: int, outcome: str
) -> None:
    queue = FakeQueue()
    results = Results(queue, TickReport(tick=uuid4()), FakeClock(), max_attempts=3)
    results.add(claimed(1, attempts=attempts), JobResult(1, "token", "retry", error="busy", retry_in=5))
    resolve_all(results)
    (result,) = queue.resolved
    assert (result.outcome, result.retry_in) == (outcome, 5 if outcome == "retry" else None)
    assert ("JOB_MAX_ATTEMPTS=3" in (result.error or "")) is (outcome == "failed")
    assert (result.error or "").startswith("busy")


def test_only_a_retry_uses_attempts_up() -> None:
    queue = FakeQueue()
    results = Results(queue, TickReport(tick=uuid4()), FakeClock(), max_attempts=1)
    outcomes: list[OutcomeName] = ["done", "snooze", "release"]
    for number, outcome in enumerate(outcomes):
        results.add(claimed(number), JobResult(number, "token", outcome))
    resolve_all(results)
    assert list(queue.outcomes().values()) == outcomes


def test_a_refused_result_uses_its_attempt_up_like_any_other_failure() -> None:
    queue = FakeQueue()
    queue.refused = whenever(has(1), REFUSED)
    results = Results(queue, TickReport(tick=uuid4()), FakeClock(), max_attempts=1)
    results.add(claimed(1), JobResult(1, "token", "done", output="text", cost=0.5))
    resolve_all(results)
    (result,) = queue.resolved
    assert (result.outcome, result.cost, result.output) == ("failed", 0.5, None)
