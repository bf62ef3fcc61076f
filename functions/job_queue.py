"""The queue as Python sees it: the only place that calls the database's functions.

Each method is one HTTP call. Trouble that may pass (network, gateways, a full connection pool, a lock that
timed out) is repeated for a few seconds, and each method says what makes that safe, for the first call may
have been carried out with only its answer lost. What remains is raised as an error of `functions.errors`;
nothing of httpx or postgrest leaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from functions.errors import QueueTooSlow
from functions.queue_answers import asked
from functions.queue_calls import QueueCalls
from functions.queue_rows import (
    Claim,
    ContentResult,
    Enqueued,
    JobResult,
    Lease,
    LeaseVerdict,
    NewJob,
    OnConflict,
    ResolveVerdict,
    Started,
    UniqueFor,
)
from functions.repetition import TimeLeft

_LEASE_VERDICTS = TypeAdapter(list[LeaseVerdict]).validate_python
_RESOLVE_VERDICTS = TypeAdapter(list[ResolveVerdict]).validate_python
_ENQUEUED = TypeAdapter(Enqueued).validate_python
_ENQUEUED_LIST = TypeAdapter(list[Enqueued]).validate_python
_STARTED = TypeAdapter(Started).validate_python
_CONTENT_RESULT = TypeAdapter(ContentResult | None).validate_python
_ROWS = TypeAdapter(list[dict[str, Any]]).validate_python


class JobQueue(QueueCalls):
    """The calls that workers make, and whoever enqueues. Threads may share one."""

    def _send(self, function: str, parameters: dict[str, Any]) -> Any:
        return self._client.rest.rpc(function, parameters).execute().data

    def claim(
        self,
        worker_id: UUID,
        *,
        batch_size: int,
        lease_seconds: int,
        types: Sequence[str] | None = None,
        force: bool = False,
        held: Sequence[int] = (),
        fits_in: int | None = None,
        time_left: TimeLeft | None = None,
    ) -> Claim:
        """Up to `batch_size` due jobs, each under a fresh lease; none while processing is paused.

        With `fits_in`, only of types that usually end within so many seconds.
        A repetition says which jobs the worker knows to be its own, and gets the others of a lost answer again.
        """
        parameters: dict[str, Any] = {
            "worker_id": str(worker_id),
            "batch_size": batch_size,
            "types": list(types) if types is not None else None,
            "lease_seconds": lease_seconds,
            "force": force,
            "tell_dead_letter": True,
        }
        if fits_in is not None:
            parameters["fits_in"] = fits_in
        again = {"held": list(held)}
        return self._call("claim_jobs", parameters, _claim, again=again, time_left=time_left)

    def start_job(
        self,
        worker_id: UUID,
        job: NewJob,
        *,
        lease_seconds: int,
        force: bool = False,
        time_left: TimeLeft | None = None,
    ) -> Started:
        """Enqueues one job, or finds the one that does this work already, and claims it at once.

        A repetition by the same worker gets the job that it was given before, under the same lease.
        """
        parameters = {
            "worker_id": str(worker_id),
            "job": dict(job),
            "lease_seconds": lease_seconds,
            "force": force,
        }
        return self._call("start_job", parameters, _STARTED, again={}, time_left=time_left)

    def find_content_result(
        self, org_id: str, job_type: str, sha256: str, version: str, *, time_left: TimeLeft | None = None
    ) -> ContentResult | None:
        """What the same handler made of the same content for the same organisation, if it is stored."""
        parameters = {
            "org_id": org_id,
            "type": job_type,
            "content_sha256": sha256,
            "handler_version": version,
        }
        return self._call("find_content_result", parameters, _CONTENT_RESULT, again={}, time_left=time_left)

    def keep_content_result(
        self, org_id: str, job_type: str, sha256: str, version: str, output: Any, job_id: int
    ) -> None:
        """Stores a result by content now, not when its job is resolved; the first one stays."""
        parameters = {
            "org_id": org_id,
            "type": job_type,
            "content_sha256": sha256,
            "handler_version": version,
            "output": output,
            "job_id": job_id,
        }
        self._call("keep_content_result", parameters, _anything, again={})

    def extend(
        self,
        worker_id: UUID,
        leases: Sequence[Lease],
        *,
        lease_seconds: int,
        time_left: TimeLeft | None = None,
    ) -> list[LeaseVerdict]:
        """The heartbeat: keeps jobs ours, stores their progress, and says which ones are ours no more.

        Extending twice is extending once.
        """
        parameters = {
            "worker_id": str(worker_id),
            "leases": [lease.as_json() for lease in leases],
            "lease_seconds": lease_seconds,
        }
        return self._call("extend_leases", parameters, _LEASE_VERDICTS, again={}, time_left=time_left)

    def resolve(
        self, worker_id: UUID, results: Sequence[JobResult], *, time_left: TimeLeft | None = None
    ) -> list[ResolveVerdict]:
        """Ends attempts and applies their outputs; one verdict per result, in the same order.

        Resolving a lease token twice answers the same again. `QueueTooSlow` is raised at once: send fewer.
        """

        def one_each(data: Any) -> list[ResolveVerdict]:
            verdicts = _RESOLVE_VERDICTS(data)
            if len(verdicts) != len(results):
                raise ValueError(f"{len(verdicts)} verdicts for {len(results)} results")
            return verdicts

        parameters = {"worker_id": str(worker_id), "results": [result.as_json() for result in results]}
        return self._call(
            "resolve_jobs", parameters, one_each, again={}, time_left=time_left, unless=QueueTooSlow
        )

    def enqueue(
        self,
        org_id: str,
        type: str,  # noqa: A002 - the key of the SQL contract
        payload: Mapping[str, Any] | None = None,
        *,
        run_at: datetime | None = None,
        priority: int = 0,
        max_attempts: int | None = None,
        idempotency_key: str | None = None,
        on_conflict: OnConflict = "return",
        unique_for: UniqueFor = "unfinished",
    ) -> Enqueued:
        """Enqueues one job, or finds the one with the same key (by default: the same work).

        `on_conflict` says what happens to that one if it has not started: nothing, it takes the new payload,
        priority and time (replace), or only its time is pushed back (debounce). With `unique_for` "ever" a key
        is never used twice, also when its job has ended.
        """
        parameters = {
            "org_id": org_id,
            "type": type,
            "payload": dict(payload or {}),
            "run_at": run_at.isoformat() if run_at else None,
            "priority": priority,
            "max_attempts": max_attempts,
            "idempotency_key": idempotency_key,
            "on_conflict": on_conflict,
            "unique_for": unique_for,
        }
        return self._call("enqueue_job", parameters, _ENQUEUED, again={})

    def enqueue_many(self, jobs: Sequence[NewJob]) -> list[Enqueued]:
        """Enqueues a batch or a flow: all of it or, when one element is wrong, none."""
        return self._call("enqueue_jobs", {"jobs": [dict(job) for job in jobs]}, _ENQUEUED_LIST, again={})

    def start_pipeline(
        self,
        pipeline: str,
        org_id: str,
        payload: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> list[Enqueued]:
        """Enqueues the steps of a row of `pipelines`, all with this payload, in their order."""
        parameters = {
            "pipeline": pipeline,
            "org_id": org_id,
            "payload": dict(payload or {}),
            "idempotency_key": idempotency_key,
        }
        return self._call("start_pipeline", parameters, _ENQUEUED_LIST, again={})

    def is_paused(self, *, time_left: TimeLeft | None = None) -> bool:
        """Asked only after an empty claim: it is what tells "paused" from "nothing is due"."""
        settings = self._client.rest.from_("job_queue_settings").select("processing_enabled").limit(1)
        rows = self._repeat(
            lambda _: asked("job_queue_settings", {}, lambda: settings.execute().data, _ROWS), time_left
        )
        return bool(rows) and rows[0].get("processing_enabled") is False


def _claim(data: Any) -> Claim:
    """An array, but where there is more to tell than jobs."""
    return Claim.model_validate({"jobs": data} if isinstance(data, list) else data)


def _anything(data: Any) -> Any:
    return data
