"""How the benchmarks' rows are shown."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from scripts.bench import report
from scripts.bench.__main__ import BENCHMARKS, options_of
from scripts.bench.options import FULL, QUICK
from scripts.bench.rows import Row, at_least, at_most

MACHINE = {"cores": "2", "processor": "a | b", "memory": "24 GB", "PostgreSQL": "15.1", "Python": "3.11"}
REACHED = Row("backlog", "deep / shallow", 1.2, "x", at_most(2), "look at the plans")
MISSED = Row("throughput", "ours / theirs", 1.5, "x", at_least(2), "run it alone")
PLAIN = Row("wal", "claim", 695.4, "bytes/job")
POINT = Row("snapshot", "with a snapshot held", 1480.0, "jobs/s", series="held", x=2.0, in_table=False)
ROWS = [REACHED, MISSED, PLAIN, POINT]


def shown(rows: list[Row], *, colour: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=140, force_terminal=colour, color_system="standard" if colour else None
    )
    report.show(console, rows, MACHINE, [])
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.8341, "0.83"), (12.34, "12.3"), (695.4, "695"), (18437.0, "18,400"), (0.0, "0"), (2.0, "2")],
)
def test_a_figure_has_the_digits_that_count(value: float, expected: str) -> None:
    assert report.number(value) == expected


def test_the_table_says_of_every_bar_whether_it_was_reached() -> None:
    lines = {
        row.what: next(line for line in shown(ROWS).splitlines() if row.what in line) for row in ROWS[:3]
    }
    assert "≤ 2 x" in lines[REACHED.what]
    assert "reached" in lines[REACHED.what]
    assert "≥ 2 x" in lines[MISSED.what]
    assert "missed" in lines[MISSED.what]
    assert "695 bytes/job" in lines[PLAIN.what]
    assert "reached" not in lines[PLAIN.what]


def test_a_missed_bar_is_red_and_a_reached_one_green() -> None:
    text = shown(ROWS, colour=True)
    assert "\x1b[31mmissed" in text
    assert "\x1b[32mreached" in text


def test_a_missed_bar_comes_with_what_to_do_next() -> None:
    text = shown(ROWS)
    assert "1 of 2 bars reached." in text
    assert "Missed: throughput, ours / theirs. Next: run it alone" in text
    assert "look at the plans" not in text


def test_points_of_a_curve_are_left_out_of_the_table_but_not_of_the_json() -> None:
    assert POINT.what not in shown(ROWS)
    document = json.loads(report.as_json(ROWS, MACHINE))
    assert [row["x"] for row in document["rows"]] == [None, None, None, 2.0]
    assert [row["reached"] for row in document["rows"]] == [True, False, None, None]
    assert document["rows"][1]["bar"] == "≥ 2"
    assert document["machine"] == MACHINE


def test_the_markdown_is_one_table_below_the_machine_it_was_measured_on(tmp_path: Path) -> None:
    paths = report.write_files(tmp_path, [REACHED, Row("wal", "a | b", 1.0, "bytes/job")], MACHINE)
    assert [path.name for path in paths] == ["results.json", "results.md"]
    assert paths[1].read_text().splitlines() == [
        "2 cores (a | b), 24 GB, PostgreSQL 15.1, Python 3.11",
        "",
        "| benchmark | what | measured | bar | |",
        "| --- | --- | ---: | ---: | --- |",
        "| backlog | deep / shallow | 1.20 x | ≤ 2 x | reached |",
        "| wal | a \\| b | 1 bytes/job |  |  |",
    ]


def test_without_names_everything_is_measured_at_full_size() -> None:
    options = options_of([])
    assert options.names == tuple(BENCHMARKS)
    assert options.sizes == FULL
    assert options.rivals


def test_quick_is_small_and_the_held_seconds_still_count() -> None:
    options = options_of(["snapshot", "--quick", "--held-seconds", "7", "--without-rivals"])
    assert options.names == ("snapshot",)
    assert options.sizes.jobs == QUICK.jobs
    assert options.sizes.snapshot_seconds == 7
    assert not options.rivals


def test_an_unknown_benchmark_is_refused_with_the_ones_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options_of(["thruput"])
    assert (
        "there is no benchmark 'thruput': choose from throughput, direct, backlog" in capsys.readouterr().err
    )
