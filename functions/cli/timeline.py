"""How long a job waited and ran, and where that lies on a common axis: the plot of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.cli.rows import FileJob, FileResult, JobRow, JobRun


@dataclass(frozen=True)
class Bar:
    """A stretch of time on the axis, in percent of its whole length."""

    start: float
    width: float
    kind: str  # "wait" | "run" | "failed"
    title: str


@dataclass(frozen=True)
class JobTimes:
    """One job of a file: what it waited for its turn, what it ran, and the bars of both."""

    job: FileJob
    wait_seconds: float | None
    run_seconds: float | None
    bars: list[Bar]


@dataclass(frozen=True)
class Axis:
    """The common axis of all files: each file starts at 0, the slowest one ends at 100 %."""

    seconds: float

    def bar(self, origin: datetime, start: datetime, end: datetime, kind: str, title: str) -> Bar:
        left = _share((start - origin).total_seconds(), self.seconds)
        right = _share((end - origin).total_seconds(), self.seconds)
        return Bar(round(left, 3), round(max(right - left, 0.4), 3), kind, title)

    def ticks(self) -> list[tuple[float, str]]:
        """Four or five round marks: position in percent and label."""
        step = next(s for s in _STEPS if self.seconds / s <= 5 or s == _STEPS[-1])
        count = int(self.seconds / step)
        return [(round(100 * n * step / self.seconds, 3), f"{n * step:g} s") for n in range(count + 1)]


_STEPS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


def axis(results: Sequence[FileResult]) -> Axis:
    """The axis that the slowest of these files needs."""
    longest = [
        (end - result.status.created_at).total_seconds()
        for result in results
        for end in [run.finished_at for runs in result.runs.values() for run in runs]
    ]
    return Axis(max([1.0, *longest]))


def job_times(result: FileResult, scale: Axis) -> list[JobTimes]:
    """The jobs of one file in the order of its flow."""
    rows = {row.id: row for row in result.jobs}
    return [
        _times(job, rows.get(job.job_id), result.runs.get(job.job_id, []), result.status.created_at, scale)
        for job in result.status.jobs
    ]


def waited_and_took(result: FileResult) -> tuple[float | None, float | None]:
    """The seconds from a file's upload to the start of its first job, and from there to its last job's end."""
    runs = [run for of_job in result.runs.values() for run in of_job]
    if not runs:
        return None, None
    begin = max(min(run.started_at for run in runs), result.status.created_at)
    end = max(run.finished_at for run in runs)
    return (begin - result.status.created_at).total_seconds(), (end - begin).total_seconds()


def _times(
    job: FileJob, row: JobRow | None, runs: Sequence[JobRun], origin: datetime, scale: Axis
) -> JobTimes:
    if row is None or not runs:
        return JobTimes(job, None, job.seconds, [])
    ready = _ready(row, runs[0])
    bars: list[Bar] = []
    waited = ran = 0.0
    for run in runs:
        begin = max(ready, run.started_at)
        waited += (begin - ready).total_seconds()
        ran += (run.finished_at - begin).total_seconds()
        bars.append(scale.bar(origin, ready, begin, "wait", f"{job.type} waits"))
        kind = "run" if run.outcome in ("done", "snooze", "release", "superseded") else "failed"
        bars.append(scale.bar(origin, begin, run.finished_at, kind, f"{job.type} runs: {run.outcome}"))
        ready = run.finished_at
    return JobTimes(job, waited, ran, bars)


def _ready(row: JobRow, first: JobRun) -> datetime:
    """When the job could first have been claimed. `run_at` tells that until a retry moves it."""
    return max(row.created_at, row.run_at) if row.run_at <= first.started_at else row.created_at


def _share(seconds: float, whole: float) -> float:
    return min(max(100 * seconds / whole, 0.0), 100.0)
