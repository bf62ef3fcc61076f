from __future__ import annotations

import pytest

from functions.cli import timeline
from functions.cli.rows import FileResult
from tests.unit.cli_rows import at, job, job_row, result, run


def only_job(file: FileResult) -> timeline.JobTimes:
    (times,) = timeline.job_times(file, timeline.axis([file]))
    return times


def test_a_job_waits_from_its_upload_to_its_claim_and_then_runs() -> None:
    times = only_job(result([run(2, 3)]))
    assert (times.wait_seconds, times.run_seconds) == (2, 1)
    assert [(bar.kind, bar.start) for bar in times.bars] == [("wait", 0), ("run", pytest.approx(66.667))]


def test_a_child_does_not_wait_while_its_parent_runs() -> None:
    file = result([run(6, 7)])
    file.jobs[:] = [job_row(run_at=at(5))]
    assert only_job(file).wait_seconds == 1


def test_a_retry_waits_again_and_the_failed_attempt_is_shown() -> None:
    file = result([run(1, 2, "retry"), run(5, 6)])
    file.jobs[:] = [job_row(run_at=at(4))]
    times = only_job(file)
    assert [bar.kind for bar in times.bars] == ["wait", "failed", "wait", "run"]
    assert (times.wait_seconds, times.run_seconds) == (4, 2)


def test_a_job_that_never_ran_has_no_bars() -> None:
    file = result()
    file.status.jobs[:] = [job(status="cancelled")]
    times = only_job(file)
    assert (times.wait_seconds, times.bars) == (None, [])


def test_all_files_share_the_axis_that_the_slowest_one_needs() -> None:
    scale = timeline.axis([result([run(1, 2)]), result([run(1, 9)])])
    assert scale.seconds == 9
    assert [label for _, label in scale.ticks()] == ["0 s", "2 s", "4 s", "6 s", "8 s"]
    assert [place for place, _ in scale.ticks()][:2] == [0, pytest.approx(22.222)]


def test_jobs_that_run_side_by_side_do_not_add_up() -> None:
    file = result([run(2, 5)])
    file.runs[2] = [run(3, 6, job_id=2)]
    assert timeline.waited_and_took(file) == (2, 4)
    assert timeline.waited_and_took(result()) == (None, None)
