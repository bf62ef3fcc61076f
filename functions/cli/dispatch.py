"""`crontick dispatch`: one job that the deployed function runs at once, where JOB_QUEUE_BACKEND is cron."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from functions.cli.connection import settings
from functions.cli.options import Json
from functions.cli.payload import JobType, Key, OwnerOrg, Payload, read_payload
from functions.cli.terminal import Problem, command, print_json
from functions.cli.tick import call_function, show_answer


def dispatch(
    job_type: JobType,
    org: OwnerOrg,
    payload: Payload = "{}",
    key: Key = None,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Run although processing is paused.")
    ] = False,
    json: Json = False,
) -> None:
    """Has the function run one job now, and waits for it."""
    body: dict[str, Any] = {"type": job_type, "org_id": org, "payload": read_payload(payload), "force": force}
    if key:
        body["idempotency_key"] = key
    answer = call_function(settings(), body)
    if json:
        print_json(answer.model_dump(exclude_none=True))
    else:
        show_answer(answer)
    if answer.succeeded == 0:
        raise Problem("the job did not succeed in this call", f"See: {command('status')}")
