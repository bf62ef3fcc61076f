"""`crontick connect`: joins a deployed function to the project, and shows by doctor that it holds."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.text import Text

from functions.cli.connection import connect as connected
from functions.cli.connection import project, settings
from functions.cli.doctor import diagnose, show
from functions.cli.options import Json
from functions.cli.terminal import Misuse, console, print_json, shown
from functions.settings import Settings
from functions.this_machine import is_on_this_machine

_STYLES = {"created": "green", "updated": "yellow", "removed": "yellow", "unchanged": "dim"}


def connect(
    url: Annotated[
        str, typer.Option(metavar="URL", help="The deployed function, as https://…", show_default=False)
    ],
    job_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the schedule; one for each environment.")
    ] = "process-flashcard-jobs",
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEDULE",
            help="How often: five fields of cron, or '30 seconds'.",
            show_default="as it is, or every minute",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, max=100, metavar="COUNT", help="Jobs a claim.", show_default="as it is, or 5"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=8,
            metavar="COUNT",
            help="Calls at once, when the backlog needs them.",
            show_default="as it is, or 1",
        ),
    ] = None,
    endpoint_secret: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name in Vault of the address.",
            show_default="as it is, or job_queue_worker_endpoint",
        ),
    ] = None,
    runner_secret: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name in Vault of the secret.",
            show_default="as it is, or job_queue_runner_secret",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Say what would change, and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Stores address and secret in Vault, schedules ticks and maintenance, and runs doctor.

    Safe to repeat: what is not named stays as it is scheduled.
    The secret is read from JOB_QUEUE_RUNNER_SECRET, so that it stands in no list of processes.
    """
    found = settings()
    supabase_url, key = project(found)
    parameters = {
        "worker_url": _address(url, supabase_url),
        "worker_secret": _secret(found, key),
        "job_name": job_name,
        "schedule": schedule,
        "batch_size": batch_size,
        "workers": workers,
        "endpoint_secret": endpoint_secret,
        "runner_secret": runner_secret,
        "dry_run": dry_run,
    }
    with connected(supabase_url, key) as supabase:
        done = supabase.queue.connect_worker(**parameters)
    if not json:
        _show_steps(done)
    if dry_run:
        if json:
            print_json(done)
        return
    diagnosis = diagnose()
    if json:
        print_json(done | {"doctor": diagnosis.as_json()})
    else:
        show(diagnosis)
    if diagnosis.exit_code:
        raise typer.Exit(diagnosis.exit_code)


def _address(url: str, supabase_url: str) -> str:
    """The function's address with its path. Its database checks it again."""
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname)
    except ValueError:
        has_host = False
    if not has_host or parts.scheme not in ("http", "https"):
        raise Misuse("--url is no address", "For example: --url https://crontick-abc123-ew.a.run.app/")
    if parts.username is not None or parts.query or parts.fragment:
        raise Misuse(
            "--url has more than scheme, host and path", "A secret in it would be seen; leave it out."
        )
    local = is_on_this_machine(url)
    if parts.scheme == "http" and not local:
        raise Misuse("--url is not https: the secret would travel in clear text", "Use the https address.")
    if local and not is_on_this_machine(supabase_url):
        raise Misuse(
            "--url is on this machine, which the project's database cannot reach",
            "Deploy the function first: scripts/deploy.sh cloud-run",
        )
    return url if parts.path else f"{url}/"


def _secret(found: Settings, key: str) -> str:
    if found.job_queue_runner_secret is None:
        raise Misuse(
            "JOB_QUEUE_RUNNER_SECRET is not set",
            "Make one with: openssl rand -hex 32\nGive the function and this command the same value of it.",
        )
    secret = found.job_queue_runner_secret.get_secret_value()
    if secret == key:
        raise Misuse(
            "JOB_QUEUE_RUNNER_SECRET is the project's secret key: whoever calls the function could do everything",
            "Make one of its own: openssl rand -hex 32",
        )
    return secret


def _show_steps(done: dict[str, Any]) -> None:
    out = console(False)
    if done["dry_run"]:
        out.print("This would change:")
    for step in done["steps"]:
        change = str(step["change"])
        line = Text.assemble((f"{change:<10}", _STYLES.get(change, "")), shown(str(step["what"])))
        if step.get("paused"):
            line.append("  (switched off, and stays so)", style="yellow")
        out.print(line, soft_wrap=True)
