"""`crontick doctor`: every link from an upload to its result, and what mends those that are broken."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from functions.cli.connection import project, settings
from functions.cli.options import Json
from functions.cli.terminal import Misuse, command, console, counted, print_json, shown
from functions.errors import ConfigurationError

if TYPE_CHECKING:
    from functions.doctor.examine import Diagnosis
    from functions.doctor.findings import Finding, Severity

_STYLES: dict[Severity, str] = {"ok": "green", "note": "blue", "warning": "yellow", "broken": "bold red"}


def doctor(
    only: Annotated[
        str | None,
        typer.Option(
            metavar="LINK",
            help="One link: keys, reach, database, access, schedule, worker, storage or queue.",
            show_default=False,
        ),
    ] = None,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", metavar="", help="Upload a scratch file, look for its jobs, remove it again."
        ),
    ] = False,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, max=3600, help="With --probe: for its jobs to end.")
    ] = 0,
    json: Json = False,
) -> None:
    """Tests every link of a project and says what mends it. Exit code: 0 fine, 3 warnings, 1 broken."""
    if wait and not probe:
        raise Misuse("--wait is about a probe", f"For example: {command('doctor --probe --wait 120')}")
    diagnosis = diagnose(only, probe=probe, wait=wait)
    if json:
        print_json(diagnosis.as_json())
    else:
        show(diagnosis)
    if diagnosis.exit_code:
        raise typer.Exit(diagnosis.exit_code)


def diagnose(only: str | None = None, *, probe: bool = False, wait: float = 0) -> Diagnosis:
    """Asks and judges. What it needs is loaded here: the other commands do without."""
    module = importlib.import_module("functions.doctor.examine")
    if only is not None and only not in module.GROUPS:
        raise Misuse(f"there is no link {only}", f"There are: {', '.join(module.GROUPS)}")
    try:
        found = settings()
        project(found)
    except ConfigurationError as error:
        return module.misconfigured(str(error))  # type: ignore[no-any-return]
    except Misuse as misuse:
        return module.misconfigured(misuse.what, misuse.advice)  # type: ignore[no-any-return]
    return module.diagnose(found, only, probe=probe, wait_seconds=wait)  # type: ignore[no-any-return]


def show(diagnosis: Diagnosis) -> None:
    """One row a finding; the remedy stands below what it mends, unwrapped, so that it can be copied."""
    out = console(False)
    group = ""
    for finding in diagnosis.findings:
        if finding.group != group:
            group = finding.group
            out.print(Text(f"\n{group}", style="bold"))
        _show_finding(out, finding)
    counts = [f"{diagnosis.count('ok')} fine"]
    if diagnosis.count("broken"):
        counts.append(f"{diagnosis.count('broken')} broken")
    if diagnosis.count("warning"):
        counts.append(counted(diagnosis.count("warning"), "warning"))
    if diagnosis.count("note"):
        counts.append(counted(diagnosis.count("note"), "note"))
    out.print()
    out.print(Text(", ".join(counts), style=_STYLES[diagnosis.worst]))
    if diagnosis.exit_code:
        out.print(f"Mend what stands first, then again: {command('doctor')}", soft_wrap=True)


def _show_finding(out: Console, finding: Finding) -> None:
    row = Table.grid(padding=(0, 1))
    row.add_column(width=8)
    row.add_column(width=20)
    row.add_column(overflow="fold")
    row.add_row(
        Text("OK" if finding.severity == "ok" else finding.severity, style=_STYLES[finding.severity]),
        Text(finding.check),
        Text(shown(finding.what)),
    )
    out.print(row)
    if finding.severity != "ok":
        for line in finding.remedy.splitlines():
            out.print(Text(f"           → {shown(line)}", style="cyan"), soft_wrap=True)
