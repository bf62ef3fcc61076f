"""Workers without a name: job_queue_enqueue, job_queue_claim and the marks; what the wrappers share; the pipelines."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from tests.database.compat import ask, seconds_until_due
from tests.database.queue import Queue, Row

SYNC = {"org_id": "acme", "dryRun": False}


def add(queue: Queue, **arguments: Any) -> Row:
    (job,) = ask(
        queue, "job_queue_enqueue", **{"task_type": "game_platform_sync", "payload": SYNC, **arguments}
    )
    return job


def claim(queue: Queue, **arguments: Any) -> list[Row]:
    return ask(queue, "job_queue_claim", **arguments)


def mark(queue: Queue, outcome: str, job_id: int, **arguments: Any) -> Row:
    (job,) = ask(queue, f"job_queue_mark_{outcome}", id=job_id, **arguments)
    return job


def test_every_call_inserts_a_job_of_its_own(queue: Queue) -> None:
    first, second = add(queue), add(queue)

    assert first["id"] != second["id"]
    assert (first["task_type"], first["payload"], first["status"]) == ("game_platform_sync", SYNC, "pending")
    assert (first["attempts"], first["max_attempts"], first["org_id"]) == (0, 5, "acme")


def test_time_and_attempts_are_the_callers(queue: Queue) -> None:
    job = add(queue, run_at="2999-01-01T00:00:00Z", max_attempts=2)

    assert (job["run_at"].year, job["max_attempts"]) == (2999, 2)
    assert claim(queue) == []


@pytest.mark.parametrize("payload", [{"org_id": "acme"}, {"orgId": "acme"}, {"org_id": " ", "orgId": "acme"}])
def test_the_payload_names_the_organisation(queue: Queue, payload: Row) -> None:
    assert add(queue, payload=payload)["org_id"] == "acme"


@pytest.mark.parametrize("payload", [None, {}, {"org_id": None}, {"org_id": ""}, {"orgId": " "}])
def test_a_job_without_an_organisation_is_refused(queue: Queue, payload: Row | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"org_id \(or orgId\) is missing"):
        add(queue, payload=payload)


def test_a_claim_hands_out_as_many_as_asked_for_and_five_by_default(queue: Queue) -> None:
    ids = [add(queue)["id"] for _ in range(8)]

    first, second = claim(queue, limit=2), claim(queue)

    assert (len(first), len(second)) == (2, 5)
    assert {job["id"] for job in first + second} < set(ids)
    assert {(job["status"], job["attempts"]) for job in first} == {("processing", 1)}


def test_a_claim_hands_out_at_most_a_hundred(queue: Queue) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(101)))

    assert len(claim(queue, limit=5000)) == 100


def test_success_stores_the_output_and_ends_the_job(queue: Queue) -> None:
    add(queue)
    (job,) = claim(queue)

    done = mark(queue, "succeeded", job["id"], output={"synced": 12})

    assert (done["status"], done["output"]) == ("succeeded", {"synced": 12})
    assert done["completed_at"] is not None
    assert queue.runs(job["id"]) == ["done"]


@pytest.mark.parametrize("retry_in", ["300", "5 minutes"])
def test_a_failure_is_pending_again_after_the_time_that_was_asked_for(queue: Queue, retry_in: str) -> None:
    add(queue)
    (job,) = claim(queue)

    failed = mark(queue, "failed", job["id"], error="rate limit", retry_in=retry_in)

    assert (failed["status"], failed["last_error"]) == ("pending", "rate limit")
    assert seconds_until_due(queue, job["id"]) == 300


def test_a_failure_without_a_time_waits_for_the_backoff_of_its_type(queue: Queue) -> None:
    queue.rows("update public.job_types set backoff_seconds = 0 where type = '*'")
    add(queue)
    (job,) = claim(queue)

    assert mark(queue, "failed", job["id"], error="rate limit")["status"] == "pending"
    assert seconds_until_due(queue, job["id"]) == 0


def test_a_job_fails_for_good_when_its_attempts_are_used_up(queue: Queue) -> None:
    job_id = add(queue, max_attempts=2)["id"]

    statuses = []
    for _ in range(2):
        assert [job["id"] for job in claim(queue)] == [job_id]
        statuses.append(mark(queue, "failed", job_id, error="no credentials", retry_in="0")["status"])

    assert statuses == ["pending", "failed"]
    assert claim(queue) == []
    assert queue.runs(job_id) == ["retry", "retry"]


def test_a_late_worker_is_refused_when_its_job_was_cancelled(queue: Queue) -> None:
    add(queue)
    (job,) = claim(queue)
    queue.call("cancel_job", job_id=job["id"])

    for outcome in ("succeeded", "failed"):
        with pytest.raises(psycopg.Error, match=f"job {job['id']} is cancelled, and no worker") as refused:
            mark(queue, outcome, job["id"])
        assert refused.value.sqlstate == "PT409"
    assert queue.job(job["id"])["status"] == "cancelled"


def test_a_late_worker_cannot_end_what_a_worker_of_another_kind_has_now(queue: Queue) -> None:
    add(queue)
    (job,) = claim(queue)
    queue.expire_lease(job["id"])
    now_held = queue.claim_one()

    with pytest.raises(psycopg.Error, match="is processing, and no worker of job_queue_claim holds it"):
        mark(queue, "succeeded", job["id"])
    assert queue.resolve_one(now_held)["verdict"] == "ok"


def test_a_job_that_is_not_there_is_refused(queue: Queue) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="there is no job 4711"):
        mark(queue, "succeeded", 4711)


def test_a_mark_whose_answer_was_lost_may_be_repeated(queue: Queue) -> None:
    add(queue)
    (job,) = claim(queue)

    assert [mark(queue, "succeeded", job["id"])["status"] for _ in range(2)] == ["succeeded"] * 2
    with pytest.raises(psycopg.Error, match="is succeeded, and no worker"):
        mark(queue, "failed", job["id"])


@pytest.mark.parametrize("holder", ["claim_jobs", "claim_next_job", "claim_job", "job_queue_claim"])
def test_each_system_ends_its_own_jobs_only(queue: Queue, holder: str) -> None:
    """Whoever claimed the job, the ends of the other systems change nothing."""
    worker_id, job_id = str(uuid.uuid4()), queue.enqueue()["job_id"]
    match holder:
        case "claim_jobs":
            queue.claim_one()
        case "claim_next_job":
            ask(queue, holder, worker_id=worker_id)
        case "claim_job":
            queue.call(holder, job_id=job_id, worker_id="worker-1")
        case _:
            claim(queue)
    held = queue.job(job_id)
    assert held["status"] == "processing"

    ends: dict[str, list[tuple[str, Row]]] = {
        "claim_next_job": [("resolve_job", {"worker_id": str(uuid.uuid4()), "success": True})],
        "claim_job": [("complete_job", {}), ("fail_job", {}), ("complete_job", {"worker_id": "worker-2"})],
    }
    for system, calls in ends.items():
        for function, arguments in calls if system != holder else []:
            answer = queue.call(function, job_id=job_id, **arguments)
            assert answer is False or answer["verdict"] == "lost"
    for outcome in ("succeeded", "failed") if holder != "job_queue_claim" else ():
        with pytest.raises(psycopg.Error, match="no worker of job_queue_claim holds it"):
            mark(queue, outcome, job_id)
    assert queue.job(job_id) == held


def test_workers_without_a_name_cannot_be_told_apart(queue: Queue) -> None:
    """The price of a mark that carries nothing but the job's number."""
    add(queue)
    (job,) = claim(queue)
    queue.expire_lease(job["id"])
    (again,) = claim(queue)

    assert again["id"] == job["id"]
    assert mark(queue, "succeeded", job["id"])["status"] == "succeeded"


