"""The views that change something: each is one action of `operate`, which keeps the audit trail."""

from __future__ import annotations

from functions.admin.call import Call
from functions.admin.models import CancelJobs, Change, NewJob, Pause, RetryFailed


def enqueue(call: Call, *, body: NewJob) -> object:
    done = call.change("enqueue", body.parameters(), dry_run=body.is_dry)
    if body.is_dry and done["created"]:
        done["job_id"] = None  # the number that it had is nobody's now
    return done


def retry(call: Call, *, job_id: int, body: Change) -> object:
    return call.change("retry", {"job_id": job_id}, dry_run=body.is_dry)


def cancel(call: Call, *, job_id: int, body: Change) -> object:
    return call.change("cancel", {"job_id": job_id}, dry_run=body.is_dry)


def retry_failed(call: Call, *, body: RetryFailed) -> object:
    return call.change("retry_failed", body.parameters(), dry_run=body.is_dry)


def cancel_jobs(call: Call, *, body: CancelJobs) -> object:
    return call.change("cancel_jobs", body.parameters(), dry_run=body.is_dry)


def pause(call: Call, *, body: Pause) -> object:
    return call.change("pause", body.parameters(), dry_run=body.is_dry)


def resume(call: Call, *, body: Change) -> object:
    return call.change("resume", {}, dry_run=body.is_dry)
