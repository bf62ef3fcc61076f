"""Repeats a call of the queue for a few seconds, as long as what went wrong may pass."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from functions.errors import QueueUnavailable, RequestRefused
from functions.queue_answers import UNKNOWN_FUNCTION

Answer = TypeVar("Answer")
TimeLeft = Callable[[], float]  # seconds that a call may still take, with all its repetitions

_ATTEMPTS = 5
PATIENCE_SECONDS = 20.0  # where the caller names no limit


def repeated(
    send: Callable[[bool], Answer],
    *,
    time_left: TimeLeft,
    sleep: Callable[[float], None],
    is_worth_it: Callable[[BaseException], bool],
) -> Answer:
    """What `send` answers in the end; it is told whether this is a repetition."""
    attempts = itertools.count()
    retrying = Retrying(
        stop=stop_after_attempt(_ATTEMPTS) | _OutOfTime(time_left),
        wait=wait_random_exponential(multiplier=0.5, max=4),
        retry=retry_if_exception(is_worth_it),
        sleep=sleep,
        reraise=True,
    )
    return retrying(lambda: send(next(attempts) > 0))


def may_pass(error: BaseException) -> bool:
    """Whether the same call could come through a little later."""
    if isinstance(error, RequestRefused):
        return error.sqlstate == UNKNOWN_FUNCTION
    return isinstance(error, QueueUnavailable)


def patience(seconds: float) -> TimeLeft:
    """The time of a call that its caller did not limit, from now."""
    ends = time.monotonic() + seconds
    return lambda: ends - time.monotonic()


class _OutOfTime(stop_base):
    def __init__(self, time_left: TimeLeft) -> None:
        self._time_left = time_left

    def __call__(self, retry_state: RetryCallState) -> bool:
        return retry_state.upcoming_sleep >= self._time_left()
