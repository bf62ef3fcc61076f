"""Job type `analysis` of the video pipeline: what the brief is about."""

from __future__ import annotations

from pydantic import BaseModel

from handlers.contract import Context, Job, handler


class Brief(BaseModel):
    """What the application asks for; every step gets it."""

    brief: str


class Analysis(BaseModel):
    topic: str


@handler(timeout=30)
def analysis(job: Job[Brief], ctx: Context) -> Analysis:
    return Analysis(topic=job.payload.brief.removeprefix("A video about "))
