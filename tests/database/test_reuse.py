"""Reuse by content: what a handler found out about some bytes is not paid for twice; organisations share nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database.queue import Queue, Row, result_of

SHA = "a" * 64


def find(queue: Queue, **asked: Any) -> Row | None:
    key = {"org_id": "acme", "type": "count_words", "content_sha256": SHA, "handler_version": "1"} | asked
    found: Row | None = queue.call("find_content_result", **key)
    return found


def run(queue: Queue, outcome: str = "done", *, org_id: str = "acme", **result: Any) -> Row:
    """Enqueues a job, claims it and ends it so; the answer names the job."""
    queue.enqueue(org_id=org_id, payload={"run": str(queue.rows("select gen_random_uuid() as id")[0]["id"])})
    return queue.resolve_one(queue.claim_one(), outcome, **result)


def test_a_result_is_found_by_its_content(queue: Queue) -> None:
    assert find(queue) is None
    ran = run(queue, output={"words": 3}, content_sha256=SHA, handler_version="1")

    assert find(queue) == {"job_id": ran["job_id"], "output": {"words": 3}}


@pytest.mark.parametrize(
    "other",
    [
        {"org_id": "globex"},
        {"type": "render"},
        {"content_sha256": "b" * 64},
        {"handler_version": "2"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_result_is_for_its_organisation_type_content_and_handler_version_only(
    queue: Queue, other: dict[str, str]
) -> None:
    run(queue, output={"words": 3}, content_sha256=SHA, handler_version="1")

    assert find(queue, **other) is None


def test_a_handler_that_names_no_version_is_at_its_first(queue: Queue) -> None:
    run(queue, output={"words": 3}, content_sha256=SHA)

    assert find(queue, handler_version="1") is not None


@pytest.mark.parametrize("outcome", ["retry", "failed", "snooze", "release"])
def test_only_a_done_jobs_result_is_kept(queue: Queue, outcome: str) -> None:
    run(queue, outcome, output={"words": 3}, content_sha256=SHA, retry_in=3600)

    assert find(queue) is None


def test_a_done_job_that_does_not_name_its_content_is_not_kept(queue: Queue) -> None:
    run(queue, output={"words": 3})

    assert queue.rows("select 1 from public.content_results") == []


def test_an_output_that_could_not_be_applied_is_not_kept(queue: Queue) -> None:
    queue.rows(
        "insert into public.job_types (type, apply_function) values ('count_words', 'no_such_function')"
    )

    assert run(queue, output={"words": 3}, content_sha256=SHA)["verdict"] == "error"
    assert find(queue) is None


def test_a_worker_that_lost_its_job_leaves_no_result(queue: Queue, other_worker: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    stale = queue.claim_one()
    queue.expire_lease(job_id)
    other_worker.claim_one()

    assert queue.resolve_one(stale, output={"by": "stale"}, content_sha256=SHA)["verdict"] == "lost"
    assert find(queue) is None


def test_the_first_result_of_a_content_stays(queue: Queue) -> None:
    first = run(queue, output={"words": 3}, content_sha256=SHA)
    run(queue, output={"words": 4}, content_sha256=SHA)

    assert find(queue) == {"job_id": first["job_id"], "output": {"words": 3}}


def test_a_reused_result_is_audited_with_where_it_came_from_and_is_not_stored_again(queue: Queue) -> None:
    ran = run(queue, output={"words": 3}, content_sha256=SHA, cost=2)
    found = find(queue)
    assert found is not None
    reused = run(queue, output=found["output"], content_sha256="c" * 64, reused_from=found["job_id"], cost=0)

    runs = queue.rows("select job_id, reused_from, cost::float from public.job_runs order by id")
    assert runs == [
        {"job_id": ran["job_id"], "reused_from": None, "cost": 2.0},
        {"job_id": reused["job_id"], "reused_from": ran["job_id"], "cost": 0.0},
    ]
    assert queue.job(reused["job_id"])["output"] == {"words": 3}
    assert find(queue, content_sha256="c" * 64) is None


def test_finding_a_result_remembers_that_it_was_used(queue: Queue) -> None:
    run(queue, output={"words": 3}, content_sha256=SHA)
    queue.rows("update public.content_results set used_at = now() - interval '30 days' where true")
    find(queue)

    (row,) = queue.rows(
        "select used_at > now() - interval '1 minute' as is_fresh from public.content_results"
    )
    assert row["is_fresh"]


def test_an_empty_result_is_a_result(queue: Queue) -> None:
    ran = run(queue, content_sha256=SHA)

    assert find(queue) == {"job_id": ran["job_id"], "output": None}


def test_two_calls_that_store_the_same_contents_in_opposite_orders_do_not_wait_in_a_circle(
    queue: Queue, other_worker: Queue, admin: psycopg.Connection[Any]
) -> None:
    for n in range(10):
        queue.enqueue_many(*({"payload": {"round": n, "n": i}} for i in range(8)))
        mine, others = queue.claim(4), other_worker.claim(4)
        shas = [f"{n:032x}{i:032x}" for i in range(4)]
        forwards = [result_of(j, content_sha256=sha) for j, sha in zip(mine, shas, strict=True)]
        backwards = [result_of(j, content_sha256=sha) for j, sha in zip(others, reversed(shas), strict=True)]
        with ThreadPoolExecutor(2) as pool:
            answers = [
                pool.submit(queue.resolve, *forwards),
                pool.submit(other_worker.resolve, *backwards),
            ]
            verdicts = {a["verdict"] for answer in answers for a in answer.result(timeout=30)}

        assert verdicts == {"ok"}
    assert admin.execute("select count(*) from public.content_results").fetchone() == (40,)


def keep(queue: Queue, output: Any, **asked: Any) -> None:
    key = {"org_id": "acme", "type": "count_words", "content_sha256": SHA, "handler_version": "kept"} | asked
    queue.call("keep_content_result", output=Jsonb(output), job_id=17, **key)


def test_a_value_is_kept_before_its_job_has_ended_and_the_first_one_stays(
    queue: Queue, other_worker: Queue
) -> None:
    queue.enqueue()
    job = queue.claim_one()
    keep(queue, {"text": "first"})
    keep(other_worker, {"text": "second"})
    queue.resolve_one(job, "failed", error="it cannot be done")

    assert find(queue, handler_version="kept") == {"job_id": 17, "output": {"text": "first"}}
    assert find(queue) is None
    assert find(queue, handler_version="kept", org_id="globex") is None


def test_kept_values_that_nobody_asks_for_are_pruned(queue: Queue) -> None:
    keep(queue, 1)
    keep(queue, 2, content_sha256="b" * 64)
    queue.rows("update public.content_results set used_at = now() - interval '91 days' where true")
    find(queue, handler_version="kept")

    assert queue.call("prune_jobs")["content_results"] == 1
    assert find(queue, handler_version="kept") == {"job_id": 17, "output": 1}


def test_a_key_that_is_no_hash_is_refused(queue: Queue) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        keep(queue, 1, content_sha256="model-1 page 3")


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_only_the_service_keeps_values(queue: Queue, admin: psycopg.Connection[Any], role: str) -> None:
    with admin.transaction():
        admin.execute(f"set local role {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege), admin.transaction():
            admin.execute("select public.keep_content_result('acme', 'x', repeat('a', 64), 'kept', '1', 1)")
