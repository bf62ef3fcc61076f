"""Job type `video_generation` of the video pipeline: a scene for each picture."""

from __future__ import annotations

from pydantic import BaseModel

from handlers.contract import Context, Job, handler


class Brief(BaseModel):
    """What the application asks for; every step gets it."""

    brief: str


class Pictures(BaseModel):
    pictures: list[str]


class Scenes(BaseModel):
    scenes: list[str]


@handler(timeout=30)
def video_generation(job: Job[Brief], ctx: Context) -> Scenes:
    return Scenes(scenes=[f"scene of {picture}" for picture in ctx.parent("asset_prep", Pictures).pictures])
