"""What a handler keeps by key: paid for once, whatever becomes of the attempt, and never a reason to fail."""

from __future__ import annotations

from typing import Any

import pytest

from functions.context import JobContext
from functions.errors import AnswerUnknown, CrontickError, LeaseLost, QueueUnavailable, RequestRefused
from functions.kept_values import KeptValues
from functions.queue_rows import ContentResult
from functions.repetition import TimeLeft
from handlers.contract import Context, Handler, Job, Retry
from handlers.settings import HandlerSettings
from tests.unit.fakes import FakeClock
from tests.unit.support import Output, claimed, context_for, handler_of, runner_for

TROUBLE = [
    QueueUnavailable("down"),
    AnswerUnknown("what?"),
    RequestRefused("no such function", sqlstate="PGRST202"),
]


class Stored:
    """The table `content_results`: the first row of a key stays."""

    def __init__(self, error: CrontickError | None = None) -> None:
        self.rows: dict[tuple[str, str, str, str], ContentResult] = {}
        self.error = error

    def find_content_result(
        self, org_id: str, job_type: str, sha256: str, version: str, *, time_left: TimeLeft | None = None
    ) -> ContentResult | None:
        assert time_left is None
        if self.error:
            raise self.error
        return self.rows.get((org_id, job_type, sha256, version))

    def keep_content_result(
        self, org_id: str, job_type: str, sha256: str, version: str, output: Any, job_id: int
    ) -> None:
        if self.error:
            raise self.error
        row = ContentResult(job_id=job_id, output=output)
        self.rows.setdefault((org_id, job_type, sha256, version), row)


def context(stored: Stored, job_id: int = 1, **changes: Any) -> JobContext:
    return context_for(claimed(job_id, **changes), kept=KeptValues(stored))


def test_what_was_kept_is_recalled_by_another_attempt_and_another_job() -> None:
    stored = Stored()
    context(stored).keep("model-1 page 3", {"text": ["a", None, 1.5]})

    assert context(stored, attempts=2).recall("model-1 page 3") == {"text": ["a", None, 1.5]}
    assert context(stored, job_id=2).recall("model-1 page 3") == {"text": ["a", None, 1.5]}
    assert context(stored).recall("model-2 page 3") is None


@pytest.mark.parametrize(
    "other", [{"org_id": "globex"}, {"type": "other"}], ids=lambda other: next(iter(other))
)
def test_what_was_kept_is_for_its_organisation_and_job_type_only(other: dict[str, Any]) -> None:
    stored = Stored()
    context(stored).keep("key", 1)

    assert context(stored, **other).recall("key") is None


def test_the_first_value_of_a_key_stays() -> None:
    stored = Stored()
    context(stored).keep("key", "first")
    context(stored).keep("key", "second")

    assert context(stored).recall("key") == "first"


def test_a_key_may_be_any_text() -> None:
    stored = Stored()
    keys = ["", " ", "x" * 100_000, "\x00", "\ud800", "ü", "u\u0308"]
    for number, key in enumerate(keys):
        context(stored).keep(key, number)

    assert [context(stored).recall(key) for key in keys] == list(range(len(keys)))


def test_a_value_is_cleaned_of_what_the_database_does_not_take() -> None:
    stored = Stored()
    context(stored).keep("key", {"a\x00": ["b\x00", float("nan"), ("c\ud800",)]})

    assert context(stored).recall("key") == {"a": ["b", None, ["c"]]}


def test_kept_values_and_results_of_handlers_do_not_meet() -> None:
    stored = Stored()
    context(stored).keep("key", 1)

    ((_, _, sha256, version),) = stored.rows
    assert version == "kept"
    assert len(sha256) == 64


@pytest.mark.parametrize("error", TROUBLE, ids=lambda error: type(error).__name__)
def test_trouble_with_the_database_is_as_if_nothing_was_kept(error: CrontickError) -> None:
    unlucky = context(Stored(error))

    unlucky.keep("key", 1)
    assert unlucky.recall("key") is None


def test_without_a_place_to_keep_values_none_is_ever_found() -> None:
    nowhere = context_for(claimed())
    nowhere.keep("key", 1)

    assert nowhere.recall("key") is None


def test_what_was_paid_for_is_kept_even_when_the_job_was_lost_meanwhile() -> None:
    stored = Stored()
    lost = context(stored)
    lost.abandon("it was cancelled")

    with pytest.raises(LeaseLost):
        lost.keep("key", "paid for")
    with pytest.raises(LeaseLost):
        lost.recall("key")
    assert context(stored).recall("key") == "paid for"


def test_a_failed_attempts_value_is_there_for_the_next_one() -> None:
    stored, asked = Stored(), []

    def work(_job: Job[Any], ctx: Context) -> Output:
        value = ctx.recall("answer")
        if value is None:
            asked.append("the provider")
            ctx.keep("answer", 42)
            raise Retry("the second request failed")
        return Output(value=value)

    runner = runner_for(handler_of(work), FakeClock(), known=stored)
    first, second = (runner.attempt(claimed(attempts=n), tick_ends=1045).run() for n in (1, 2))

    assert (first.outcome, second.outcome, second.output) == ("retry", "done", {"value": 42})
    assert asked == ["the provider"]


def asking_for_the_last() -> Handler:
    return handler_of(lambda _job, ctx: Output(value=ctx.is_last_attempt))


@pytest.mark.parametrize(
    ("attempts", "of_the_job", "of_the_worker", "is_last"),
    [
        (1, 5, None, False),
        (4, 5, None, False),
        (5, 5, None, True),
        (1, 1, None, True),
        (2, 5, 2, True),
        (1, 5, 2, False),
        (2, 2, 9, True),
        (6, 5, None, True),
    ],
)
def test_a_handler_knows_its_last_attempt_by_whichever_limit_comes_first(
    attempts: int, of_the_job: int, of_the_worker: int | None, is_last: bool
) -> None:
    runner = runner_for(asking_for_the_last(), FakeClock(), max_attempts=of_the_worker)

    result = runner.attempt(claimed(attempts=attempts, max_attempts=of_the_job), tick_ends=1045).run()

    assert result.output == {"value": is_last}


def test_a_handler_sees_the_settings_of_its_worker() -> None:
    settings = HandlerSettings(max_pdf_pages=7)
    handler = handler_of(lambda _job, ctx: Output(value=ctx.settings.limits()["max_pdf_pages"]))

    runner = runner_for(handler, FakeClock(), settings=settings)
    assert runner.attempt(claimed(), tick_ends=1045).run().output == {"value": 7}
