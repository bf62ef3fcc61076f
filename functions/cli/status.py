"""`crontick status`: what the queue is doing, which files came last, and what needs a person."""

from __future__ import annotations

import json as json_format
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from functions.cli import files
from functions.cli.connection import Connection, connect, project, settings
from functions.cli.options import Json
from functions.cli.progress import job_types, stage_text
from functions.cli.rows import DeadLetter, FileStatus, PutBack
from functions.cli.terminal import (
    STATUS_STYLES,
    console,
    counted,
    print_json,
    seconds_text,
    shown,
    status_text,
)
from functions.health_rows import CronRun, QueueHealth

_DEAD_LETTERS = 10
_PUT_BACK = 10
_REFRESH_SECONDS = 2.0


@dataclass(frozen=True)
class Overview:
    """One look at the queue."""

    health: QueueHealth
    files: list[FileStatus]
    put_back: list[PutBack]
    dead_letters: list[DeadLetter]

    def as_json(self) -> dict[str, Any]:
        return {
            "health": self.health.model_dump(mode="json"),
            "files": [one.model_dump(mode="json") for one in self.files],
            "put_back": [_with_file(one) for one in self.put_back],
            "dead_letters": [_with_file(one) for one in self.dead_letters],
        }


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", metavar="", help="Refresh until Ctrl-C.")] = False,
    count: Annotated[
        int, typer.Option("--files", metavar="COUNT", min=1, max=500, help="How many of the latest files.")
    ] = 15,
    json: Json = False,
) -> None:
    """Shows the queue's health, the latest files, the jobs that were put back and the dead letters."""
    out = console(json)
    with connect(*project(settings())) as supabase:
        if not watch:
            overview = _look(supabase, count)
            print_json(overview.as_json()) if json else out.print(_view(overview))
            return
        try:
            if json or not out.is_terminal:
                _stream(supabase, count, json=json)
            with Live(_view(_look(supabase, count)), console=out, screen=True, auto_refresh=False) as live:
                while True:
                    time.sleep(_REFRESH_SECONDS)
                    live.update(_view(_look(supabase, count)), refresh=True)
        except KeyboardInterrupt:
            return


def _stream(supabase: Connection, count: int, *, json: bool) -> None:
    """For pipes: one JSON document per line, or one view after the other."""
    while True:
        overview = _look(supabase, count)
        if json:
            typer.echo(json_format.dumps(overview.as_json()))
        else:
            console(json).print(_view(overview))
        time.sleep(_REFRESH_SECONDS)


def _look(supabase: Connection, count: int) -> Overview:
    return Overview(
        health=supabase.queue.health(),
        files=files.recent(supabase, count),
        put_back=files.put_back(supabase, _PUT_BACK),
        dead_letters=files.dead_letters(supabase, _DEAD_LETTERS),
    )


def _view(overview: Overview) -> RenderableType:
    parts: list[RenderableType] = [*_health_lines(overview.health), ""]
    parts.append(_files_table(overview.files) if overview.files else Text("No files yet.", style="dim"))
    if overview.put_back:
        parts += ["", _put_back_table(overview.put_back)]
    if overview.dead_letters:
        parts += ["", _dead_letters_table(overview.dead_letters)]
    return Group(*parts)


def _health_lines(health: QueueHealth) -> list[Text]:
    counts = Text("jobs  ", style="bold")
    for name in STATUS_STYLES:
        number = health.counts.get(name, 0)
        counts.append(f"{name} {number}  ", style=STATUS_STYLES[name] if number else "dim")
    due = Text("due   ", style="bold").append(str(health.due), style="")
    if health.oldest_due_seconds:
        late = "red" if health.oldest_due_seconds > 300 else "default"
        due.append(f", the oldest for {seconds_text(health.oldest_due_seconds)}", style=late)
    lines = [counts, due]
    if not health.processing_enabled:
        reason = shown(health.paused_reason or "no reason given")
        lines.append(Text(f"paused: {reason}. Go on with: crontick resume", style="yellow"))
    if health.expired_leases:
        lines.append(
            Text(
                f"{counted(health.expired_leases, 'lease')} ran out: the next claim takes those jobs back",
                style="yellow",
            )
        )
    lines += [Text(text, style="yellow") for text in _hindrances(health)]
    if health.recent_ticks:
        tick = health.recent_ticks[0]
        lines.append(
            Text("tick  ", style="bold").append(
                tick_text(tick, datetime.now(UTC)), style="red" if tick.status == "failed" else ""
            )
        )
    lines += [
        Text(shown(f"not enqueued: {one.bucket_id}/{one.path}: {one.error}"), style="red")
        for one in health.ingest_failures
    ]
    return lines


