"""What people read of the queue: pages of jobs and files, the overview, the audit trail. A part of `OperatorsQueue`.

Every call is bounded in the database, so that a reader never slows the queue down, and only reads: again is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from functions.health_rows import QueueHealth
from functions.operator_rows import (
    FileDetails,
    FilePage,
    HistoryHours,
    JobDetails,
    JobList,
    JobPage,
    OperationPage,
    QueueOverview,
)
from functions.queue_calls import QueueCalls

_JOB = TypeAdapter(JobDetails | None).validate_python
_FILE = TypeAdapter(FileDetails | None).validate_python


class QueueReads(QueueCalls):
    """Reads for operators; each is one HTTP call."""

    def health(self) -> QueueHealth:
        return self._call("queue_health", {}, QueueHealth.model_validate, again={})

    def overview(self, hours: HistoryHours = 6) -> QueueOverview:
        """State and history of the whole queue. It takes a good part of a second when there is much: share it."""
        return self._call("queue_overview", {"hours": hours}, QueueOverview.model_validate, again={})

    def list_jobs(
        self,
        action: JobList,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - the key of the SQL contract
        *,
        page_size: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """One page; `filter` narrows it down by type, org_id, status and file_id."""
        parameters = {"action": action, **_page(filter, page_size, cursor)}
        return self._call("list_jobs", parameters, JobPage.model_validate, again={})

    def describe_job(self, job_id: int) -> JobDetails | None:
        return self._call("describe_job", {"job_id": job_id}, lambda found: _JOB(found or None), again={})

    def list_files(
        self,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - the key of the SQL contract
        *,
        page_size: int = 50,
        cursor: str | None = None,
    ) -> FilePage:
        """One page of current files; `filter` narrows it down by org_id, status and a part of the path."""
        return self._call("list_files", _page(filter, page_size, cursor), FilePage.model_validate, again={})

    def describe_file(self, file_id: int) -> FileDetails | None:
        return self._call("describe_file", {"file_id": file_id}, lambda found: _FILE(found or None), again={})

    def list_operations(self, *, page_size: int = 50, cursor: str | None = None) -> OperationPage:
        """One page of the audit trail, the latest first."""
        parameters = {"page_size": page_size, "cursor": cursor}
        return self._call("list_operations", parameters, OperationPage.model_validate, again={})


def _page(wanted: Mapping[str, Any] | None, page_size: int, cursor: str | None) -> dict[str, Any]:
    return {"filter": dict(wanted or {}), "page_size": page_size, "cursor": cursor}
