"""The route table: what can be asked of the jobs API, of whom, and what is found under a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import UnionType
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from functions import operator_rows as rows
from functions.admin import changes, kick, pages, reads, trigger
from functions.admin import models as takes
from functions.admin import schemas as gives
from functions.admin.refusals import Refusal
from functions.admin.values import Asset, Identity, JobTypeName, Size

Kind = Literal["GET", "POST"]

PATH_PARAMETERS: dict[str, TypeAdapter[Any]] = {
    "job_id": TypeAdapter(Identity),
    "file_id": TypeAdapter(Identity),
    "type": TypeAdapter(JobTypeName),
    "size": TypeAdapter(Size),
    "asset": TypeAdapter(Asset),
}


@dataclass(frozen=True)
class Route:
    """One thing that can be asked. `view` gets the call and, by name, what its path and models hold."""

    method: Kind
    path: str
    view: Callable[..., object]
    summary: str
    answers: type[BaseModel] | UnionType | str  # a model or several, or the media type of what is no JSON
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    is_open: bool = False  # to everybody: it tells nothing that is not public
    open_with: str | None = None  # or only with this key in its query
    answers_503: type[BaseModel] | None = None  # besides the error, where that status is an answer, too
    refuses: tuple[int, ...] = ()  # statuses besides those that every route has

    @property
    def takes_query(self) -> type[BaseModel]:
        return self.query or takes.Query

    @cached_property
    def parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.path)))


ROUTES: tuple[Route, ...] = (
    Route("GET", "/health", reads.health, "How the queue is, and what needs a person", gives.Health | gives.Alive,
          query=takes.HealthQuery, open_with="live", answers_503=gives.Health),
    Route("GET", "/metrics", reads.metrics, "The same as numbers, for Prometheus", "text/plain"),
    Route("GET", "/overview", reads.overview, "Everything that the dashboard's first page shows",
          rows.QueueOverview, query=takes.OverviewQuery),
    Route("GET", "/jobs", reads.jobs, "Jobs, page by page", gives.Jobs | gives.Statistics, query=takes.JobsQuery),
    Route("GET", "/jobs/{job_id}", reads.job, "One job with its attempts", rows.JobDetails, refuses=(404,)),
    Route("POST", "/jobs", changes.enqueue, "Enqueues a job, or finds the one that does this work already",
          gives.Enqueued, body=takes.NewJob),
    Route("POST", "/jobs/retry-failed", changes.retry_failed, "Brings dead letters back, up to 1,000 a call",
          gives.Retried, body=takes.RetryFailed),
    Route("POST", "/jobs/cancel", changes.cancel_jobs, "Cancels unfinished jobs, up to 1,000 a call",
          gives.CancelledJobs, body=takes.CancelJobs),
    Route("POST", "/jobs/{job_id}/retry", changes.retry, "Brings one dead letter or cancelled job back",
          gives.RetriedJob, body=takes.Change, refuses=(404, 409)),
    Route("POST", "/jobs/{job_id}/cancel", changes.cancel, "Cancels one job and whatever waits for it",
          gives.CancelledJob, body=takes.Change, refuses=(404,)),
    Route("POST", "/pause", changes.pause, "Stops all claims; running jobs finish", gives.Switch,
          body=takes.Pause),
    Route("POST", "/resume", changes.resume, "Lets claims happen again", gives.Switch, body=takes.Change),
    Route("POST", "/trigger/{type}", trigger.trigger, "Enqueues a job of this type with its own parameters",
          gives.Triggered, body=takes.Trigger, refuses=(404,)),
    Route("POST", "/tick", kick.tick, "Calls the worker once, now", gives.TickReport, body=takes.Tick,
          refuses=(409, 502, 504)),
    Route("GET", "/files", reads.files, "Uploaded files, page by page", rows.FilePage, query=takes.FilesQuery),
    Route("GET", "/files/{file_id}", reads.file, "One file with what was made of it", rows.FileDetails,
          refuses=(404,)),
    Route("GET", "/files/{file_id}/thumbnails/{size}", reads.thumbnail, "A file's thumbnail", "image/webp",
          refuses=(404, 502)),
    Route("GET", "/operations", reads.operations, "Who changed what, and when", rows.OperationPage,
          query=takes.Page),
    Route("GET", "/me", reads.me, "Who is asking", gives.Me),
    Route("GET", "/openapi.json", pages.document, "This document", "application/json", is_open=True),
    Route("GET", "/dashboard", pages.dashboard, "The dashboard; it holds nothing secret", "text/html",
          is_open=True),
    Route("GET", "/dashboard/config.json", pages.config, "Where the dashboard signs people in", gives.Config,
          is_open=True),
    Route("GET", "/dashboard/{asset}", pages.asset, "A part of the dashboard", "*/*", is_open=True,
          refuses=(404,)),
)  # fmt: skip


def find(method: str, path: str, *, table: Sequence[Route] = ROUTES) -> tuple[Route, dict[str, str]]:
    """The route and the texts in its path. Raises a `Refusal`, 404 or 405, when there is none."""
    wanted = "GET" if method == "HEAD" else method
    for candidate in sorted(table, key=lambda route: len(route.parameters)):  # names win over parameters
        match = candidate.pattern.fullmatch(path)
        if match is None:
            continue
        same_path = [route for route in table if route.path == candidate.path]
        for route in same_path:
            if route.method == wanted:
                return route, match.groupdict()
        allowed = [route.method for route in same_path]
        raise Refusal(
            405,
            "method_not_allowed",
            f"this path takes {' and '.join(allowed)}",
            headers={"Allow": ", ".join(allowed + (["HEAD"] if "GET" in allowed else []))},
        )
    raise Refusal(404, "unknown_route", "there is no such path; GET /openapi.json lists those there are")
