"""Job type `asset_prep` of the video pipeline: the pictures for its topic."""

from __future__ import annotations

from pydantic import BaseModel

from handlers.contract import Context, Job, handler


class Brief(BaseModel):
    """What the application asks for; every step gets it."""

    brief: str


class Topic(BaseModel):
    topic: str


class Assets(BaseModel):
    pictures: list[str]


@handler(timeout=30)
def asset_prep(job: Job[Brief], ctx: Context) -> Assets:
    topic = ctx.parent("analysis", Topic).topic
    return Assets(pictures=[f"{topic} {number}" for number in (1, 2)])
