"""What operators and uploads do to the model: cancel, retry, start at once, store and delete files."""

from __future__ import annotations

from tests.database.state_machine.claiming import check_described, lease
from tests.database.state_machine.enqueueing import is_refused, place
from tests.database.state_machine.model import (
    DEAD,
    DEFAULT_MAX_ATTEMPTS,
    MAX_ATTEMPTS,
    UNFINISHED,
    File,
    Job,
    Model,
    Observation,
    Row,
)

FLOW = ("picky", "plain", "brief")


def cancel(model: Model, job_id: int, seen: Observation) -> None:
    job = model.jobs.get(job_id)
    if job is None:
        assert seen.refused == "22023", "a job that does not exist was cancelled"
        return
    was_unfinished = job.status in UNFINISHED
    model.cancel([job_id], "cancelled", seen.day)
    model.settle_children([job_id])
    assert seen.answer == {"job_id": job_id, "cancelled": was_unfinished, "status": job.status}


def retry(model: Model, job_id: int, seen: Observation) -> None:
    """A dead letter comes back, and what was cancelled because of it."""
    if job_id not in model.jobs:
        assert seen.refused == "22023", "a job that does not exist was retried"
        return
    revived = revive(model, job_id)
    if not revived:
        assert seen.refused == "PT409", f"job {job_id} was retried: {model.jobs[job_id]}"
        return
    assert seen.refused is None, f"job {job_id} was not retried: {model.jobs[job_id]}"
    assert seen.answer == {"job_id": job_id, "status": model.jobs[job_id].status, "revived": revived - 1}


def retry_failed(model: Model, job_type: str | None, seen: Observation) -> None:
    """All dead letters come back that may, those that nothing stands in the way of first, then the oldest."""

    def place(job: Job) -> tuple[bool, int, int]:
        is_taken = model.unfinished(job.org_id, job.type, job.key) is not None
        return is_taken or model.is_outdated(job), job.completed_at or 0, job.id

    dead = [job for job in model.jobs.values() if job.status == "failed" and job_type in (None, job.type)]
    retried = sum(revive(model, job.id) > 0 for job in sorted(dead, key=place))
    left = sum(job.status == "failed" for job in dead)
    assert (seen.answer["retried"], seen.answer["left"]) == (retried, left)


def revive(model: Model, job_id: int) -> int:
    """How many jobs came back, this one included; 0 when the state forbids it.

    What also waits for a job that did not come back is cancelled again.
    """
    revived = revivable(model, job_id, flow_of(model, job_id))
    for job in revived:
        job.attempts = job.crashes = 0
        job.run_at, job.turn, job.completed_at = model.now, "ready", None
        job.has_error, job.public_error, job.cancelled_by = False, None, None
        job.status = "queued"
    for job in revived:
        job.waiting_for = sum(model.jobs[parent].status != "done" for parent in model.parents.get(job.id, {}))
        job.status = "waiting" if job.waiting_for else "queued"
    parents = {parent for job in revived for parent in model.parents.get(job.id, {})}
    model.settle_children(parent for parent in parents if model.jobs[parent].status in DEAD)
    return sum(job.status in UNFINISHED for job in revived)


def flow_of(model: Model, job_id: int) -> set[int]:
    """A dead letter and what was cancelled because of it, directly or further down."""
    flow = {job_id}
    below = {job_id}
    while below:
        below = {
            child.id
            for child in model.children(below)
            if child.status == "cancelled" and child.cancelled_by is not None and child.id not in flow
        }
        flow |= below
    return flow


def revivable(model: Model, job_id: int, flow: set[int]) -> list[Job]:
    """Those that come back with a dead letter, of each key the newest; none when the state forbids it."""
    job = model.jobs[job_id]
    if job.status not in DEAD or model.is_outdated(job):
        return []
    if any(model.jobs[parent].status in DEAD for parent in model.parents.get(job_id, {})):
        return []
    newest: dict[tuple[str, str, str], Job] = {}
    for member in (*sorted(flow - {job_id}), job_id):
        again = model.jobs[member]
        key = (again.org_id, again.type, again.key)
        if model.unfinished(*key) is None:
            newest[key] = again
        elif member == job_id:
            return []
    return sorted(newest.values(), key=lambda again: again.id)


def start(model: Model, asked: Row, seen: Observation) -> None:
    """One job is enqueued or found, and leased at once, whatever its run_at, if nothing is against it."""
    if is_refused(model, [asked["job"]]):
        assert seen.refused == "22023", "a wrong job was not refused"
        return
    answer: Row = seen.answer
    (job,), _ = place(model, [asked["job"]], [answer])
    if (job.status, job.worker_id) == ("processing", asked["worker_id"]):
        check_described(model, [job], [answer["job"]])
        return
    is_open = asked["force"] or not model.is_paused
    reason = model.limits.broken_by([job], model.live(), model.used_on(seen.day))
    if job.status == "queued" and is_open and reason is None:
        assert answer["job"] is not None, f"job {job.id} was not leased: {job}"
        lease(model, [job], [answer["job"]], asked["worker_id"], asked.get("lease_seconds"))
        check_described(model, [job], [answer["job"]])
        assert answer["waits_for"] is None
    else:
        assert answer["job"] is None, f"job {job.id} was leased: {job}"
        is_held_back = not is_open or (job.status == "queued" and reason is not None)
        assert (answer["waits_for"] is not None) == is_held_back, f"{answer}: {reason}"
    assert answer["status"] == job.status


def store_file(model: Model, path: str, seen: Observation) -> None:
    """An upload or overwrite: the old version's jobs are cancelled, the flow of the new one begins."""
    retire(model, path, seen.day)
    flow = [row for job_id, row in sorted(seen.jobs.items()) if job_id not in model.jobs]
    assert [row["type"] for row in flow] == list(FLOW), f"the upload started {flow}"
    file = File(flow[0]["file_id"], path)
    model.files.append(file)
    for row in flow:
        assert (row["payload"]["path"], row["payload"]["version"]) == (path, seen.answer)
        model.jobs[row["id"]] = Job(
            id=row["id"],
            org_id=path.split("/", 1)[0],
            type=row["type"],
            payload=row["payload"],
            status="queued",
            turn="ready",
            priority=0,
            run_at=model.now,
            max_attempts=MAX_ATTEMPTS.get(row["type"], DEFAULT_MAX_ATTEMPTS),
            key=row["key"],
            unique_for="unfinished",
            file_id=file.id,
        )
    cause, _, child = (model.jobs[row["id"]] for row in flow)
    child.status, child.waiting_for = "waiting", 1
    model.parents[child.id] = {cause.id: "a"}


def retire(model: Model, path: str, day: str) -> None:
    """The current version of a file goes, and its unfinished jobs with it."""
    for file in model.files:
        if file.path == path and file.is_current:
            file.is_current = False
            job_ids = [job.id for job in model.jobs.values() if job.file_id == file.id]
            model.cancel(job_ids, "superseded", day)
            model.settle_children(job_ids)
