"""`crontick upload`: files into Storage, where the trigger turns them into jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from functions.cli import connection
from functions.cli.naming import local_files
from functions.cli.options import Bucket, Json, Org
from functions.cli.progress import Watch
from functions.cli.rows import FINAL, FileStatus
from functions.cli.terminal import Problem, command, console, counted, print_json, shown, size_text
from functions.cli.uploads import Upload, upload_all

Files = Annotated[list[Path], typer.Argument(metavar="FILE", show_default=False, help="Files to upload.")]


def upload(
    files: Files,
    org: Org = "demo",
    bucket: Bucket = "ingest",
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Watch until all jobs of the files are over.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Time that --wait waits at most.")
    ] = 600,
    json: Json = False,
) -> None:
    """Uploads files; the storage trigger writes their jobs."""
    wanted = local_files(files, org)
    out = console(json)
    with connection.connect(*connection.project(connection.settings())) as supabase:
        uploads = upload_all(supabase, bucket, wanted, out)
        if not json:
            out.print(uploads_table(uploads))
        if wait:
            statuses = Watch(supabase, out, uploads).until_done(timeout)
            uploads = [Upload(one.file, status) for one, status in zip(uploads, statuses, strict=True)]
        elif not json:
            out.print(Text(f"Watch their jobs with: {command('status --watch')}", style="dim"))
    if json:
        print_json({"files": [_facts(one) for one in uploads]})
    if wait:
        require_done(uploads, f"See the jobs and their next steps with: {command('status')}")


def uploads_table(uploads: Sequence[Upload]) -> Table:
    """What was stored where."""
    table = Table(header_style="dim", border_style="dim")
    table.add_column("uploaded", overflow="fold")
    table.add_column("to", overflow="fold")
    table.add_column("as", overflow="ellipsis", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    for one in uploads:
        where = f"{one.status.bucket_id}/{one.file.path}"
        size = size_text(one.file.size)
        table.add_row(Text(shown(one.file.name)), Text(where), Text(one.file.mime_type), size)
    return table


def require_done(uploads: Sequence[Upload], advice: str) -> None:
    """Raises a `Problem` that names every file that is not done, and why."""
    lines = [f"{one.file.name}: {_state(one.status)}" for one in uploads if one.status.status != "done"]
    if lines:
        count = f"{len(lines)} of {counted(len(uploads), 'file')} did not reach done"
        raise Problem(f"{count}\n  " + "\n  ".join(lines), advice)


def _state(status: FileStatus) -> str:
    state = status.status if status.status in FINAL else f"still {status.status} when the time was up"
    return f"{state}, {status.error}" if status.error else state


def _facts(one: Upload) -> dict[str, Any]:
    return {"name": one.file.name, "error": one.status.error, **one.status.model_dump(mode="json")}
