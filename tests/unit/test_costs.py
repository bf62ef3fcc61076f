"""What an attempt spent, and that no outcome forgets it."""

from __future__ import annotations

from typing import Any

import pytest

from functions.errors import LeaseLost
from functions.queue_rows import JobResult
from functions.runner import Attempt
from handlers.contract import Context, Handler, Reject, Retry, Snooze
from tests.unit.fakes import FakeClock
from tests.unit.support import Output, claimed, context_for, doing, handler_of, runner_for


def attempt_at(handler: Handler) -> Attempt:
    clock = FakeClock()
    return runner_for(handler, clock).attempt(claimed(), tick_ends=clock.now() + 45)


def run(handler: Handler) -> JobResult:
    return attempt_at(handler).run()


@pytest.mark.parametrize("ending", [None, Reject("no"), Retry("busy"), Snooze("later", seconds=1), OSError()])
def test_what_an_attempt_spent_is_reported_however_it_ends(ending: Exception | None) -> None:
    def spend(_: Any, context: Context) -> Output:
        context.report_cost(0.25)
        context.report_cost(0.5)
        if ending:
            raise ending
        return Output()

    assert run(handler_of(spend)).cost == 0.75


def test_an_attempt_that_timed_out_has_spent_what_it_reported_until_then() -> None:
    def spend(_: Any, context: Context) -> Output:
        context.report_cost(1)
        costs.append(attempt.give_up(stopping=False, budget=45).cost)
        with pytest.raises(LeaseLost):
            context.report_cost(1)
        raise Retry("it was given up")

    costs: list[float | None] = []
    attempt = attempt_at(handler_of(spend))
    attempt.run()
    assert costs == [1]


def test_an_attempt_that_spent_nothing_says_nothing_about_it() -> None:
    assert "cost" not in run(doing(lambda: 1)).as_json()


@pytest.mark.parametrize("amount", [-0.01, float("nan"), float("inf"), "1", True, None])
def test_a_cost_that_is_no_amount_of_money_is_refused(amount: Any) -> None:
    context = context_for(claimed())
    with pytest.raises((TypeError, ValueError), match="a cost has to be"):
        context.report_cost(amount)
    assert context.cost is None
