"""What enqueueing does to the model: the same work is the same job, and a flow waits for its parents."""

from __future__ import annotations

from collections.abc import Sequence

from tests.database.state_machine.model import (
    DEFAULT_MAX_ATTEMPTS,
    MAX_ATTEMPTS,
    Job,
    Model,
    Observation,
    Row,
    default_key,
)


def key_of(asked: Row) -> tuple[str, str, str]:
    org_id, job_type = asked["org_id"], asked["type"]
    return org_id, job_type, asked.get("idempotency_key") or default_key(org_id, job_type, asked["payload"])


def is_refused(model: Model, asked: Sequence[Row]) -> bool:
    """Whether the call is wrong as a whole: a parent of another organisation, or two wishes for one key."""
    first: dict[tuple[str, str, str], Row] = {}
    for element in asked:
        after = element.get("after", [])
        if any(isinstance(parent, int) and not is_own(model, element, parent) for parent in after):
            return True
        if wishes(first.setdefault(key_of(element), element)) != wishes(element):
            return True
    return False


def wishes(element: Row) -> tuple[list[int | str], str, str]:
    return (
        element.get("after", []),
        element.get("unique_for", "unfinished"),
        element.get("on_conflict", "return"),
    )


def is_own(model: Model, element: Row, parent: int) -> bool:
    return parent in model.jobs and model.jobs[parent].org_id == element["org_id"]


def enqueue(model: Model, asked: Sequence[Row], seen: Observation) -> None:
    """Makes the jobs of enqueue_jobs and checks its answer."""
    if is_refused(model, asked):
        assert seen.refused == "22023", "a wrong batch was not refused"
        return
    assert seen.refused is None, "a good batch was refused"
    placed, changed = place(model, asked, seen.answer)
    for job, answer in zip(placed, seen.answer, strict=True):
        assert answer["status"] == job.status, f"job {job.id} is {job.status}: {answer}"
        assert answer.get("changed", False) == (job.id in changed), f"job {job.id}: {answer}"


def place(model: Model, asked: Sequence[Row], answers: Sequence[Row]) -> tuple[list[Job], set[int]]:
    """The job of each element, and which of them were changed; of several wishes for one job the last counts.

    The ids of new jobs are learnt from the answer.
    """
    placed: list[Job] = []
    new: set[int] = set()
    changed: set[int] = set()
    last = {key_of(element): at for at, element in enumerate(asked)}
    for at, (element, answer) in enumerate(zip(asked, answers, strict=True)):
        job = find(model, element)
        is_new = job is None
        if job is None:
            assert answer["job_id"] not in model.jobs, f"an old job is given for new work: {answer}"
            job = new_job(model, element, answer["job_id"])
            new.add(job.id)
        elif job.id not in new and at == last[key_of(element)]:
            change(model, job, element, changed)
        assert (answer["job_id"], answer["created"]) == (job.id, is_new), f"{answer} for {element}"
        placed.append(job)
    link(model, new, list(zip(asked, placed, strict=True)))
    return placed, changed


def find(model: Model, element: Row) -> Job | None:
    """The job that the work is already; one that runs lets go of its key when newer work wants to replace it."""
    key = key_of(element)
    job = model.for_ever(*key) if element.get("unique_for") == "ever" else None
    job = job or model.unfinished(*key)
    if (
        job is not None
        and job.status == "processing"
        and job.unique_for == "unfinished"
        and element.get("on_conflict", "return") != "return"
    ):
        job.key = f"{job.key[:490]}#{job.id}"
        return None
    return job


def new_job(model: Model, element: Row, job_id: int) -> Job:
    org_id, job_type, key = key_of(element)
    run_at = element.get("run_at_us", model.now)
    job = Job(
        id=job_id,
        org_id=org_id,
        type=job_type,
        payload=element["payload"],
        status="waiting" if element.get("after") else "queued",
        turn="later" if run_at > model.now else "ready",
        priority=element.get("priority", 0),
        run_at=run_at,
        max_attempts=max_attempts_of(element),
        key=key,
        unique_for=element.get("unique_for", "unfinished"),
    )
    model.jobs[job_id] = job
    return job


def max_attempts_of(element: Row) -> int:
    return int(element.get("max_attempts") or MAX_ATTEMPTS.get(element["type"], DEFAULT_MAX_ATTEMPTS))


def change(model: Model, job: Job, element: Row, changed: set[int]) -> None:
    """What newer work wants of a job that exists."""
    if element.get("unique_for") == "ever":
        job.unique_for = "ever"
    wanted = element.get("on_conflict", "return")
    if wanted == "return" or job.status not in ("waiting", "queued"):
        return
    changed.add(job.id)
    run_at = element.get("run_at_us", model.now)
    job.run_at = max(run_at, job.run_at) if wanted == "debounce" else run_at
    if job.turn != "alone":
        job.turn = "later" if job.run_at > model.now else "ready"
    if wanted == "replace":
        job.payload = element["payload"]
        job.priority = element.get("priority", 0)
        job.max_attempts = max(max_attempts_of(element), job.attempts + 1)


def link(model: Model, new: set[int], placed: Sequence[tuple[Row, Job]]) -> None:
    """Lets new jobs wait for their parents, some of which may have ended before."""
    refs = {element["ref"]: job.id for element, job in placed if "ref" in element}
    parents: set[int] = set()
    for element, job in placed:
        if job.id not in new or not element.get("after"):
            continue
        edges = model.parents.setdefault(job.id, {})
        for parent in element["after"]:
            ref = parent if isinstance(parent, str) else None
            parent_id = refs[parent] if isinstance(parent, str) else parent
            known = [name for name in (edges.get(parent_id), ref) if name is not None]
            edges[parent_id] = min(known, default=None)
        parents |= edges.keys()
    model.settle_children(parents)
