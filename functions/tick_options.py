"""What the caller of a tick may choose, and how it says so in the body of its request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from functions.queue_rows import NewJob

_Limit = Annotated[int | None, Field(ge=1, le=100)]
JobType = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


@dataclass(frozen=True)
class TickOptions:
    """The choices, with their defaults."""

    limit: int = 10  # jobs per claim
    delay_seconds: float = 0.0  # above 0: one claim, and one job after the other with this pause between
    types: tuple[str, ...] | None = None
    force: bool = False  # run although processing is paused
    drain: bool = True  # claim again until nothing is due
    ping: bool = False  # claim nothing, only say who answers
    start: NewJob | None = None  # instead of what is due: enqueue this one job and run it


class BadRequest(Exception):  # noqa: N818 - the name of HTTP's status 400
    """The body is not what a tick takes; the message names the field."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    limit: _Limit = None
    iterations: _Limit = None  # the name that older cron commands use for `limit`
    delay: Annotated[int, Field(ge=0, le=60_000)] = 0  # ms
    types: Annotated[list[JobType] | None, Field(min_length=1, max_length=100)] = None
    force: bool = False
    drain: bool = True
    ping: bool = False


def parse_body(body: bytes, *, default_limit: int) -> TickOptions:
    """Reads a request's body; an empty one means all defaults."""
    try:
        asked = _Body.model_validate_json(body.strip() or b"{}")
    except ValidationError as error:
        raise BadRequest(_first_problem(error)) from None
    if asked.limit is not None and asked.iterations is not None:
        raise BadRequest("iterations: means the same as limit; give one of them")
    return TickOptions(
        limit=asked.limit or asked.iterations or default_limit,
        delay_seconds=asked.delay / 1000,
        types=None if asked.types is None else tuple(asked.types),
        force=asked.force,
        drain=asked.drain,
        ping=asked.ping,
    )


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(map(str, problem["loc"])) or "body"
    if problem["type"] == "extra_forbidden":
        return f"{field}: there is no such field; there are {', '.join(_Body.model_fields)}"
    return f"{field}: {problem['msg'].removeprefix('Input ')}"