def test_the_views_show_every_job_under_the_names_of_the_other_systems(queue: Queue) -> None:
    queue.enqueue_many({"ref": "a"}, {"type": "render", "after": ["a"]}, {"type": "moderation"})
    queue.enqueue("render", payload=SYNC, run_at="2999-01-01T00:00:00Z")
    queue.resolve_one(queue.claim(types=["moderation"])[0], output={"ok": True})
    queue.claim()

    as_job_queue = queue.rows("select task_type, status from public.job_queue order by id")
    as_jobs_queue = queue.rows("select type, status from public.jobs_queue order by id")

    assert [tuple(row.values()) for row in as_job_queue] == [
        ("count_words", "processing"),
        ("moderation", "succeeded"),
        ("render", "pending"),
        ("render", "pending"),
    ]
    assert [row["status"] for row in as_jobs_queue] == ["processing", "done", "waiting", "queued"]


@pytest.mark.parametrize("view", ["job_queue", "jobs_queue"])
def test_the_views_are_for_reading(queue: Queue, view: str) -> None:
    queue.enqueue()
    queue.connection.execute("set role service_role")

    assert len(queue.rows(f"select 1 from public.{view}")) == 1
    for change in (
        f"update public.{view} set attempts = 0 where true",
        f"delete from public.{view} where true",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            queue.rows(change)


@pytest.mark.parametrize(
    ("pipeline", "types"),
    [
        ("simple", ["analysis"]),
        ("video", ["analysis", "asset_prep", "video_generation", "render"]),
        ("image", ["analysis", "asset_prep", "image_processing", "render"]),
        ("audio", ["analysis", "asset_prep", "render"]),
        ("text", ["analysis", "text_analysis", "render"]),
    ],
)
def test_a_pipeline_hands_out_its_steps_one_after_the_other(
    queue: Queue, pipeline: str, types: list[str]
) -> None:
    queue.call("start_pipeline", pipeline=pipeline, org_id="acme", payload={"brief_id": "b1"})

    done = []
    while job := queue.call("claim_job", worker_id="worker-1"):
        assert queue.call("claim_job", worker_id="worker-2") is None
        assert queue.call("complete_job", job_id=job["id"], job_result={"of": job["type"]}) is True
        done.append((job["type"], job["payload"], job["max_attempts"]))

    assert done == [(job_type, {"brief_id": "b1"}, 3) for job_type in types]
