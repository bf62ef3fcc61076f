"""`crontick pause`, `resume`, `cancel` and `retry`: what an operator switches and puts right.

Each goes through `operate`, which writes down who did it: `crontick audit` tells.
"""

from __future__ import annotations

import getpass
import socket
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from functions.cli.connection import connect, project, settings
from functions.cli.options import Json
from functions.cli.terminal import Misuse, Problem, command, console, counted, print_json, shown
from functions.health_rows import Retried

JobId = Annotated[
    int, typer.Argument(metavar="JOB", min=1, show_default=False, help="The job's number, as in: status.")
]


def actor() -> str:
    """Who gives the commands, for the audit trail: "cli <user>@<host>"."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = "unknown"
    return f"cli {user}@{socket.gethostname()}"[:300]


def pause(
    reason: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Why, for whoever looks at the queue.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Stops all claims; running jobs finish, uploads and enqueues go on."""
    with connect(*project(settings())) as supabase:
        answer = supabase.queue.operate(actor(), "pause", {"reason": reason})
    if json:
        print_json(answer)
        return
    console(json).print(Text(f"paused; go on with: {command('resume')}", style="yellow"), soft_wrap=True)


def resume(json: Json = False) -> None:
    """Lets claims happen again."""
    with connect(*project(settings())) as supabase:
        answer = supabase.queue.operate(actor(), "resume")
    if json:
        print_json(answer)
        return
    console(json).print("processing goes on")


def cancel(job_id: JobId, json: Json = False) -> None:
    """Cancels a job and whatever waits for it; a running one hears of it at its next heartbeat."""
    with connect(*project(settings())) as supabase:
        answer = supabase.queue.operate(actor(), "cancel", {"job_id": job_id})
    if json:
        print_json(answer)
    if not answer["cancelled"]:
        raise Problem(f"job {job_id} had ended already: {answer['status']}")
    if not json:
        console(json).print(f"cancelled job {job_id}")


def retry(
    job_id: Annotated[
        int | None,
        typer.Argument(
            metavar="[JOB]", min=1, show_default=False, help="A failed or cancelled job's number, or:"
        ),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", metavar="", help="All dead letters.")] = False,
    job_type: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Of these, one job type's.", show_default=False),
    ] = None,
    org: Annotated[
        str | None,
        typer.Option("--org", metavar="ORG", help="Of these, one organisation's.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Brings dead letters back with all their attempts, and the jobs that waited for them."""
    if failed == (job_id is not None) or ((job_type or org) and not failed):
        raise Misuse(
            "name one job, or --failed with or without --type and --org",
            f"For example: {command('retry 17')}\nor: {command('retry --failed --type create_cards')}",
        )
    with connect(*project(settings())) as supabase:
        if job_id is None:
            wanted = {"type": job_type, "org_id": org}
            done = supabase.queue.operate(actor(), "retry_failed", wanted)
            _show_all(Retried.model_validate(done), json=json)
            return
        answer = supabase.queue.operate(actor(), "retry", {"job_id": job_id})
    if json:
        print_json(answer)
        return
    others = f", and {counted(answer['revived'], 'job')} that waited for it" if answer.get("revived") else ""
    console(json).print(f"job {job_id} is {answer['status']} again{others}")


def _show_all(done: Retried, *, json: bool) -> None:
    if json:
        print_json(done.model_dump())
    else:
        out = console(json)
        out.print(f"retried {counted(done.retried, 'job')}, {counted(done.left, 'dead letter')} left")
        if done.skipped:
            table = Table(title="Not retried", title_justify="left", header_style="dim", border_style="dim")
            table.add_column("job", justify="right", no_wrap=True)
            table.add_column("why", overflow="fold")
            for one in done.skipped:
                table.add_row(str(one.job_id), Text(shown(one.reason)))
            out.print(table)
    if done.skipped and not done.retried:
        raise Problem("no dead letter could be retried", f"See: {command('status')}")
