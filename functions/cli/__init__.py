"""`crontick`: the commands that a person types. Each module here is one of them, or what several share.

`up`, `demo` and `reset` are about the local Supabase; the others reach whatever project the environment
names, and the local one while it runs.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from functions.cli.audit import audit
from functions.cli.connect import connect
from functions.cli.demo import demo
from functions.cli.dispatch import dispatch
from functions.cli.doctor import doctor
from functions.cli.enqueue import enqueue
from functions.cli.export import export
from functions.cli.handler_list import handlers
from functions.cli.new_handler import new_handler
from functions.cli.operate import cancel, pause, resume, retry
from functions.cli.run import run
from functions.cli.stack import reset, up
from functions.cli.status import status
from functions.cli.sweep import backfill, reconcile
from functions.cli.terminal import Commands
from functions.cli.tick import tick
from functions.cli.upload import upload

app = typer.Typer(
    cls=Commands,
    name="crontick",
    help="Background processing for Supabase, with nothing running between ticks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crontick {version('crontick')}")
        raise typer.Exit


@app.callback()
def crontick(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_show_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Background processing for Supabase, with nothing running between ticks."""


app.command(epilog="Example: crontick demo slides.pdf holiday.jpg")(demo)
app.command(epilog="Example: crontick up --leg debian")(up)
app.command(epilog="Example: crontick upload slides.pdf --org demo --wait")(upload)
app.command(epilog="Example: crontick status --watch")(status)
app.command(epilog="Example: crontick tick --limit 5 --types create_thumbnail")(tick)
app.command(epilog="Example: JOB_POLL_INTERVAL_MS=1000 crontick run")(run)
app.command(
    epilog="""Example: crontick enqueue send_digest --org demo --payload '{"week": 46}' --delay 60"""
)(enqueue)
app.command(epilog="Example: crontick dispatch send_digest --org demo --payload @digest.json")(dispatch)
app.command(epilog="Example: crontick pause --reason 'a migration is running'")(pause)
app.command(epilog="Example: crontick resume")(resume)
app.command(epilog="Example: crontick retry --failed --type create_cards")(retry)
app.command(epilog="Example: crontick cancel 17")(cancel)
app.command(epilog="Example: crontick audit --count 100")(audit)
app.command(epilog="Example: crontick reconcile --json")(reconcile)
app.command(epilog="Example: crontick backfill uploads --priority=-10")(backfill)
app.command(epilog="Example: crontick export --org demo --format apkg -o demo.apkg")(export)
app.command(epilog="Example: CRONTICK_HANDLERS=team_jobs crontick handlers --json")(handlers)
app.command(epilog="Example: crontick new-handler send_digest --folder team_jobs")(new_handler)
app.command(epilog="Example: crontick connect --url https://crontick-abc123-ew.a.run.app/")(connect)
app.command(epilog="Example: crontick doctor --only worker")(doctor)
app.command(epilog="Example: crontick reset --yes")(reset)
