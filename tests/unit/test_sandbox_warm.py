"""Keepers are kept warm for the next errand, which finds nothing of the one before."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from functions.sandbox import Sandbox
from functions.sandbox_answer import DecoderFailed
from functions.sandbox_pool import LEAST_KEEPERS, KeeperPool
from functions.sandbox_process import KeeperProcess, import_path
from handlers.contract import Outcome, Reject, Snooze
from tests.fixtures.sandboxes import CURIOUS, HOSTILE, children_of, eventually, is_gone, make_sandbox

MOST = max(len(os.sched_getaffinity(0)), LEAST_KEEPERS)
MODULE = "handlers.media.refused"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_text("somebody's secret")
    return path


@pytest.fixture
def sandbox(source: Path) -> Sandbox:
    return make_sandbox(notes_beside=source)


def run(sandbox: Sandbox, decoder: str, source: Path, **options: Any) -> dict[str, Any]:
    return sandbox.run(decoder, source, timeout=30, options=options).facts


def state(sandbox: Sandbox, source: Path) -> dict[str, Any]:
    return run(sandbox, CURIOUS + "state", source)


def keeper(sandbox: Sandbox, source: Path) -> int:
    """The keeper of the next errand."""
    return int(state(sandbox, source)["keeper"])


def test_an_errand_finds_nothing_of_the_one_before(sandbox: Sandbox, source: Path) -> None:
    before = state(sandbox, source)
    traces = run(sandbox, CURIOUS + "leaves_traces", source)

    assert traces["keeper"] == before["keeper"]
    assert state(sandbox, source) == before
    assert before["remembered"] == []
    assert before["in_its_own_folder"]
    assert before["entries"] == ["out"]
    assert before["threads"] == 1
    assert before["others_may_look"] == 0  # nor into its keeper, of which it is a copy
    assert len(before["descriptors"]) == 5  # the standard ones, its answer's, and the one that lists them


def test_what_an_errand_leaves_running_cannot_answer_for_the_next(sandbox: Sandbox, source: Path) -> None:
    traces = run(sandbox, CURIOUS + "forks_and_answers_on", source)

    for _ in range(3):
        after = state(sandbox, source)
        assert "forged" not in after
        assert after["keeper"] == traces["keeper"]


@pytest.mark.parametrize(("decoder", "verdict"), [("refuses", Reject), ("fails", DecoderFailed)])
def test_a_refused_file_and_a_bug_are_no_reason_for_a_new_keeper(
    sandbox: Sandbox, source: Path, decoder: str, verdict: type[Exception]
) -> None:
    first = keeper(sandbox, source)
    with pytest.raises(verdict):
        run(sandbox, HOSTILE + decoder, source)

    assert keeper(sandbox, source) == first


@pytest.mark.parametrize(
    "decoder", ["dies", "exits", "allocates", "writes_a_large_file", "answers_too_much", "answers_rubbish"]
)
def test_a_keeper_whose_decoder_misbehaved_is_replaced(sandbox: Sandbox, source: Path, decoder: str) -> None:
    first = keeper(sandbox, source)
    with pytest.raises(Reject):
        run(sandbox, HOSTILE + decoder, source)

    assert keeper(sandbox, source) != first
    assert is_gone(first)


def test_a_decoder_that_answers_and_does_not_end_is_believed_but_its_keeper_replaced(
    sandbox: Sandbox, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.sandbox_process.EXIT_SECONDS", 0.05)
    facts = run(sandbox, HOSTILE + "answers_and_stays", source)

    assert facts["text"] == "answered"
    assert is_gone(facts["pid"])
    assert is_gone(facts["keeper"])


def test_a_keeper_is_replaced_after_some_errands(
    sandbox: Sandbox, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.sandbox_pool.MOST_ERRANDS", 2)

    first, second, third = (keeper(sandbox, source) for _ in range(3))

    assert first == second != third
    assert is_gone(first)


def test_a_keeper_that_was_killed_while_it_waited_is_not_held_against_the_next_file(
    sandbox: Sandbox, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = keeper(sandbox, source)
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: is_gone(first))

    assert keeper(sandbox, source) != first
    assert caplog.records == []


def test_a_keeper_outlives_the_thread_that_started_it(sandbox: Sandbox, source: Path) -> None:
    keepers: list[int] = []
    thread = threading.Thread(target=lambda: keepers.append(keeper(sandbox, source)))
    thread.start()
    thread.join(timeout=20)

    assert keeper(sandbox, source) == keepers[0]


def meet(sandbox: Sandbox, source: Path, numbers: Sequence[int]) -> list[int]:
    """The keepers of errands that run at the same time."""

    def one(number: int) -> int:
        facts = run(sandbox, CURIOUS + "meets", source, number=number, beside=str(source.parent))
        return int(facts["keeper"])

    with ThreadPoolExecutor(len(numbers)) as threads:
        return list(threads.map(one, numbers))


def end(pool: KeeperPool, taken: Sequence[KeeperProcess]) -> None:
    pool.close()
    for keeper_process in taken:
        pool.give_back(keeper_process)


def test_errands_at_once_have_keepers_of_their_own_which_wait_for_the_next(
    sandbox: Sandbox, source: Path
) -> None:
    keepers = meet(sandbox, source, (0, 1))

    assert len(set(keepers)) == 2
    assert keeper(sandbox, source) in keepers


@pytest.mark.parametrize(("cores", "most"), [(1, 2), (3, 3)])
def test_no_more_decoders_run_than_there_are_cores_and_a_job_that_finds_none_comes_back_uncharged(
    cores: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(cores)))
    pool = KeeperPool(import_path())
    taken = [pool.take(MODULE, within=1) for _ in range(most)]

    with pytest.raises(Snooze, match="busy"):
        pool.take(MODULE, within=0.01)

    pool.give_back(taken[0])
    assert pool.take(MODULE, within=1) is taken[0]
    end(pool, taken)


def test_a_job_that_waits_for_a_decoder_hears_that_the_worker_stops() -> None:
    pool = KeeperPool(import_path())
    taken = [pool.take(MODULE, within=1) for _ in range(MOST)]

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.take, MODULE, within=60)
        pool.close()
        with pytest.raises(Snooze, match="stopping"):
            waiting.result(timeout=20)
    end(pool, taken)


def test_a_decoder_whose_import_starts_threads_is_imported_in_the_fork(
    sandbox: Sandbox, source: Path
) -> None:
    first, second = (run(sandbox, "tests.fixtures.threaded_decoder:works", source) for _ in range(2))

    assert first["threads"] == 2  # the main one and its library's
    assert first == second  # so the keeper has stayed


def test_waiting_keepers_end_when_the_sandbox_is_closed(sandbox: Sandbox, source: Path) -> None:
    first = keeper(sandbox, source)
    sandbox.close()

    assert is_gone(first)


def test_and_when_it_is_forgotten(source: Path) -> None:
    first = keeper(make_sandbox(), source)
    gc.collect()

    assert is_gone(first)
    assert first not in children_of(os.getpid())


def test_no_descriptor_is_left_open_whatever_becomes_of_an_errand(sandbox: Sandbox, source: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    keeper(sandbox, source)
    before = descriptors()
    for decoder in ("well_behaved", "refuses", "dies", "answers_too_much"):
        try:
            run(sandbox, HOSTILE + decoder, source)
        except Outcome:
            continue
    keeper(sandbox, source)

    assert descriptors() == before
