"""The arithmetic of the benchmarks: bars, ratios, percentiles, races and turns."""

from __future__ import annotations

import io
from functools import partial

import pytest
from rich.console import Console

from scripts.bench.progress import Progress
from scripts.bench.race import Finish, jobs_per_second
from scripts.bench.rounds import take_turns
from scripts.bench.rows import Row, at_least, at_most, median_ratio, percentile
from scripts.local_supabase.errors import LocalSupabaseError


@pytest.mark.parametrize(
    ("bar", "measured", "is_missed"),
    [
        (at_least(2), 2.0, False),
        (at_least(2), 1.99, True),
        (at_most(2), 2.0, False),
        (at_most(2), 2.01, True),
        (at_most(0), 0.0, False),
        (None, 0.0, False),
    ],
)
def test_a_bar_is_reached_by_the_very_figure_it_names(bar: None, measured: float, is_missed: bool) -> None:
    assert Row("throughput", "ours / theirs", measured, "x", bar).is_missed is is_missed


def test_a_ratio_is_taken_round_by_round_so_that_a_slow_spell_of_the_machine_cancels_out() -> None:
    assert median_ratio([20.0, 2.0, 20.0], [10.0, 1.0, 40.0]) == 2.0


def test_a_ratio_refuses_rounds_that_do_not_belong_together() -> None:
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 6.0), (0.9, 10.0), (1.0, 10.0)])
def test_a_percentile_is_one_of_the_measured_values(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(10, 0, -1)], share) == expected


def test_a_race_lasts_from_the_first_start_to_the_last_job() -> None:
    finishes = [Finish(60, began=10.0, ended=12.0), Finish(40, began=10.5, ended=15.0)]
    assert jobs_per_second(finishes, expected=100) == 20.0


def test_a_process_that_found_nothing_to_do_does_not_lengthen_the_race() -> None:
    finishes = [Finish(100, began=10.0, ended=12.0), Finish(0, began=10.0, ended=30.0)]
    assert jobs_per_second(finishes, expected=100) == 50.0


def test_a_race_in_which_jobs_were_lost_is_no_result() -> None:
    with pytest.raises(LocalSupabaseError, match="99 jobs were done, but 100"):
        jobs_per_second([Finish(99, began=0.0, ended=1.0)], expected=100)


def test_contestants_take_turns_and_none_is_always_first() -> None:
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        return float(len(order))

    quiet = Progress(Console(file=io.StringIO()))
    figures = take_turns({"ours": partial(run, "ours"), "theirs": partial(run, "theirs")}, 2, quiet)
    assert order == ["ours", "theirs", "theirs", "ours"]
    assert figures == {"ours": [1.0, 4.0], "theirs": [2.0, 3.0]}
