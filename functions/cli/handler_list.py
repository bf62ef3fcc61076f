"""`crontick handlers`: which job types this deployment can work on, and what keeps it from others."""

from __future__ import annotations

import typer
from rich.table import Table
from rich.text import Text

from functions.cli.connection import settings
from functions.cli.options import Json
from functions.cli.terminal import Misuse, command, console, counted, print_json, shown
from functions.registry import Registered, Registry


def handlers(json: Json = False) -> None:
    """Lists the handlers of this deployment, those of CRONTICK_HANDLERS too."""
    found, problems = Registry(more=settings().handler_modules()).listing()
    if json:
        print_json({"handlers": [_as_json(one) for one in found], "problems": problems})
        if problems:
            raise typer.Exit(Misuse.exit_code)
        return
    out = console(json_wanted=False)
    out.print(_table(found))
    out.print(Text(f"Write one with: {command('new-handler NAME')}", style="dim"))
    if problems:
        raise Misuse(
            "\n".join((f"{counted(len(problems), 'thing')} in the way:", *problems)),
            "Until then the jobs of these handlers are put back every minute, uncharged.",
        )


def _table(found: list[Registered]) -> Table:
    table = Table(header_style="dim", border_style="dim")
    table.add_column("job type", no_wrap=True)
    table.add_column("where")
    table.add_column("timeout", justify="right")
    table.add_column("reuse")
    for one in found:
        handler = one.handler
        table.add_row(
            Text(shown(handler.job_type)),
            Text(shown(one.where)),
            f"{handler.timeout:g} s",
            f"same {handler.reuse}" if handler.reuse else "",
        )
    return table


def _as_json(one: Registered) -> dict[str, object]:
    handler = one.handler
    return {
        "type": handler.job_type,
        "where": one.where,
        "timeout_seconds": handler.timeout,
        "reuse": handler.reuse,
    }
