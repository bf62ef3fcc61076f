"""Waiting for what handlers hand in."""

from __future__ import annotations

import queue

from functions.clock import SystemClock


def test_everything_that_was_handed_in_is_received_at_once() -> None:
    inbox: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (1, 2, 3):
        inbox.put(number)
    assert SystemClock().wait(inbox, 0) == [1, 2, 3]
    assert SystemClock().wait(inbox, 0) == []
