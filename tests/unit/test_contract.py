"""What a handler may say, and what it may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from handlers.contract import Context, Job, Retry, Snooze, handler
from tests.unit.support import Anything, Output

ODD: list[tuple[Any, type[Exception]]] = [
    (float("nan"), ValueError),
    (float("inf"), ValueError),
    (-1, ValueError),
    (timedelta(seconds=-1), ValueError),
    ("5", TypeError),
    (True, TypeError),
]


@pytest.mark.parametrize(("value", "error"), ODD)
def test_a_time_that_is_no_time_is_refused_where_it_is_said(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="after has to be"):
        Retry("busy", after=value)
    with pytest.raises(error, match="seconds has to be"):
        Snooze("later", seconds=value)


def test_only_a_retry_may_leave_the_time_to_the_queue() -> None:
    assert Retry("busy").after is None
    with pytest.raises(TypeError, match="seconds has to be"):
        Snooze("later", seconds=None)  # type: ignore[arg-type]


def test_a_time_is_seconds_or_a_timedelta() -> None:
    assert (Retry("busy", after=0).after, Retry("busy", after=timedelta(hours=1)).after) == (0, 3600)
    assert (Snooze("later", seconds=1.5).seconds, Snooze("later", seconds=timedelta(days=1)).seconds) == (
        1.5,
        86_400,
    )


def test_only_a_file_can_be_reused_by_its_content() -> None:
    def no_file(job: Job[Anything], context: Context) -> Output:
        return Output()

    with pytest.raises(TypeError, match="FilePayload"):
        handler(reuse="content")(no_file)
