"""`crontick enqueue`: one job by hand, for whatever no upload starts."""

from __future__ import annotations

import json as json_format
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from functions.cli.connection import connect, project, settings
from functions.cli.options import Json
from functions.cli.terminal import Misuse, console, print_json

JobType = Annotated[
    str, typer.Argument(metavar="TYPE", show_default=False, help="Job type: a file in handlers/.")
]


def enqueue(
    job_type: JobType,
    org: Annotated[
        str,
        typer.Option(
            "--org", metavar="ORG", help="Organisation that the job belongs to.", show_default=False
        ),
    ],
    payload: Annotated[
        str, typer.Option(metavar="JSON", help="A JSON object, @FILE with one in it, or - for stdin.")
    ] = "{}",
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Idempotency key. Default: the same work is one job.", show_default=False
        ),
    ] = None,
    priority: Annotated[
        int, typer.Option(metavar="NUMBER", min=-1000, max=1000, help="Higher runs first.")
    ] = 0,
    delay: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Time before it may run.")] = 0,
    max_attempts: Annotated[
        int | None,
        typer.Option(min=1, max=100, metavar="COUNT", help="Default: the job type's.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Enqueues one job, or finds the one that does this work already."""
    body = _payload(payload)
    found = settings()
    with connect(*project(found)) as supabase:
        job = supabase.queue.enqueue(
            org,
            job_type,
            body,
            run_at=datetime.now(UTC) + timedelta(seconds=delay) if delay else None,
            priority=priority,
            max_attempts=max_attempts or found.job_max_attempts,
            idempotency_key=key,
        )
    if json:
        print_json(job.model_dump(exclude_none=True))
        return
    what = "enqueued" if job.created else "the same work is already there:"
    console(json).print(Text(f"{what} job {job.job_id}, {job.status}"), soft_wrap=True)


def _payload(text: str) -> dict[str, Any]:
    source = "--payload"
    if text == "-":
        source, text = "stdin", sys.stdin.read()
    elif text.startswith("@"):
        source, text = text[1:], _content(Path(text[1:]))
    try:
        value = json_format.loads(text)
    except json_format.JSONDecodeError as error:
        raise Misuse(
            f"{source} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})",
            """Write it as --payload '{"name": "value"}', or put it into a file: --payload @payload.json""",
        ) from error
    if not isinstance(value, dict):
        raise Misuse(f"{source} is not a JSON object", """Wrap it: {"items": [...]}""")
    return value


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(
            f"cannot read the payload from {path}: {error}", "Check the path after the @."
        ) from error
