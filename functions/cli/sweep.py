"""`crontick reconcile` and `crontick backfill`: jobs for files that no storage trigger saw, or not this route's.

Each call does about a second of work and remembers where it stopped; the commands call until all objects were
seen. Both may be stopped and run again at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from functions.cli.connection import connect, project, settings
from functions.cli.options import Json
from functions.cli.terminal import Problem, command, console, counted, print_json
from functions.health_rows import FileSweep

_BUSY_SECONDS = 0.5
_BUSY_ATTEMPTS = 60

Route = Annotated[
    str, typer.Argument(metavar="ROUTE", show_default=False, help="Name of a row in ingest_routes.")
]


def reconcile(json: Json = False) -> None:
    """Compares Storage with the files we know, and makes up for what the storage trigger missed."""
    out = console(json)
    with connect(*project(settings())) as supabase:
        total = _sweep(lambda is_first: supabase.queue.reconcile(restart=is_first), out)
    _show(total, out, json=json)


def backfill(
    route: Route,
    priority: Annotated[
        int,
        typer.Option(
            metavar="NUMBER", min=-1000, max=1000, help="Added to the steps' own. Low: after fresh uploads."
        ),
    ] = -1000,
    json: Json = False,
) -> None:
    """Gives files that are older than a route, or than a step of its flow, the jobs that they lack."""
    out = console(json)
    with connect(*project(settings())) as supabase:
        total = _sweep(lambda _: supabase.queue.backfill(route, priority=priority), out)
    _show(total, out, json=json)


def _sweep(step: Callable[[bool], FileSweep], out: Console) -> FileSweep:
    """Takes steps until one says that all objects were seen, and adds them up."""
    total, step_done, busy = FileSweep(), FileSweep(busy=True), 0
    with out.status("Looking at the stored objects …") as line:
        while not step_done.finished:
            step_done = step(total.checked == 0)
            if step_done.busy:
                busy += 1
                if busy == _BUSY_ATTEMPTS:
                    raise Problem("another call of this sweep does not come to its end", "Try again later.")
                time.sleep(_BUSY_SECONDS)
            else:
                busy = 0
            total = _sum(total, step_done)
            line.update(
                f"{counted(total.checked, 'object')} checked, {counted(total.enqueued, 'file')} enqueued"
            )
    return total


def _sum(one: FileSweep, other: FileSweep) -> FileSweep:
    return FileSweep(
        checked=one.checked + other.checked,
        enqueued=one.enqueued + other.enqueued,
        retired=one.retired + other.retired,
        failed=one.failed + other.failed,
    )


def _show(total: FileSweep, out: Console, *, json: bool) -> None:
    if json:
        print_json(total.model_dump(exclude={"finished", "busy"}))
    else:
        table = Table(header_style="dim", border_style="dim")
        for column in ("objects checked", "files enqueued", "files retired", "failed"):
            table.add_column(column, justify="right")
        table.add_row(str(total.checked), str(total.enqueued), str(total.retired), str(total.failed))
        out.print(table)
        if total.enqueued:
            out.print(Text(f"Watch their jobs with: {command('status --watch')}", style="dim"))
    if total.failed:
        raise Problem(
            f"{counted(total.failed, 'file')} could not be brought up to date",
            f"See the reasons with: {command('status')}",
        )
