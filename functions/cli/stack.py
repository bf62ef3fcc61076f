"""`crontick up` and `crontick reset`: the local Supabase, in the foreground, and away again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from functions.cli import local
from functions.cli.local import Leg, LocalSupabase, OutdatedData, Process
from functions.cli.options import LOCAL_DIRECTORY, Directory, Json, LegOption, Schedule
from functions.cli.terminal import Misuse, command, console, print_json
from functions.settings import load_settings


def up(
    leg: LegOption = Leg.wheel,
    schedule: Schedule = None,
    directory: Directory = LOCAL_DIRECTORY,
    json: Json = False,
) -> None:
    """Runs the local Supabase and the function until Ctrl-C."""
    out = console(json)
    with suppress(KeyboardInterrupt), announced_start(leg, schedule, directory, out) as (supabase, process):
        if json:
            print_json(_public_facts(supabase))
        else:
            out.print(_facts_table(supabase))
            show_dashboard(supabase, out)
            out.print(_next_steps())
        until_interrupted(process)


def until_interrupted(process: Process) -> NoReturn:
    """Waits until Ctrl-C, which is raised, or until the stack ends by itself, which is a `Problem`."""
    while True:
        process.require_running()
        time.sleep(0.5)


def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask.")] = False,
    directory: Directory = LOCAL_DIRECTORY,
    json: Json = False,
) -> None:
    """Deletes the local Supabase's data: files, jobs, cards."""
    if not yes:
        if json or not console(json).is_terminal:
            raise Misuse(
                "reset deletes data and nobody can be asked here", f"Say --yes: {command('reset --yes')}"
            )
        typer.confirm(_question(directory), abort=True)
    local.reset(directory)
    if json:
        print_json({"reset": True, "directory": str(directory)})
    else:
        console(json).print(
            Text(f"The data of the local Supabase in {directory} is gone.", style="green"), soft_wrap=True
        )


def _question(directory: Path) -> str:
    stops = "A local Supabase is running there and will be stopped. " if local.runs_in(directory) else ""
    folders = " and ".join(str(path) for path in local.data_folders(directory))
    return f"{stops}Delete {folders}?" if folders else f"There is no local data in {directory}. Go on?"


@contextmanager
def announced_start(
    leg: Leg, schedule: str | None, directory: Path, out: Console, *, disposable: bool = False
) -> Iterator[tuple[LocalSupabase, Process]]:
    """Starts the stack with a spinner that repeats what it says, and stops it at the end of the block.

    Data that other migrations made is refused, or thrown away when it is `disposable`. Raises `ConfigurationError`
    before anything starts for a setting that the function, which runs in the repository, would not start with.
    """
    load_settings(directory=local.REPOSITORY)
    what = f"starting the local Supabase, leg {leg}"
    if not out.is_terminal:
        out.print(what)
    room = max(out.width - len(what) - 4, 20)
    with ExitStack() as stack:
        with out.status(what) as spinner:

            def start() -> tuple[LocalSupabase, Process]:
                started = local.started(
                    leg,
                    schedule or local.default_schedule(leg),
                    directory.absolute(),
                    lambda line: spinner.update(f"{what} [dim]{escape(line[:room])}[/dim]"),
                )
                return stack.enter_context(started)

            try:
                running = start()
            except OutdatedData:
                if not disposable:
                    raise
                out.print("the local data was made by other migrations or platform files: starting afresh")
                local.reset(directory.absolute(), leg)
                running = start()
        try:
            yield running
        except KeyboardInterrupt:
            out.print(
                Text(f"stopping; the data stays ({local.reset_command(directory)} throws it away)"),
                soft_wrap=True,
            )
            raise


def show_dashboard(supabase: LocalSupabase, out: Console) -> None:
    """Where the dashboard is; on a terminal by an address that is already signed in, which no log may have."""
    if supabase.dashboard_url is None:
        return
    if out.is_terminal and supabase.sign_in_url:
        where = Text(supabase.sign_in_url, style=f"bold link {supabase.sign_in_url}")
    else:
        where = Text(f"{supabase.dashboard_url} (signed in: DASHBOARD_URL in {supabase.env_file})")
    out.print(Text("dashboard: ").append_text(where), soft_wrap=True)


def _public_facts(supabase: LocalSupabase) -> dict[str, Any]:
    """What may be shown: everything but the keys that open it, which are in the env file."""
    return {
        "leg": supabase.leg,
        "url": supabase.url,
        "function_url": supabase.function_url,
        "dashboard_url": supabase.dashboard_url,
        "publishable_key": supabase.publishable_key,
        "env_file": str(supabase.env_file),
        "log_directory": str(supabase.log_directory),
        "directory": str(supabase.directory),
    }


def _facts_table(supabase: LocalSupabase) -> Table:
    table = Table(
        title="The local Supabase is up", title_justify="left", title_style="bold green", show_header=False
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    rows = [
        ("project URL", supabase.url),
        ("REST", f"{supabase.url}/rest/v1"),
        ("Storage", f"{supabase.url}/storage/v1"),
        ("function", supabase.function_url or "not started"),
        ("jobs API", supabase.admin_url or "not started"),
        ("publishable key", supabase.publishable_key),
        ("secret key", f"in {supabase.env_file}"),
        ("database", f'psql "$DATABASE_URL", with DATABASE_URL from {supabase.env_file}'),
        ("logs", str(supabase.log_directory)),
        ("leg", str(supabase.leg)),
    ]
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _next_steps() -> Panel:
    steps = f"{command('upload FILE --wait')}\n{command('status --watch')}\n\nCtrl-C stops everything."
    return Panel(
        Text(steps), title="next, in another terminal", title_align="left", border_style="dim", expand=False
    )
