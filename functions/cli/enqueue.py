"""`crontick enqueue`: one job by hand, for whatever no upload starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text

from functions.cli.connection import connect, project, settings
from functions.cli.options import Json
from functions.cli.payload import JobType, Key, OwnerOrg, Payload, read_payload
from functions.cli.terminal import console, print_json
from functions.queue_rows import Enqueued, OnConflict

IfThere = Annotated[
    OnConflict,
    typer.Option(
        help="If the same work has not started yet: let it be, give it this payload and time, or push it back."
    ),
]


def enqueue(
    job_type: JobType,
    org: OwnerOrg,
    payload: Payload = "{}",
    key: Key = None,
    priority: Annotated[
        int, typer.Option(metavar="NUMBER", min=-1000, max=1000, help="Higher runs first.")
    ] = 0,
    delay: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Time before it may run.")] = 0,
    max_attempts: Annotated[
        int | None,
        typer.Option(min=1, max=100, metavar="COUNT", help="Default: the job type's.", show_default=False),
    ] = None,
    on_conflict: IfThere = "return",
    once: Annotated[
        bool, typer.Option("--once", metavar="", help="Once for ever, not once at a time.")
    ] = False,
    json: Json = False,
) -> None:
    """Enqueues one job, or finds the one that does this work already."""
    body = read_payload(payload)
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
            on_conflict=on_conflict,
            unique_for="ever" if once else "unfinished",
        )
    if json:
        print_json(job.model_dump(exclude_none=True))
    else:
        console(json).print(Text(_said(job)), soft_wrap=True)


def _said(job: Enqueued) -> str:
    found_what = "changed" if job.changed else "the same work is already there:"
    return f"{'enqueued' if job.created else found_what} job {job.job_id}, {job.status}"
