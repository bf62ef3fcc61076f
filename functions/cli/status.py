"""`crontick status`: what the queue is doing, which files came last, and what needs a person."""

from __future__ import annotations

import json as json_format
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from functions.cli import files
from functions.cli.connection import Connection, connect
from functions.cli.options import Json
from functions.cli.progress import job_types, stage_text
from functions.cli.rows import DeadLetter, FileStatus
from functions.cli.terminal import STATUS_STYLES, console, print_json, seconds_text, shown, status_text
from functions.queue_rows import QueueHealth
from functions.settings import load_settings

_DEAD_LETTERS = 10
_REFRESH_SECONDS = 2.0


@dataclass(frozen=True)
class Overview:
    """One look at the queue."""

    health: QueueHealth
    files: list[FileStatus]
    dead_letters: list[DeadLetter]

    def as_json(self) -> dict[str, Any]:
        return {
            "health": self.health.model_dump(mode="json"),
            "files": [one.model_dump(mode="json") for one in self.files],
            "dead_letters": [
                one.model_dump(mode="json") | {"file": one.file and one.file.model_dump()}
                for one in self.dead_letters
            ],
        }


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C.")] = False,
    count: Annotated[int, typer.Option("--files", min=1, max=500, help="How many of the latest files.")] = 15,
    json: Json = False,
) -> None:
    """Shows the queue's health, the latest files and the dead letters."""
    out = console(json)
    with connect(*load_settings().supabase()) as supabase:
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
        dead_letters=files.dead_letters(supabase, _DEAD_LETTERS),
    )


def _view(overview: Overview) -> RenderableType:
    parts: list[RenderableType] = [*_health_lines(overview.health), ""]
    parts.append(_files_table(overview.files) if overview.files else Text("No files yet.", style="dim"))
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
        lines.append(
            Text(f"paused: {reason}. Go on with: select public.resume_processing();", style="yellow")
        )
    if health.expired_leases:
        lines.append(
            Text(
                f"{health.expired_leases} leases ran out: the next claim takes those jobs back",
                style="yellow",
            )
        )
    if health.recent_ticks:
        tick = health.recent_ticks[0]
        said = shown(tick.return_message or "")
        lines.append(
            Text("tick  ", style="bold").append(
                f"{tick.status}, {said}", style="red" if tick.status == "failed" else ""
            )
        )
    lines += [
        Text(shown(f"not enqueued: {one.bucket_id}/{one.path}: {one.error}"), style="red")
        for one in health.ingest_failures
    ]
    return lines


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


def _dead_letters_table(found: Sequence[DeadLetter]) -> Table:
    table = Table(
        title="Dead letters",
        title_justify="left",
        title_style="bold red",
        border_style="dim",
        show_lines=True,
    )
    table.add_column("job", justify="right", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("file or organisation", overflow="fold")
    table.add_column("error and next step", overflow="fold", ratio=1)
    for one in found:
        advice = Text.assemble(
            (shown(one.last_error or "no error was recorded"), "red"),
            ("\nWhen its cause is gone: ", "dim"),
            f"select public.retry_job({one.id});",
        )
        table.add_row(str(one.id), one.type, Text(shown(one.file.path if one.file else one.org_id)), advice)
    return table
