"""What pruning does to the model: old jobs go, unless something may still ask for them."""

from __future__ import annotations

from tests.database.state_machine.model import DAY, DEAD, UNFINISHED, Job, Model, Observation

KEEP_DAYS = {"done": 7, "failed": 90, "cancelled": 7}


def prune(model: Model, seen: Observation) -> None:
    """Checks that what went was old and unneeded, and that nothing else of the kind is left."""
    due = [job for job in model.jobs.values() if is_old(model, job)]
    gone = {job.id for job in due if not is_needed(model, job)}
    for job in due:
        if job.id not in gone:
            continue
        for lease in model.leases:
            if lease.job_id == job.id:
                model.runs.pop(lease.lease_token, None)
        if job.unique_for == "ever" and job.status == "done":
            job.payload, job.output, job.progress, job.public_error, job.has_error = (
                {},
                None,
                None,
                None,
                False,
            )
        else:
            del model.jobs[job.id]
            model.parents.pop(job.id, None)
            for edges in model.parents.values():
                edges.pop(job.id, None)
    assert seen.answer["finished"] is True


def is_old(model: Model, job: Job) -> bool:
    if job.status not in KEEP_DAYS or job.completed_at is None:
        return False
    is_emptied = job.payload == {} and not any((job.output, job.progress, job.public_error, job.has_error))
    return job.completed_at < model.now - KEEP_DAYS[job.status] * DAY and not (
        job.unique_for == "ever" and job.status == "done" and is_emptied
    )


def is_needed(model: Model, job: Job) -> bool:
    """By its file, a child that is unfinished or may be retried, or the dead letter with which it would come back."""
    if job.status == "failed" and any(file.id == job.file_id and file.is_current for file in model.files):
        return True
    for child in model.children([job.id]):
        comes_back = child.status == "cancelled" and child.cancelled_by not in (None, job.id)
        if child.status in UNFINISHED or child.status == "failed" or comes_back:
            return True
    culprit = model.jobs.get(job.cancelled_by or 0)
    return job.status == "cancelled" and culprit is not None and culprit.status in DEAD
