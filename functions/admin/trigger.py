"""`POST /trigger/{type}`: a job by hand, whose parameters are held against its handler before it is enqueued."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from functions.admin.call import Call
from functions.admin.models import Trigger
from functions.admin.refusals import Refusal, invalid
from functions.admin.requests import problem_in
from functions.errors import HandlerUnavailable


def trigger(call: Call, *, type: str, body: Trigger) -> object:  # noqa: A002 - the word of the route
    payload = body.payload()
    _check(call, type, payload)
    wanted: dict[str, Any] = {"type": type, "org_id": body.organisation, "payload": payload}
    if body.idempotency_key:
        wanted["idempotency_key"] = body.idempotency_key
    done = call.change("enqueue", wanted, dry_run=body.is_dry)
    said: dict[str, Any] = {
        "success": True,
        "jobId": None if body.is_dry and done["created"] else done["job_id"],
        "message": _message(type, body, done),
        "created": done["created"],
        "status": done["status"],
    }
    return said | ({"dryRun": True} if body.is_dry else {})


def _check(call: Call, job_type: str, payload: dict[str, Any]) -> None:
    """By the handler's own model; a type that only other deployments run has a row in job_types at least."""
    registry = call.desk.registry
    try:
        model = registry.find(job_type).payload_model
    except HandlerUnavailable:
        elsewhere = call.desk.tables.known_types()
        if job_type in elsewhere:
            return
        known = {*registry.names(), *elsewhere}
        raise Refusal(
            404,
            "unknown_type",
            f"there is no job type {job_type}; there are: {', '.join(sorted(known)) or 'none'}",
            field="type",
        ) from None
    try:
        model.model_validate(payload)
    except ValidationError as error:
        field, text = problem_in(error, model)
        raise invalid(f"{field or 'the parameters'}: {text} (a parameter of {job_type})", field) from None


def _message(job_type: str, body: Trigger, done: dict[str, Any]) -> str:
    if not done["created"]:
        return f"job {done['job_id']} does this work already; it is {done['status']}"
    if body.is_dry:
        return f"dry run: one {job_type} job would be enqueued for {body.organisation}; nothing was written"
    return f"{job_type} enqueued as job {done['job_id']}"
