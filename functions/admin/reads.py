"""The views that look and change nothing."""

from __future__ import annotations

from typing import Any

import flask

from functions.admin import metrics as prometheus
from functions.admin.answers import json_answer
from functions.admin.call import Call
from functions.admin.models import FilesQuery, HealthQuery, JobsQuery, OverviewQuery, Page
from functions.admin.refusals import not_found
from functions.admin.thumbnails import fetch_thumbnail
from functions.operator_rows import FileDetails, HistoryHours

_SHORT_HISTORY: HistoryHours = 1  # hours, for those who look at the present alone
_STOPPED = "schedule"  # the condition of find_problems() under which nothing runs any more


def alive() -> dict[str, Any]:
    """That this process answers; asks nobody."""
    return {"status": "alive"}


def health(call: Call, *, query: HealthQuery) -> object:
    """503 when a schedule has stopped, so that whoever only looks at the status hears of it."""
    if query.live is not None:
        return alive()
    facts = call.desk.overviews.get(_SHORT_HISTORY).facts
    status = _status(facts)
    body = {"status": status, "problems": facts["problems"], "health": facts["health"]}
    return json_answer(503 if status == "stopped" else 200, body)


def metrics(call: Call) -> flask.Response:
    text = prometheus.exposed(call.desk.overviews.get(_SHORT_HISTORY).facts)
    return flask.Response(text, content_type=prometheus.CONTENT_TYPE)


def overview(call: Call, *, query: OverviewQuery) -> object:
    return call.desk.overviews.get(query.hours).content


def jobs(call: Call, *, query: JobsQuery) -> object:
    if query.action == "stats":
        return {"stats": call.desk.tables.job_stats()}
    return call.desk.lists.get(query)


def job(call: Call, *, job_id: int) -> object:
    found = call.desk.queue.describe_job(job_id)
    if found is None:
        raise not_found(f"job {job_id}", field="job_id")
    return found


def files(call: Call, *, query: FilesQuery) -> object:
    return call.desk.queue.list_files(query.filter(), page_size=query.limit, cursor=query.cursor)


def file(call: Call, *, file_id: int) -> object:
    return _file(call, file_id)


def thumbnail(call: Call, *, file_id: int, size: int) -> flask.Response:
    for one in _file(call, file_id).thumbnails:
        if one.size == size:
            content = fetch_thumbnail(call.desk.client, one.bucket_id, one.path)
            return flask.Response(content, content_type="image/webp")
    raise not_found(f"thumbnail of size {size} of file {file_id}", field="size")


def operations(call: Call, *, query: Page) -> object:
    return call.desk.queue.list_operations(page_size=query.limit, cursor=query.cursor)


def me(call: Call) -> object:
    return {"actor": call.operator.actor, "kind": call.operator.kind}


def _file(call: Call, file_id: int) -> FileDetails:
    found = call.desk.queue.describe_file(file_id)
    if found is None:
        raise not_found(f"file {file_id}", field="file_id")
    return found


def _status(facts: dict[str, Any]) -> str:
    conditions = {problem["condition"] for problem in facts["problems"]}
    if _STOPPED in conditions:  # a pause does not stop schedules
        return "stopped"
    if not facts["health"]["processing_enabled"]:
        return "paused"
    return "degraded" if conditions else "ok"
