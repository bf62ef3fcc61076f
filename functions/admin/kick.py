"""`POST /tick`: calls the worker once, as cron does, and hands its report on."""

from __future__ import annotations

import threading
from typing import Any

import httpx

from functions import log
from functions.admin.call import Call
from functions.admin.models import Tick
from functions.admin.refusals import Refusal
from functions.auth import RUNNER_HEADER
from functions.settings import Settings
from functions.this_machine import is_on_this_machine

_AT_ONCE = 2  # each holds a thread of this process for as long as the worker works
_TIMEOUT_SECONDS = 55.0  # what the schedule gives a tick, too


_running = threading.BoundedSemaphore(_AT_ONCE)


def tick(call: Call, *, body: Tick) -> object:
    endpoint, headers = _where(call.desk.settings)
    wanted = body.model_dump(exclude_none=True)
    if not _running.acquire(blocking=False):
        raise Refusal(409, "conflict", f"{_AT_ONCE} such calls are under way here; wait for one to end")
    try:
        call.change("tick", wanted, dry_run=False)
        report = _call(endpoint, headers, wanted)
    finally:
        _running.release()
    call.desk.overviews.forget()
    return report


def _where(settings: Settings) -> tuple[str, dict[str, str]]:
    endpoint = settings.job_queue_worker_endpoint
    secret = settings.job_queue_runner_secret
    if not endpoint or not (secret or settings.cron_secret):
        missing = "JOB_QUEUE_RUNNER_SECRET" if endpoint else "JOB_QUEUE_WORKER_ENDPOINT"
        raise Refusal(
            409,
            "not_configured",
            f"{missing} is not set for this function: give it the worker's own value and deploy again",
        )
    if secret:
        return endpoint, {RUNNER_HEADER: secret.get_secret_value()}
    assert settings.cron_secret
    return endpoint, {"Authorization": f"Bearer {settings.cron_secret.get_secret_value()}"}


def _call(endpoint: str, headers: dict[str, str], wanted: dict[str, Any]) -> dict[str, Any]:
    try:
        response = httpx.post(
            endpoint,
            json=wanted,
            headers=headers,
            timeout=httpx.Timeout(_TIMEOUT_SECONDS, connect=5),
            trust_env=not is_on_this_machine(endpoint),
            follow_redirects=False,
        )
    except (httpx.ReadTimeout, httpx.WriteTimeout):
        raise Refusal(
            504, "worker_too_slow", "the worker works for more than 55 s; its jobs go on without you"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("worker_unreachable", error=type(error).__name__)
        raise _bad_worker("it cannot be reached: check JOB_QUEUE_WORKER_ENDPOINT and its log") from None
    if response.status_code in (401, 403):
        raise _bad_worker("it refused our secret: both functions need the same JOB_QUEUE_RUNNER_SECRET")
    report = _report(response)
    if report is None:
        log.warning("worker_answered", status=response.status_code)
        raise _bad_worker(f"it answered {response.status_code}, but no report; its log says why")
    return report


def _report(response: httpx.Response) -> dict[str, Any] | None:
    try:
        said = response.json()
    except ValueError:
        return None
    return said if response.is_success and isinstance(said, dict) and "processed" in said else None


def _bad_worker(why: str) -> Refusal:
    return Refusal(502, "worker_unusable", f"the worker did not tick: {why}")
