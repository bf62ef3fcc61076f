"""`crontick demo`: the whole path on real parts, from upload to cards, watched from outside.

The demo never runs a job itself and never calls the tick: cron does, as in production.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from functions.cli import connection, files, report, timeline
from functions.cli.connection import Connection
from functions.cli.local import REPOSITORY, Leg, LocalSupabase, Process
from functions.cli.naming import LocalFile, local_files
from functions.cli.options import LOCAL_DIRECTORY, Directory, Json, LegOption, Schedule
from functions.cli.progress import Watch
from functions.cli.rows import FileResult
from functions.cli.stack import announced_start, show_dashboard, until_interrupted
from functions.cli.terminal import (
    Misuse,
    command,
    console,
    counted,
    print_json,
    seconds_text,
    shown,
    status_text,
)
from functions.cli.upload import require_done, uploads_table
from functions.cli.uploads import Upload, upload_all

SAMPLES = REPOSITORY / "scripts" / "samples" / "files"
_ORG = "demo"
_ROOM_FOR_TITLES = 100  # columns of the terminal
_BUCKET = "ingest"


Sources = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE", show_default=False, help="Your files. Default: the bundled samples."),
]
KeepRunning = Annotated[
    bool, typer.Option("--keep-running", metavar="", help="Leave everything up until Ctrl-C.")
]
ReportPath = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Where to write it. Default: .local/report.html",
        show_default=False,
    ),
]
Patience = Annotated[
    float, typer.Option("--timeout", min=1, metavar="SECONDS", help="Time to wait for the files.")
]


def demo(
    sources: Sources = None,
    leg: LegOption = Leg.wheel,
    schedule: Schedule = None,
    keep_running: KeepRunning = False,
    report_path: ReportPath = None,
    timeout: Patience = 300,
    directory: Directory = LOCAL_DIRECTORY,
    json: Json = False,
) -> None:
    """Shows the whole path: starts everything, uploads files, lets cron do the work, writes a report."""
    wanted = local_files(sources or _samples(), _ORG)
    out = console(json)
    with (
        announced_start(leg, schedule, directory, out, disposable=True) as (local, process),
        connection.connect(local.url, local.secret_key) as supabase,
    ):
        uploads, results, seconds = _travel(supabase, wanted, process, timeout, out)
        named = [(one.file.name, result) for one, result in zip(uploads, results, strict=True)]
        written = report.write(
            (report_path or directory / "report.html").absolute(),
            named,
            lambda thumbnail: supabase.download(thumbnail.bucket_id, thumbnail.path),
            seconds=seconds,
            leg=leg,
        )
        if json:
            print_json(_facts(named, seconds, leg, written))
        else:
            _show(out, named, seconds, written)
        if keep_running:
            _keep_running(local, process, out)
    require_done(
        uploads,
        f"The report shows each error and its next step: {written}\n"
        f"The demo has stopped its Supabase; to work on it: {command('up')}    then: {command('status')}",
    )


def _keep_running(local: LocalSupabase, process: Process, out: Console) -> None:
    out.print(Text(f"Still running: {local.url}, keys in {local.env_file}. Ctrl-C stops it."), soft_wrap=True)
    show_dashboard(local, out)
    with suppress(KeyboardInterrupt):
        until_interrupted(process)


def _samples() -> list[Path]:
    found = sorted(path for path in SAMPLES.glob("*") if path.is_file() and not path.name.startswith("."))
    if not found:
        raise Misuse(
            f"there are no samples in {SAMPLES}", f"Name your own files: {command('demo slides.pdf')}"
        )
    return found


def _travel(
    supabase: Connection, wanted: Sequence[LocalFile], process: Process, timeout: float, out: Console
) -> tuple[list[Upload], list[FileResult], float]:
    """Uploads, waits for cron, and reads what came of it; the seconds are from first upload to last job."""
    began = time.monotonic()
    uploads = upload_all(supabase, _BUCKET, wanted, out)
    out.print(uploads_table(uploads))
    watch = Watch(supabase, out, uploads, alive=process.require_running)
    statuses = watch.until_done(timeout)
    seconds = time.monotonic() - began
    ended = [Upload(one.file, status) for one, status in zip(uploads, statuses, strict=True)]
    return ended, files.results(supabase, statuses), seconds


def _show(out: Console, named: Sequence[tuple[str, FileResult]], seconds: float, written: Path) -> None:
    table = Table(header_style="dim", border_style="dim", title="What came of them", title_justify="left")
    table.add_column("file", overflow="fold", max_width=36)
    table.add_column("kind", no_wrap=True)
    if out.width >= _ROOM_FOR_TITLES:
        table.add_column("title", overflow="fold")
    for heading in ("jobs", "waited", "took", "thumbs", "cards"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("file is", no_wrap=True)
    for name, result in named:
        waited, took = timeline.waited_and_took(result)
        title = Text(shown((result.analysis and result.analysis.title) or ""))
        table.add_row(
            Text(shown(name)),
            result.analysis.kind if result.analysis else "",
            *([title] if out.width >= _ROOM_FOR_TITLES else []),
            str(len(result.status.jobs)),
            seconds_text(waited),
            seconds_text(took),
            str(len(result.thumbnails)),
            str(len(result.cards)),
            status_text(result.status.status),
        )
    out.print(table)
    cards = sum(len(result.cards) for _, result in named)
    out.print(
        f"{counted(len(named), 'file')}, {counted(cards, 'card')}, "
        f"{seconds_text(seconds)} from the first upload to the last job"
    )
    out.print(Text(f"report: {shown(str(written))}", style="bold"), soft_wrap=True)


def _facts(
    named: Sequence[tuple[str, FileResult]], seconds: float, leg: Leg, written: Path
) -> dict[str, Any]:
    scale = timeline.axis([result for _, result in named])
    return {
        "ok": all(result.status.status == "done" for _, result in named),
        "leg": leg,
        "seconds": round(seconds, 2),
        "report": str(written),
        "files": [
            {
                "name": name,
                "path": result.status.path,
                "file_id": result.status.file_id,
                "status": result.status.status,
                "error": result.status.error,
                "kind": result.analysis and result.analysis.kind,
                "title": result.analysis and result.analysis.title,
                "thumbnails": len(result.thumbnails),
                "cards": len(result.cards),
                "jobs": [
                    {
                        **one.job.model_dump(exclude={"progress"}),
                        "waited": one.wait_seconds,
                        "worked": one.run_seconds,
                    }
                    for one in timeline.job_times(result, scale)
                ],
            }
            for name, result in named
        ],
    }
