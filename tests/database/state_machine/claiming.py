"""What a claim does to the model: leases that ran out are taken back, and some of what is due is handed out."""

from __future__ import annotations

from collections.abc import Sequence

from tests.database.state_machine.model import (
    DEFAULT_MAX_CRASHES,
    LEASE_SECONDS,
    MAX_CRASHES,
    SECOND,
    TIMEOUTS,
    Job,
    Lease,
    Model,
    Observation,
    Row,
    clamp,
)


def claim(model: Model, asked: Row, seen: Observation) -> None:
    """Checks that what claim_jobs handed out was legal, and as much as there was to be had."""
    answer: Sequence[Row] = seen.answer
    worker_id, held = asked["worker_id"], asked.get("held")
    if held is not None:
        stranded = [job for job in model.processing() if job.worker_id == worker_id and job.id not in held]
        if stranded:
            check_described(model, stranded, answer)
            return
    if model.is_paused and not asked.get("force"):
        assert answer == [], "claimed while paused"
        return
    reclaim(model)
    for job in model.jobs.values():
        if job.status == "queued" and job.turn == "later" and job.run_at <= model.now:
            job.turn = "ready"

    claimable = [
        job
        for job in model.jobs.values()
        if job.status == "queued" and job.run_at <= model.now and job.turn in ("ready", "alone")
        and (asked.get("types") is None or job.type in asked["types"])
    ]  # fmt: skip
    batch_size = clamp(asked.get("batch_size"), 1, 1000, 5)
    live, used = model.live(), model.used_on(seen.day)
    picked = [model.jobs[element["job_id"]] for element in answer]
    for job in picked:
        assert job in claimable, f"job {job.id} is not claimable: {job}"
    assert len(picked) <= batch_size, "a batch larger than asked for"
    if any(job.turn == "alone" for job in picked):
        assert len(picked) == 1, "a suspect in company"
    broken = model.limits.broken_by(picked, live, used)
    assert broken is None, f"a limit is broken: {broken}"
    free = [job for job in claimable if model.limits.broken_by([job], live, used) is None]
    assert picked or not free, f"an empty claim, though these were free: {[job.id for job in free]}"
    if picked and picked[0].turn == "ready" and not model.limits.are_on():
        ready = sum(job.turn == "ready" for job in claimable)
        assert len(picked) == min(ready, batch_size), (
            f"{len(picked)} claimed of {ready}, asked for {batch_size}"
        )
    lease(model, picked, answer, worker_id, asked.get("lease_seconds"))
    check_described(model, picked, answer)


def reclaim(model: Model) -> None:
    """Leases that ran out are crashes, their jobs suspect; one per claim that crashed too often is a dead letter."""
    dead: list[int] = []
    for job in model.processing():
        is_dying = job.crashes + 1 >= MAX_CRASHES.get(job.type, DEFAULT_MAX_CRASHES)
        if (job.lease_expires_at or 0) >= model.now or (is_dying and dead):
            continue
        model.end_attempt(job, "crash")
        job.crashes += 1
        job.attempts = max(job.attempts - 1, 0)
        job.run_at, job.turn, job.status, job.has_error = model.now, "alone", "queued", True
        job.drop_lease()
        if is_dying:
            job.end("failed", model.now, has_error=True)
            dead.append(job.id)
    model.settle_children(dead)


def lease(
    model: Model, picked: Sequence[Job], answer: Sequence[Row], worker_id: str, seconds: int | None
) -> None:
    known = {old.lease_token for old in model.leases}
    for job, element in zip(picked, answer, strict=True):
        assert element["lease_token"] not in known, f"lease token {element['lease_token']} was used before"
        job.status, job.worker_id, job.lease_token = "processing", worker_id, element["lease_token"]
        job.lease_expires_at = model.now + clamp(seconds, 10, 3600, LEASE_SECONDS) * SECOND
        job.attempts += 1
        job.progress = None
        model.leases.append(Lease(job.id, element["lease_token"], worker_id))


def check_described(model: Model, picked: Sequence[Job], answer: Sequence[Row]) -> None:
    assert len(picked) == len(answer), f"{len(answer)} handed out, not {len(picked)}"
    for job, element in zip(sorted(picked, key=lambda job: job.place), answer, strict=True):
        parents = [model.jobs[parent] for parent in model.parents.get(job.id, {})]
        types = [parent.type for parent in parents]
        expected = {
            "job_id": job.id,
            "org_id": job.org_id,
            "type": job.type,
            "payload": job.payload,
            "file_id": job.file_id,
            "trace_parent": None,
            "attempts": job.attempts,
            "max_attempts": job.max_attempts,
            "lease_token": job.lease_token,
            "timeout_seconds": TIMEOUTS.get(job.type),
            "alone": job.turn == "alone",
            "parents": {
                p.type if types.count(p.type) == 1 else model.parents[job.id][p.id] or str(p.id): p.output
                for p in parents
            },
        }
        described = {name: value for name, value in element.items() if name != "lease_expires_at"}
        assert described == expected, f"{described} is handed out for {expected}"
