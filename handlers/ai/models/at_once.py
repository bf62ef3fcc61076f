"""Does the same to several things at the same time, in threads that nobody has to wait for.

Threads of the standard pools are joined when the process ends; a request that hangs would hold it up.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def at_once(
    work: Callable[[Item], Result], items: Sequence[Item], *, threads: int, is_end: Callable[[Result], bool]
) -> Iterator[tuple[int, Result | BaseException]]:
    """Each item's index with its result, or with what it raised, in the order in which they end.

    After a result that `is_end`, or an error, nothing more is begun; what was begun before still comes.
    """
    waiting: queue.SimpleQueue[tuple[int, Item]] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[int, Result | BaseException] | None] = queue.SimpleQueue()
    ended = threading.Event()
    for numbered in enumerate(items):
        waiting.put(numbered)

    def work_off() -> None:
        while not ended.is_set():
            try:
                index, item = waiting.get_nowait()
            except queue.Empty:
                break
            try:
                result = work(item)
                if is_end(result):
                    ended.set()
                results.put((index, result))
            except BaseException as error:  # it belongs to whoever waits for the result
                ended.set()
                results.put((index, error))
        results.put(None)

    started = min(threads, len(items))
    for number in range(started):
        threading.Thread(target=work_off, daemon=True, name=f"crontick-ai-{number}").start()
    for _ in range(started):
        while (result := results.get()) is not None:
            yield result
