"""One call of a database function: sent within its time, repeated while that is safe and may help.

The lower half of `job_queue.py`, which says what can be asked, and sends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from functions.errors import QueueUnavailable
from functions.queue_answers import asked
from functions.repetition import PATIENCE_SECONDS, TimeLeft, may_pass, patience, repeated
from functions.supabase_client import SupabaseClient

Answer = TypeVar("Answer")


class QueueCalls:
    """Base of `JobQueue`, and of what operators ask besides. Threads may share one."""

    def __init__(
        self,
        client: SupabaseClient,
        *,
        sleep: Callable[[float], None] = time.sleep,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._client = client
        self._sleep = sleep
        self.unreachable_since: float | None = None  # monotonic seconds; None while the database answers
        self._patience_seconds = patience_seconds  # for calls that are given no time of their own

    def _send(self, function: str, parameters: dict[str, Any]) -> Any:
        """Sends one call as it is and returns what came back."""
        raise NotImplementedError

    def _call(
        self,
        function: str,
        parameters: dict[str, Any],
        read_as: Callable[[Any], Answer],
        *,
        again: dict[str, Any] | None,
        time_left: TimeLeft | None = None,
        unless: type[Exception] | None = None,
    ) -> Answer:
        """Calls a function, also again: with `again` besides, or, if that is None, only if it was not begun.

        `unless` is trouble that the caller wants to hear of at once.
        """

        def send(is_repetition: bool) -> Answer:
            wanted = parameters | again if is_repetition and again else parameters
            return asked(function, wanted, lambda: self._send(function, wanted), read_as)

        def is_worth_it(error: BaseException) -> bool:
            if again is None and isinstance(error, QueueUnavailable) and error.in_doubt:
                return False
            return may_pass(error) and not (unless and isinstance(error, unless))

        return self._repeat(send, time_left, is_worth_it)

    def _repeat(
        self,
        send: Callable[[bool], Answer],
        time_left: TimeLeft | None,
        is_worth_it: Callable[[BaseException], bool] = may_pass,
    ) -> Answer:
        left = time_left or patience(self._patience_seconds)

        def send_in_time(is_repetition: bool) -> Answer:
            with self._client.within(left()):
                return send(is_repetition)

        try:
            answer = repeated(send_in_time, time_left=left, sleep=self._sleep, is_worth_it=is_worth_it)
        except QueueUnavailable:
            self.unreachable_since = self.unreachable_since or time.monotonic()
            raise
        self.unreachable_since = None
        return answer
