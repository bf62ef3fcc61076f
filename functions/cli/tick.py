"""`crontick tick`: one call of the deployed function, as cron makes it."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.table import Table
from rich.text import Text

from functions.auth import RUNNER_HEADER
from functions.cli.connection import settings
from functions.cli.options import Json
from functions.cli.terminal import Misuse, Problem, command, console, print_json, shown, status_text
from functions.settings import Settings
from functions.this_machine import is_on_this_machine

_BEYOND_BUDGET_SECONDS = 20


class JobResult(BaseModel):
    """What the tick says about one job."""

    model_config = ConfigDict(extra="ignore")

    id: int
    status: str
    attempts: int
    lastError: str | None = None  # noqa: N815 - the wire's name
    reusedFrom: int | None = None  # noqa: N815


class AskedJob(BaseModel):
    """The job that a call brought along; `status` only where it was not to be had."""

    model_config = ConfigDict(extra="ignore")

    id: int
    created: bool
    status: str | None = None
    waitsFor: str | None = None  # noqa: N815 - as above


class Answer(BaseModel):
    """The answer of a tick."""

    model_config = ConfigDict(extra="ignore")

    status: str
    processed: int = 0
    succeeded: int = 0
    failed: int = 0
    results: list[JobResult] = Field(default_factory=list)
    job: AskedJob | None = None


def tick(
    limit: Annotated[
        int | None, typer.Option(min=1, max=100, metavar="COUNT", help="Jobs per claim.", show_default=False)
    ] = None,
    delay: Annotated[
        int,
        typer.Option(
            min=0, max=60_000, metavar="MS", help="Pause between two jobs in ms; above 0 they run one by one."
        ),
    ] = 0,
    types: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE,...", help="Only these job types, separated by commas.", show_default=False
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Run although processing is paused.")
    ] = False,
    no_drain: Annotated[
        bool, typer.Option("--no-drain", metavar="", help="Claim once, not until nothing is due.")
    ] = False,
    json: Json = False,
) -> None:
    """Calls the function once, as cron does."""
    body: dict[str, Any] = {"delay": delay, "force": force, "drain": not no_drain}
    if limit is not None:
        body["limit"] = limit
    if types:
        body["types"] = [name.strip() for name in types.split(",") if name.strip()]
    answer = call_function(settings(), body)
    if json:
        print_json(answer.model_dump(exclude={"job"}))
    else:
        show_answer(answer)
    if answer.failed:
        raise Problem(
            f"{answer.failed} of {answer.processed} jobs did not succeed", f"See: {command('status')}"
        )


def call_function(found: Settings, body: dict[str, Any]) -> Answer:
    """Calls the deployed function with its secret. Raises a `Problem` for every answer but 200."""
    endpoint = found.job_queue_worker_endpoint
    if not endpoint:
        raise Misuse(
            "JOB_QUEUE_WORKER_ENDPOINT is not set",
            f"Start a local one with: {command('up')}\n"
            "Or set it to the URL of the deployed function, in the environment or .env.",
        )
    timeout = httpx.Timeout(found.tick_budget_seconds + _BEYOND_BUDGET_SECONDS, connect=5)
    try:
        proxied = not is_on_this_machine(endpoint)
        response = httpx.post(endpoint, json=body, headers=_secret(found), timeout=timeout, trust_env=proxied)
    except httpx.HTTPError as error:
        raise Problem(
            f"cannot reach the function at {endpoint}: {error or type(error).__name__}",
            f"Is it running? Start it with: {command('up')}    (or correct JOB_QUEUE_WORKER_ENDPOINT)",
        ) from error
    return _answer(endpoint, response)


def _secret(settings: Settings) -> dict[str, str]:
    if settings.job_queue_runner_secret:
        return {RUNNER_HEADER: settings.job_queue_runner_secret.get_secret_value()}
    if settings.cron_secret:
        return {"Authorization": f"Bearer {settings.cron_secret.get_secret_value()}"}
    raise Misuse(
        "neither JOB_QUEUE_RUNNER_SECRET nor CRON_SECRET is set",
        "Set one to the function's own value, in the environment or .env.",
    )


def _answer(endpoint: str, response: httpx.Response) -> Answer:
    if response.status_code == httpx.codes.OK:
        try:
            return Answer.model_validate_json(response.content)
        except ValidationError as error:
            raise Problem(
                f"{endpoint} answered 200, but not as a tick does", "Is that really the function's URL?"
            ) from error
    advice = {
        400: "The function did not like the request; its answer names the field.",
        401: "The secret is not the function's: compare JOB_QUEUE_RUNNER_SECRET or CRON_SECRET with its own.",
        503: "The function cannot reach the database: check its SUPABASE_URL and key, and the database.",
    }
    said = shown(response.text.strip(), lines=True)[:500]
    raise Problem(
        f"{endpoint} answered {response.status_code}" + (f": {said}" if said else ""),
        advice.get(response.status_code, "See the function's log."),
    )


def show_answer(answer: Answer) -> None:
    """Prints what became of the jobs of a tick."""
    out = console(json_wanted=False)
    if answer.status == "paused":
        out.print(
            "Processing is paused. Run anyway with --force, or go on with: crontick resume",
            style="yellow",
        )
    if answer.job and not answer.results:
        why = answer.job.waitsFor or f"it is {answer.job.status or 'put back for the next tick'}"
        out.print(Text(shown(f"job {answer.job.id} was not run: {why}")), soft_wrap=True)
        return
    if not answer.results:
        out.print("Nothing was due." if answer.status != "paused" else "Nothing was run.")
        return
    table = Table(header_style="dim", border_style="dim")
    for name, justify in (("job", "right"), ("status", "left"), ("attempts", "right"), ("error", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for result in answer.results:
        error = Text(shown(result.lastError or "", lines=True), style="red")
        table.add_row(str(result.id), status_text(result.status), str(result.attempts), error)
    out.print(table)
    out.print(f"{answer.processed} processed, {answer.succeeded} succeeded, {answer.failed} failed")
