"""Draws the rows: curves over `x` where a benchmark has them, else bars. Needs matplotlib (the group `bench`)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scripts.bench.rows import Row

# Before the import: it writes a cache of fonts, and not everybody's home can be written.
os.environ.setdefault("MPLCONFIGDIR", str(Path(tempfile.gettempdir()) / "crontick-matplotlib"))

if find_spec("matplotlib") is not None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

X_LABELS = {"backlog": "queued jobs", "snapshot": "seconds"}
BAR_COLOUR, MISSED_COLOUR, LINE_COLOUR = "#3ecf8e", "#e5484d", "#444444"


def can_plot() -> bool:
    return find_spec("matplotlib") is not None


def draw(out: Path, rows: Sequence[Row]) -> list[Path]:
    """One picture per benchmark, as PNG and SVG."""
    written: list[Path] = []
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        of_this = [row for row in rows if row.benchmark == benchmark]
        curves = [row for row in of_this if row.series]
        chart, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
        if curves:
            draw_curves(axes, curves)
        else:
            draw_bars(axes, of_this)
        axes.set_title(benchmark)
        for ending in ("png", "svg"):
            path = out / f"{benchmark}.{ending}"
            chart.savefig(path, dpi=150)
            written.append(path)
        pyplot.close(chart)
    return written


def draw_curves(axes: Any, rows: Sequence[Row]) -> None:
    for series in dict.fromkeys(row.series for row in rows):
        points = sorted((row.x, row.value) for row in rows if row.series == series and row.x is not None)
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=series)
    if rows[0].benchmark == "backlog":
        axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(X_LABELS.get(rows[0].benchmark, ""))
    axes.set_ylabel(rows[0].unit)
    axes.legend()


def draw_bars(axes: Any, rows: Sequence[Row]) -> None:
    """Of the unit that most rows have: a ratio and a rate do not share an axis."""
    units = [row.unit for row in rows]
    unit = max(dict.fromkeys(units), key=units.count)
    shown = [row for row in rows if row.unit == unit]
    colours = [MISSED_COLOUR if row.is_missed else BAR_COLOUR for row in shown]
    bars = axes.barh([row.what for row in shown], [row.value for row in shown], color=colours)
    axes.bar_label(bars, fmt="{:,.4g}", padding=3)
    for row, bar in zip(shown, bars, strict=True):
        if row.bar is not None:
            axes.vlines(row.bar.value, bar.get_y(), bar.get_y() + bar.get_height(), color=LINE_COLOUR)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel(unit)
