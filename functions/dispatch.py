"""A job in the body of a call, run while the caller waits: how schedulers without a queue hand out work.

    {"type": "send_digest", "org_id": "acme", "payload": {"week": 46}, "idempotency_key": "2026-46"}

The job is a row like any other, so it is fenced, retried by later ticks and kept; only that it need not
wait for one. Callers of another convention may say `orgId` and `data`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from functions.queue_rows import NewJob
from functions.tick_options import BadRequest, JobType

_KEYS = frozenset({"type", "org_id", "orgId", "payload", "data"})  # of which no tick has any


@dataclass(frozen=True)
class Dispatch:
    """The job that a caller wants to be run."""

    job: NewJob
    force: bool = False  # run although processing is paused


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: JobType
    org_id: Annotated[
        str, Field(pattern=r"\S", max_length=256, validation_alias=AliasChoices("org_id", "orgId"))
    ]
    payload: Annotated[dict[str, Any], Field(validation_alias=AliasChoices("payload", "data"))] = {}
    idempotency_key: Annotated[str | None, Field(min_length=1, max_length=512)] = None
    force: bool = False


def parse_dispatch(body: bytes, *, backend: str) -> Dispatch | None:
    """The job in a body; None for the body of a tick. Raises `BadRequest` with the field that is wrong."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None  # the tick says what is wrong with it
    if not isinstance(said, dict) or not _KEYS & said.keys():
        return None
    if backend != "cron":
        raise BadRequest(
            "type: this function works on what is due and takes no job in a call; "
            "set JOB_QUEUE_BACKEND=cron, or enqueue the job"
        )
    try:
        asked = _Body.model_validate_json(body)
    except ValidationError as error:
        raise BadRequest(_first_problem(error)) from None
    job: NewJob = {"type": asked.type, "org_id": asked.org_id, "payload": asked.payload}
    if asked.idempotency_key:
        job["idempotency_key"] = asked.idempotency_key
    return Dispatch(job, asked.force)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = str(problem["loc"][0]) if problem["loc"] else "body"
    if problem["type"] == "extra_forbidden" and field in ("orgId", "data"):
        return (
            f"{field}: it means the same as {'org_id' if field == 'orgId' else 'payload'}; give one of them"
        )
    if problem["type"] == "extra_forbidden":
        return f"{field}: there is no such field; there are {', '.join(_Body.model_fields)}"
    if field in ("org_id", "orgId"):
        return "org_id: every job belongs to an organisation; name it"
    return f"{field}: {problem['msg'].removeprefix('Input ')}"
