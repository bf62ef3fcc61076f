"""Watching files until their jobs are over: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from functions.cli import files
from functions.cli.connection import Connection
from functions.cli.rows import FINAL, FileJob, FileStatus
from functions.cli.terminal import seconds_text, shown, status_text
from functions.cli.uploads import Upload

POLL_SECONDS = 0.4


@dataclass
class Watch:
    """One watch over some uploads. `alive` raises when waiting has become pointless."""

    connection: Connection
    console: Console
    uploads: Sequence[Upload]
    alive: Callable[[], None] = lambda: None
    pause: Callable[[float], None] = time.sleep
    _said: set[tuple[int, str]] = field(default_factory=set)

    def until_done(self, timeout: float) -> list[FileStatus]:
        """Follows the files until all of them are done, failed or cancelled, or the time is up."""
        deadline = time.monotonic() + timeout
        statuses = {upload.status.file_id: upload.status for upload in self.uploads}
        if not self.console.is_terminal:
            return self._follow(statuses, deadline, self._say_changes)
        with Live(self._table(statuses), console=self.console, refresh_per_second=8) as live:
            return self._follow(statuses, deadline, lambda now: live.update(self._table(now)))

    def _follow(
        self,
        statuses: Mapping[int, FileStatus],
        deadline: float,
        show: Callable[[Mapping[int, FileStatus]], None],
    ) -> list[FileStatus]:
        ids = list(statuses)
        while True:
            current = files.statuses(self.connection, ids)
            statuses = {one: current.get(one) or _replaced(statuses[one]) for one in ids}
            show(statuses)
            finished = all(status.status in FINAL for status in statuses.values())
            if finished or time.monotonic() > deadline:
                return [statuses[one] for one in ids]
            self.alive()
            self.pause(POLL_SECONDS)

    def _table(self, statuses: Mapping[int, FileStatus]) -> Table:
        types = job_types(list(statuses.values()))
        table = Table(expand=False, header_style="dim", border_style="dim")
        table.add_column("file", overflow="fold", max_width=40)
        for job_type in types:
            table.add_column(job_type.replace("_", " "), no_wrap=True, min_width=11)
        table.add_column("file is", no_wrap=True)
        for upload in self.uploads:
            status = statuses[upload.status.file_id]
            jobs = {job.type: job for job in status.jobs}
            cells = [stage_text(jobs[t]) if t in jobs else Text("-", style="dim") for t in types]
            table.add_row(Text(shown(upload.file.name)), *cells, status_text(status.status))
        return table

    def _say_changes(self, statuses: Mapping[int, FileStatus]) -> None:
        for upload in self.uploads:
            for job in statuses[upload.status.file_id].jobs:
                if job.status == "waiting" or (job.status == "queued" and not job.error):
                    continue
                line = f"{shown(upload.file.name)}: {job.type} {stage_text(job).plain}"
                if job.error and job.status != "done":
                    line += f": {shown(job.error)}"
                if (job.job_id, line) not in self._said:
                    self._said.add((job.job_id, line))
                    self.console.print(Text(line), soft_wrap=True)


def job_types(statuses: Sequence[FileStatus]) -> list[str]:
    """The job types of these files, in the order in which their flows list them."""
    return list(dict.fromkeys(job.type for status in statuses for job in status.jobs))


def stage_text(job: FileJob) -> Text:
    """Where one job stands, in a word or two."""
    if job.status == "processing":
        share = job.done_share
        return status_text("processing", "running" if share is None else f"running {share:.0%}")
    if job.status == "queued" and job.error:
        return Text("will retry", style="yellow")
    if job.status == "done" and job.seconds is not None:
        return status_text("done", f"done {seconds_text(job.seconds)}")
    return status_text(job.status)


def _replaced(status: FileStatus) -> FileStatus:
    """A file that left the view `file_status`: there is a newer version of it, or none any more."""
    reason = "overwritten or deleted before it was done"
    jobs = [
        job if job.status in FINAL else job.model_copy(update={"status": "cancelled", "error": reason})
        for job in status.jobs
    ]
    return status.model_copy(update={"status": "cancelled", "jobs": jobs})
