"""What handlers keep by key, say an answer that was paid for: `Context.recall` and `Context.keep`.

A convenience, never a reason to fail: where the database cannot be asked there is nothing, and what cannot be
stored is worked out again the next time.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from functions import log
from functions.errors import CrontickError
from functions.queue_rows import ClaimedJob, ContentResult
from functions.redact import message_of, storable
from functions.repetition import TimeLeft

_VERSION = "kept"  # tells them from results of whole handlers, which have the version of their handler


class ContentResults(Protocol):
    """What this and `functions.reuse` need of `functions.job_queue.JobQueue`."""

    def find_content_result(
        self, org_id: str, job_type: str, sha256: str, version: str, *, time_left: TimeLeft | None = None
    ) -> ContentResult | None: ...

    def keep_content_result(
        self, org_id: str, job_type: str, sha256: str, version: str, output: Any, job_id: int
    ) -> None: ...


class KeptValues:
    """Values by organisation, job type and key."""

    def __init__(self, results: ContentResults) -> None:
        self._results = results

    def find(self, job: ClaimedJob, key: str) -> Any:
        """The value that was stored first under this key, or None."""
        try:
            found = self._results.find_content_result(job.org_id or "", job.type, _sha256(key), _VERSION)
        except CrontickError as error:
            log.warning("recall_failed", job_id=job.job_id, type=job.type, error=message_of(error))
            return None
        return found.output if found else None

    def store(self, job: ClaimedJob, key: str, value: Any) -> None:
        """Stores JSON under a key, unless there is something already."""
        try:
            self._results.keep_content_result(
                job.org_id or "", job.type, _sha256(key), _VERSION, storable(value), job.job_id
            )
        except CrontickError as error:
            log.warning("keep_failed", job_id=job.job_id, type=job.type, error=message_of(error))


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
