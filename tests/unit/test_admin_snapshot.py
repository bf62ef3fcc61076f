"""Readers of the jobs API share what was asked of the database once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.admin.snapshot import Shared
from functions.errors import QueueUnavailable


class Source:
    """Counts how often it is asked; each load takes so long by the test's clock."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.time = 100.0
        self.seconds = seconds
        self.loads = 0
        self.errors: list[Exception] = []

    def load(self, key: str) -> str:
        self.loads += 1
        self.time += self.seconds
        if self.errors:
            raise self.errors.pop()
        return f"{key} {self.loads}"

    def shared(self, load: Callable[[str], str] | None = None, patience: float = 8.0) -> Shared[str, str]:
        return Shared(load or self.load, now=lambda: self.time, patience=patience)


@pytest.mark.parametrize(("cost", "lifetime"), [(0.0, 2.0), (0.01, 2.0), (0.5, 10.0), (2.0, 40.0)])
def test_an_answer_is_fresh_for_two_seconds_or_twenty_times_its_cost(cost: float, lifetime: float) -> None:
    source = Source(cost)
    shared = source.shared()
    assert shared.get("a") == "a 1"
    source.time += lifetime - 0.001
    assert shared.get("a") == "a 1"
    source.time += 0.002
    assert shared.get("a") == "a 2"


def test_each_key_is_asked_for_itself() -> None:
    shared = Source().shared()
    assert [shared.get("a"), shared.get("b"), shared.get("a")] == ["a 1", "b 2", "a 1"]


def test_an_error_is_not_kept() -> None:
    source = Source()
    source.errors = [QueueUnavailable("down")]
    shared = source.shared()
    with pytest.raises(QueueUnavailable, match="down"):
        shared.get("a")
    assert shared.get("a") == "a 2"


def test_a_change_makes_the_next_reader_ask_anew() -> None:
    shared = Source().shared()
    shared.get("a")
    shared.forget()
    assert shared.get("a") == "a 2"


def test_what_was_asked_before_a_change_is_not_kept_after_it() -> None:
    source = Source()

    def load(key: str) -> str:
        if source.loads == 0:
            shared.forget()  # somebody pauses the queue while this reader's answer is under way
        return source.load(key)

    shared = source.shared(load)
    shared.get("a")
    assert shared.get("a") == "a 2"


def test_fifty_threads_make_one_query() -> None:
    source = Source()
    everybody = threading.Barrier(50)
    may_end = threading.Event()

    def slow(key: str) -> str:
        assert may_end.wait(10)
        return source.load(key)

    shared = source.shared(slow)

    def read(_: int) -> str:
        everybody.wait(10)
        return shared.get("a")

    with ThreadPoolExecutor(50) as readers:
        answers = [readers.submit(read, number) for number in range(50)]
        may_end.set()
        assert {answer.result(10) for answer in answers} == {"a 1"}
    assert source.loads == 1


def test_those_who_wait_for_a_failing_load_hear_of_it_too() -> None:
    is_loading, may_fail = threading.Event(), threading.Event()

    def failing(key: str) -> str:
        is_loading.set()
        assert may_fail.wait(10)
        raise QueueUnavailable("down")

    shared = Source().shared(failing)
    with ThreadPoolExecutor(2) as readers:
        first = readers.submit(shared.get, "a")
        assert is_loading.wait(10)
        second = readers.submit(shared.get, "a")
        may_fail.set()
        for reader in (first, second):
            with pytest.raises(QueueUnavailable, match="down"):
                reader.result(10)


def test_nobody_waits_for_ever_for_another_ones_load() -> None:
    is_loading, may_end = threading.Event(), threading.Event()

    def hanging(key: str) -> str:
        is_loading.set()
        assert may_end.wait(10)
        return key

    shared = Source().shared(hanging, patience=0.01)
    with ThreadPoolExecutor(1) as reader:
        first = reader.submit(shared.get, "a")
        assert is_loading.wait(10)
        with pytest.raises(QueueUnavailable, match="not answered"):
            shared.get("a")
        may_end.set()
        assert first.result(10) == "a"
