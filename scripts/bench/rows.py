"""What a benchmark returns: rows that say what was measured and, where one is set, the bar to reach."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Bar:
    """What a figure has to be: at least or at most `value`, in the unit of its row."""

    value: float
    at_least: bool

    def is_reached_by(self, measured: float) -> bool:
        return measured >= self.value if self.at_least else measured <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.value:g}"


def at_least(value: float) -> Bar:
    return Bar(value, at_least=True)


def at_most(value: float) -> Bar:
    return Bar(value, at_least=False)


@dataclass(frozen=True)
class Row:
    """One figure. Rows of one `series` with an `x` are a curve; those that are not `in_table` are only plotted."""

    benchmark: str
    what: str
    value: float
    unit: str
    bar: Bar | None = None
    next_step: str = ""
    series: str = ""
    x: float | None = None
    in_table: bool = True

    @property
    def is_missed(self) -> bool:
        return self.bar is not None and not self.bar.is_reached_by(self.value)

    def to_json(self) -> dict[str, Any]:
        row = asdict(self)
        row["bar"] = None if self.bar is None else str(self.bar)
        row["reached"] = None if self.bar is None else not self.is_missed
        return row


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """The median of the ratios round by round: what disturbs the machine for a while disturbs both sides."""
    return statistics.median(
        numerator / denominator for numerator, denominator in zip(numerators, denominators, strict=True)
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: 0.5 is the median, 0.9 what nine of ten stay below or at."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
