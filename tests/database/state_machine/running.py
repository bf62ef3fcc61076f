"""What workers do to the model with the jobs they have: heartbeat, resolve."""

from __future__ import annotations

from collections.abc import Sequence

from tests.database.state_machine.model import (
    BACKOFF_CAP_SECONDS,
    BACKOFF_SECONDS,
    DEFAULT_BACKOFF_CAP_SECONDS,
    DEFAULT_BACKOFF_SECONDS,
    LEASE_SECONDS,
    SECOND,
    Job,
    Model,
    Observation,
    Row,
    clamp,
)

OUTCOMES = ("done", "retry", "failed", "snooze", "release")


def extend(model: Model, asked: Row, seen: Observation) -> None:
    """A heartbeat keeps a lease only for the worker that has it."""
    expected = []
    for element in asked["leases"]:
        job = model.jobs.get(element["job_id"]) if is_number(element["job_id"]) else None
        verdict = "lost"
        if job is not None and holds(job, asked["worker_id"], element["lease_token"]):
            verdict = "ok"
            job.lease_expires_at = (
                model.now + clamp(asked.get("lease_seconds"), 10, 3600, LEASE_SECONDS) * SECOND
            )
            job.progress = element.get("progress", job.progress)
        elif job is not None and job.status == "cancelled":
            verdict = "cancelled"
        expected.append({"job_id": element["job_id"], "verdict": verdict})
    assert seen.answer == expected


def is_number(job_id: object) -> bool:
    return isinstance(job_id, int) and job_id > 0


def holds(job: Job, worker_id: str, lease_token: str) -> bool:
    return (job.status, job.worker_id, job.lease_token) == ("processing", worker_id, lease_token)


def resolve(model: Model, worker_id: str, results: Sequence[Row], seen: Observation) -> None:
    """Ends the attempts that are the worker's own, and checks the verdict on every element."""
    mine: dict[int, Row] = {}
    problems: set[int] = set()
    for at, result in enumerate(results):
        is_wrong = not is_number(result.get("job_id")) or result.get("outcome") not in OUTCOMES
        is_twice = any(
            (other.get("job_id"), other["lease_token"]) == (result.get("job_id"), result["lease_token"])
            for before, other in enumerate(results[:at])
            if before not in problems
        )
        job = model.jobs.get(result.get("job_id", 0))
        if is_wrong or is_twice:
            problems.add(at)
        elif job is not None and holds(job, worker_id, result["lease_token"]):
            mine[at] = result
    has_cost = any(result.get("cost", 0) > 0 for result in mine.values())
    verdicts: dict[int, str] = {}
    for at, result in sorted(mine.items(), key=lambda item: int(item[1]["job_id"])):
        job = model.jobs[result["job_id"]]
        verdicts[at] = end(model, job, result, seen)
        if model.limits.are_on() or has_cost:
            used = model.usage[job.org_id, seen.day]
            used.jobs += result["outcome"] in ("done", "retry", "failed")
            used.spend += max(result.get("cost", 0), 0)
        if "cost" in result:
            model.costs[result["lease_token"]] = max(result["cost"], 0)
    for at, result in enumerate(results):
        if at not in mine and at not in problems:
            settle_late_cost(model, result, seen.day)
    model.settle_children([result["job_id"] for result in mine.values()])
    check_verdicts(model, results, problems, verdicts, seen)


def settle_late_cost(model: Model, result: Row, day: str) -> None:
    """The money of an attempt that ended without its worker is counted when the worker says so, once."""
    token, cost = result["lease_token"], result.get("cost", 0)
    is_known = any((lease.job_id, lease.lease_token) == (result["job_id"], token) for lease in model.leases)
    if cost > 0 and is_known and token in model.runs and token not in model.costs:
        model.costs[token] = cost
        model.usage[model.jobs[result["job_id"]].org_id, day].spend += cost


def end(model: Model, job: Job, result: Row, seen: Observation) -> str:
    """Moves a job whose attempt ended; returns the verdict. How long a retry waits is learnt, within its bounds."""
    outcome = result["outcome"]
    if model.is_outdated(job):
        outcome = "superseded"
    elif outcome == "done" and job.type == "picky" and "broken" in (result.get("output") or {}):
        outcome = "error"
    model.end_attempt(job, outcome)
    charged = job.attempts
    was_alone = job.turn == "alone"
    if outcome in ("snooze", "release"):
        job.attempts -= 1
    error = outcome == "error" or "error" in result
    if outcome == "release":
        job.has_error = job.has_error or error
    else:
        job.has_error = error
        job.public_error = result.get("public_error")
    if outcome == "done":
        job.output, job.public_error = result.get("output"), None
        job.end("done", model.now, has_error=False)
    elif outcome == "superseded":
        job.end("cancelled", model.now, has_error=True)
    elif outcome == "failed" or (outcome in ("retry", "error") and charged >= job.max_attempts):
        job.end("failed", model.now, has_error=job.has_error)
    else:
        job.status = "queued"
        job.drop_lease()
        backoff = BACKOFF_SECONDS.get(job.type, DEFAULT_BACKOFF_SECONDS) * 2 ** (charged - 1)
        put_off(model, job, outcome, result, seen, backoff)
        if outcome == "release" and was_alone:
            job.turn = "alone"
    return outcome if outcome in ("error", "superseded") else "ok"


def put_off(model: Model, job: Job, outcome: str, result: Row, seen: Observation, backoff: int) -> None:
    delay = result.get("retry_in")
    if outcome == "snooze" and delay is None:
        delay = 60
    if outcome != "release" and delay is not None:
        job.run_at = model.now + delay * SECOND
    elif outcome != "release":
        job.run_at = seen.jobs[job.id]["run_at"]
        cap = BACKOFF_CAP_SECONDS.get(job.type, DEFAULT_BACKOFF_CAP_SECONDS)
        latest = model.now + min(backoff, cap) * SECOND
        assert model.now <= job.run_at <= latest, (
            f"job {job.id} waits for {job.run_at - model.now} microseconds"
        )
    job.turn = "later" if job.run_at > model.now else "ready"


def check_verdicts(
    model: Model, results: Sequence[Row], problems: set[int], verdicts: dict[int, str], seen: Observation
) -> None:
    answers: Sequence[Row] = seen.answer
    assert len(answers) == len(results)
    for at, (result, answer) in enumerate(zip(results, answers, strict=True)):
        job = model.jobs.get(result.get("job_id", 0))
        before = model.runs.get(result["lease_token"]) if is_audited(model, result) else None
        if at in problems:
            verdict = "error"
        elif at in verdicts:
            verdict = verdicts[at]
        elif before in ("superseded", "error"):
            verdict = before
        else:
            verdict = "ok" if before in OUTCOMES else "lost"
        assert answer["verdict"] == verdict, f"{answer} for {result}: expected {verdict}"
        if at not in problems and job is not None:
            assert (answer["status"], answer["attempts"]) == (job.status, job.attempts), f"{answer} for {job}"


def is_audited(model: Model, result: Row) -> bool:
    return any(
        (old.job_id, old.lease_token) == (result.get("job_id"), result["lease_token"]) for old in model.leases
    )
