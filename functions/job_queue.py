"""The queue as Python sees it: the only place that calls the database's functions.

Each method is one HTTP call. Transient trouble (network, 502-504, a full connection pool, a lock that
timed out) is retried for a few seconds. That is safe because of what the calls are: a claim whose answer
was lost only waits for its leases to run out, extending twice is extending once, resolving the same
lease token twice answers the same thing again, and enqueuing twice finds the first job by its key.
What remains is raised as an error of `functions.errors`; nothing of httpx or postgrest leaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
from postgrest.exceptions import APIError
from pydantic import TypeAdapter, ValidationError
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from functions.errors import ConfigurationError, CrontickError, QueueUnavailable, RequestRefused
from functions.queue_rows import (
    ClaimedJob,
    Enqueued,
    JobResult,
    Lease,
    LeaseVerdict,
    NewJob,
    QueueHealth,
    ResolveVerdict,
)
from functions.supabase_client import SupabaseClient

Answer = TypeVar("Answer")

_ATTEMPTS = 5
_BUDGET_SECONDS = 10.0
_TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03"})
_TRANSIENT_CLASSES = frozenset({"08", "53"})  # connection exceptions, insufficient resources
_TRANSIENT_POSTGREST = frozenset({"PGRST000", "PGRST001", "PGRST002", "PGRST003"})
_TRANSIENT_HTTP = frozenset({"429", "500", "502", "503", "504", "520", "521", "522", "524"})  # from proxies
_TRANSIENT = _TRANSIENT_SQLSTATES | _TRANSIENT_POSTGREST | _TRANSIENT_HTTP
_UNKNOWN_FUNCTION = "PGRST202"  # also for a moment after a migration, until the schema cache is reloaded

_CLAIMED = TypeAdapter(list[ClaimedJob])
_LEASE_VERDICTS = TypeAdapter(list[LeaseVerdict])
_RESOLVE_VERDICTS = TypeAdapter(list[ResolveVerdict])
_ENQUEUED = TypeAdapter(Enqueued)
_ENQUEUED_LIST = TypeAdapter(list[Enqueued])
_HEALTH = TypeAdapter(QueueHealth)
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class JobQueue:
    """All calls a worker or an operator makes. Threads may share one."""

    def __init__(self, client: SupabaseClient, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def claim(
        self,
        worker_id: UUID,
        *,
        batch_size: int,
        lease_seconds: int,
        types: Sequence[str] | None = None,
        force: bool = False,
    ) -> list[ClaimedJob]:
        """Up to `batch_size` due jobs, each under a fresh lease; none while processing is paused."""
        parameters: dict[str, Any] = {
            "worker_id": str(worker_id),
            "batch_size": batch_size,
            "types": list(types) if types is not None else None,
            "lease_seconds": lease_seconds,
            "force": force,
        }
        return self._call("claim_jobs", parameters, _CLAIMED)

    def extend(self, worker_id: UUID, leases: Sequence[Lease], *, lease_seconds: int) -> list[LeaseVerdict]:
        """The heartbeat: keeps jobs ours, stores their progress, and says which ones are ours no more."""
        parameters = {
            "worker_id": str(worker_id),
            "leases": [lease.as_json() for lease in leases],
            "lease_seconds": lease_seconds,
        }
        return self._call("extend_leases", parameters, _LEASE_VERDICTS)

    def resolve(self, worker_id: UUID, results: Sequence[JobResult]) -> list[ResolveVerdict]:
        """Ends attempts and applies their outputs; one verdict per result, in the same order."""
        parameters = {"worker_id": str(worker_id), "results": [result.as_json() for result in results]}
        return self._call("resolve_jobs", parameters, _RESOLVE_VERDICTS)

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
    ) -> Enqueued:
        """Enqueues one job, or finds the unfinished job with the same key (by default: the same work)."""
        parameters = {
            "org_id": org_id,
            "type": type,
            "payload": dict(payload or {}),
            "run_at": run_at.isoformat() if run_at else None,
            "priority": priority,
            "max_attempts": max_attempts,
            "idempotency_key": idempotency_key,
        }
        return self._call("enqueue_job", parameters, _ENQUEUED)

    def enqueue_many(self, jobs: Sequence[NewJob]) -> list[Enqueued]:
        """Enqueues a batch or a flow: all of it or, when one element is wrong, none."""
        return self._call("enqueue_jobs", {"jobs": [dict(job) for job in jobs]}, _ENQUEUED_LIST)

    def health(self) -> QueueHealth:
        return self._call("queue_health", {}, _HEALTH)

    def is_paused(self) -> bool:
        """Asked only after an empty claim: it is what tells "paused" from "nothing is due"."""
        settings = self._client.rest.from_("job_queue_settings").select("processing_enabled").limit(1)
        rows: list[dict[str, Any]] = self._retry("job_queue_settings", lambda: settings.execute().data)
        return bool(rows) and rows[0].get("processing_enabled") is False

    def pause(self, reason: str) -> None:
        self._call("pause_processing", {"reason": reason}, _ANYTHING)

    def resume(self) -> None:
        self._call("resume_processing", {}, _ANYTHING)

    def cancel(self, job_id: int) -> Any:
        """Cancels an unfinished job; a running one hears of it at its next heartbeat."""
        return self._call("cancel_job", {"job_id": job_id}, _ANYTHING)

    def retry(self, job_id: int) -> Any:
        """Brings a dead letter back, with its attempts counted anew."""
        return self._call("retry_job", {"job_id": job_id}, _ANYTHING)

    def _call(self, function: str, parameters: dict[str, Any], answer: TypeAdapter[Answer]) -> Answer:
        data = self._retry(function, lambda: self._client.rest.rpc(function, parameters).execute().data)
        try:
            return answer.validate_python(data)
        except ValidationError as error:
            raise RequestRefused(
                f"{function} answered in a shape that this version does not know: "
                f"{_first_problem(error)}; deploy the version that fits the migrations"
            ) from error

    def _retry(self, name: str, send: Callable[[], Any]) -> Any:
        retrying = Retrying(
            stop=stop_after_attempt(_ATTEMPTS) | stop_before_delay(_BUDGET_SECONDS),
            wait=wait_random_exponential(multiplier=0.5, max=4),
            retry=retry_if_exception(_may_pass),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(_translated, name, send)


def _translated(name: str, send: Callable[[], Any]) -> Any:
    """One call, with what httpx and postgrest raise turned into an error of this project."""
    try:
        return send()
    except APIError as error:
        raise _from_answer(name, error) from error
    except (TypeError, ValueError) as error:  # before anything was sent
        raise RequestRefused(
            f"{name}: the parameters are not JSON ({error}); use plain JSON values"
        ) from error
    except httpx.HTTPError as error:
        raise QueueUnavailable(
            f"{name}: Supabase cannot be reached ({type(error).__name__}: {error}); "
            "check SUPABASE_URL and that the project is not paused"
        ) from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'answer'}: {problem['msg']}"


def _from_answer(name: str, error: APIError) -> CrontickError:
    code, text = error.code or "", error.message or "no message"
    if code in _TRANSIENT or (len(code) == 5 and code[:2] in _TRANSIENT_CLASSES):
        return QueueUnavailable(f"{name}: the database is overloaded or too slow ({code}: {text})")
    if not code or code in ("401", "PGRST301", "PGRST302", "PGRST303"):
        return ConfigurationError(
            f"{name}: the API key was refused ({text}); "
            "SUPABASE_SECRET_KEY has to be the secret key of the project at SUPABASE_URL"
        )
    hint = error.hint
    if code == _UNKNOWN_FUNCTION:
        hint = "apply the migrations of this version, then: notify pgrst, 'reload schema'"
    elif code == "42501":
        hint = hint or "use the secret (service_role) key, and apply the migrations: they carry the grants"
    message = f"{name} was refused: {text} ({code})"
    return RequestRefused(f"{message}; {hint}" if hint else message, sqlstate=code, hint=hint)


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, RequestRefused):
        return error.sqlstate == _UNKNOWN_FUNCTION
    return isinstance(error, QueueUnavailable)
