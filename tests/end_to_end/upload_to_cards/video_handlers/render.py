"""Job type `render` of the video pipeline: scenes and pictures put together."""

from __future__ import annotations

from pydantic import BaseModel

from handlers.contract import Context, Job, handler


class Brief(BaseModel):
    """What the application asks for; every step gets it."""

    brief: str


class Rendered(BaseModel):
    frames: dict[str, object]


@handler(timeout=30)
def render(job: Job[Brief], ctx: Context) -> Rendered:
    return Rendered(frames=dict(job.parents))
