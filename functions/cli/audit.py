"""`crontick audit`: who changed what in the queue, and when."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from functions.cli.connection import Connection, connect, project, settings
from functions.cli.options import Json
from functions.cli.terminal import console, print_json, shown
from functions.operator_rows import OperationRow

_PAGE = 200


def audit(
    count: Annotated[
        int,
        typer.Option("--count", metavar="COUNT", min=1, max=10000, help="How many of the latest changes."),
    ] = 20,
    json: Json = False,
) -> None:
    """Lists the latest changes that people made, by this command, the jobs API or the dashboard."""
    with connect(*project(settings())) as supabase:
        found = list(_latest(supabase, count))
    if json:
        print_json({"operations": [one.model_dump(mode="json") for one in found]})
        return
    out = console(json)
    if not found:
        out.print(Text("Nobody has changed anything yet.", style="dim"))
        return
    out.print(_table(found))


def _latest(supabase: Connection, count: int) -> Iterator[OperationRow]:
    cursor: str | None = None
    left = count
    while left:
        page = supabase.queue.list_operations(page_size=min(left, _PAGE), cursor=cursor)
        yield from page.operations
        left -= len(page.operations)
        cursor = page.next
        if cursor is None:
            return


def _table(found: list[OperationRow]) -> Table:
    table = Table(header_style="dim", border_style="dim")
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("who", overflow="fold")
    table.add_column("did", no_wrap=True)
    table.add_column("job", justify="right", no_wrap=True)
    table.add_column("with", overflow="fold")
    table.add_column("and got", overflow="fold")
    for one in found:
        table.add_row(
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            Text(shown(one.actor)),
            Text(shown(one.action)),
            "" if one.job_id is None else str(one.job_id),
            _pairs(one.details.get("parameters")),
            _pairs(one.details.get("result")),
        )
    return table


def _pairs(values: Any) -> Text:
    if not isinstance(values, dict):
        return Text()
    texts = (f"{name} {_plain(value)}" for name, value in values.items() if value is not None)
    return Text(shown(", ".join(texts)))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json_format.dumps(value, ensure_ascii=False)