def _hindrances(health: QueueHealth) -> list[str]:
    """What holds jobs up although nothing failed."""
    found = []
    if health.suspects:
        found.append(f"{counted(health.suspects, 'job')} will run alone: their worker died while they ran")
    if health.waiting_for_limits:
        found.append("limits keep ready jobs waiting: select * from public.pending_jobs_queue limit 50;")
    if snapshot := health.oldest_snapshot:
        who = shown(snapshot.application or "no name")
        found.append(
            f"a transaction (pid {snapshot.pid}, {who}) has been open for {seconds_text(snapshot.seconds)}: "
            f"{counted(health.dead_rows, 'dead row')} cannot be removed"
        )
    found += [f"schedule {shown(one.jobname)} is paused" for one in health.cron_schedules if not one.active]
    return found


def tick_text(tick: CronRun, now: datetime) -> str:
    """What the last tick came to, and how long ago: without that, a schedule that stopped looks well."""
    when = tick.end_time or tick.start_time
    ago = f"{seconds_text((now - when).total_seconds())} ago" if when else ""
    return ", ".join(
        part for part in (tick.status or "", ago, shown((tick.return_message or "").strip())) if part
    )


def _files_table(found: Sequence[FileStatus]) -> Table:
    table = Table(header_style="dim", border_style="dim")
    table.add_column("file", overflow="fold", max_width=48)
    types = job_types(found)
    for job_type in types:
        table.add_column(job_type.replace("_", " "), no_wrap=True)
    table.add_column("file is", no_wrap=True)
    for one in found:
        jobs = {job.type: job for job in one.jobs}
        cells = [stage_text(jobs[t]) if t in jobs else Text("-", style="dim") for t in types]
        table.add_row(Text(shown(one.path)), *cells, status_text(one.status))
    return table


def _put_back_table(found: Sequence[PutBack]) -> Table:
    table = _jobs_table("Put back", "bold yellow")
    for one in found:
        wait = (one.run_at - datetime.now(UTC)).total_seconds()
        step = f"in {seconds_text(wait)}" if wait > 0 else "with the next tick"
        tried = f"after {counted(one.attempts, 'attempt')}, again "
        advice = Text.assemble((shown(one.last_error), "yellow"), (f"\n{tried}", "dim"), step)
        table.add_row(str(one.id), one.type, _about(one), advice)
    return table


def _dead_letters_table(found: Sequence[DeadLetter]) -> Table:
    table = _jobs_table("Dead letters", "bold red")
    for one in found:
        advice = Text.assemble(
            (shown(one.last_error or "no error was recorded"), "red"),
            ("\nWhen its cause is gone: ", "dim"),
            f"crontick retry {one.id}",
        )
        table.add_row(str(one.id), one.type, _about(one), advice)
    return table


def _jobs_table(title: str, style: str) -> Table:
    table = Table(title=title, title_justify="left", title_style=style, border_style="dim", show_lines=True)
    table.add_column("job", justify="right", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("file or organisation", overflow="fold")
    table.add_column("error and next step", overflow="fold", ratio=1)
    return table


def _about(job: PutBack | DeadLetter) -> Text:
    return Text(shown(job.file.path if job.file else job.org_id))


def _with_file(job: PutBack | DeadLetter) -> dict[str, Any]:
    return job.model_dump(mode="json") | {"file": job.file and job.file.model_dump()}
