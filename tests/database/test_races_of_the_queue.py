"""Eight connections at the same jobs: claims, results, cancellations, retries and enqueues meet without a deadlock.

A call that is chosen as the victim of a deadlock raises out of its thread, and so fails its test.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.database.queue import Queue, Row, answer_or_refusal, at_once, result_of

ROUNDS = 25


def unfinished(queue: Queue, key: str) -> list[Row]:
    return queue.rows(
        "select * from public.jobs where idempotency_key = %s and status in ('waiting', 'queued', 'processing')",
        key,
    )


def test_eight_claimers_drain_ten_thousand_jobs_each_exactly_once(queue: Queue, workers: list[Queue]) -> None:
    for org in range(20):
        queue.enqueue_many(
            *({"org_id": f"org{org}", "type": f"type{n % 4}", "payload": {"n": n}} for n in range(500))
        )

    def drain(worker: Queue) -> list[int]:
        seen: list[int] = []
        empty = 0
        while empty < 3:
            batch = worker.claim(random.randrange(50, 150))
            empty = 0 if batch else empty + 1
            seen += [job["job_id"] for job in batch]
            worker.resolve(*(result_of(job) for job in batch))
        return seen

    claimed = [job_id for share in at_once(workers, drain) for job_id in share]

    assert len(claimed) == len(set(claimed)) == 10_000
    assert queue.rows("select status, count(*) from public.jobs group by status") == [
        {"status": "done", "count": 10_000}
    ]
    assert queue.rows("select count(*), count(distinct lease_token) as leases from public.job_runs") == [
        {"count": 10_000, "leases": 10_000}
    ]


def test_a_result_that_meets_the_end_of_its_lease_counts_or_is_lost_never_both(
    queue: Queue, workers: list[Queue]
) -> None:
    late, *others = workers[:3]
    for n in range(ROUNDS):
        queue.enqueue_many(*({"payload": {"n": n, "i": i}} for i in range(3)))
        jobs = late.claim()
        queue.rows(
            "update public.jobs set lease_expires_at = now() - interval '1 second' where status = 'processing'"
        )

        def resolve_or_claim(worker: Queue, jobs: Sequence[Row] = jobs) -> Any:
            if worker is late:
                return worker.resolve(*(result_of(job) for job in reversed(jobs)))
            return worker.claim()

        answers, *claims = at_once([late, *others], resolve_or_claim)

        for answer in answers:
            job = queue.job(answer["job_id"])
            found = (answer["verdict"], job["crashes"], queue.runs(job["id"]))
            assert found in (("ok", 0, ["done"]), ("lost", 1, ["crash"]))
        handed_out = [job["job_id"] for claim in claims for job in claim]
        assert len(handed_out) == len(set(handed_out))
        assert not {answer["job_id"] for answer in answers if answer["verdict"] == "ok"} & set(handed_out)
        queue.rows("delete from public.jobs where true")


def test_a_cancellation_that_meets_a_result_leaves_one_truth(queue: Queue, workers: list[Queue]) -> None:
    worker, operator = workers[:2]
    for n in range(ROUNDS):
        parent, child = queue.enqueue_many(
            {"type": "root", "ref": "root", "payload": {"n": n}},
            {"type": "leaf", "after": ["root"], "payload": {"n": n}},
        )
        job = worker.claim(types=["root"])[0]

        def resolve_or_cancel(who: Queue, job: Row = job) -> Any:
            return who.resolve_one(job) if who is worker else who.call("cancel_job", job_id=job["job_id"])

        resolved, cancelled = at_once([worker, operator], resolve_or_cancel)

        found = (resolved["verdict"], cancelled["cancelled"], queue.job(child["job_id"])["status"])
        assert found in (("ok", False, "queued"), ("lost", True, "cancelled"))
        assert queue.runs(parent["job_id"]) == (["done"] if found[0] == "ok" else ["cancelled"])


@pytest.mark.parametrize("state", ["new", "queued", "processing"])
@pytest.mark.parametrize("unique_for", ["unfinished", "ever"])
@pytest.mark.parametrize("on_conflict", ["return", "replace", "debounce"])
def test_enqueues_of_one_key_at_once_leave_one_job_of_it(
    queue: Queue, workers: list[Queue], on_conflict: str, unique_for: str, state: str
) -> None:
    for n in range(5):
        key = f"key {n}"
        old = None if state == "new" else queue.enqueue(idempotency_key=key)
        if state == "processing":
            assert queue.claim_one()["job_id"] == old["job_id"] if old else False

        def enqueue(worker: Queue, key: str = key) -> Row:
            payload = {"from": worker.worker_id}
            return worker.enqueue(
                idempotency_key=key, payload=payload, on_conflict=on_conflict, unique_for=unique_for
            )

        answers = at_once(workers, enqueue)

        (job,) = unfinished(queue, key)
        assert {answer["job_id"] for answer in answers} == {job["id"]}
        is_old_one = old is not None and job["id"] == old["job_id"]
        assert is_old_one == (state == "queued" or (state == "processing" and on_conflict == "return"))
        assert sum(answer["created"] for answer in answers) == (0 if is_old_one else 1)
        assert job["unique_for"] == unique_for
        if on_conflict == "replace":
            assert job["payload"]["from"] in {worker.worker_id for worker in workers}
        queue.rows("delete from public.jobs where true")


def test_claims_at_once_never_exceed_a_limit(queue: Queue, workers: list[Queue]) -> None:
    queue.rows(
        "insert into public.job_types (type, max_concurrency, max_concurrency_per_org)"
        " values ('render', 5, 2), ('count', null, 3)"
    )
    queue.rows("insert into public.org_limits (org_id, max_concurrency, jobs_per_day) values ('acme', 3, 40)")
    for org_id in ("acme", "blue", "core", "dawn"):
        for job_type in ("render", "count"):
            queue.enqueue_many(
                *({"org_id": org_id, "type": job_type, "payload": {"n": n}} for n in range(40))
            )

    def claim_look_and_resolve(worker: Queue) -> list[Row]:
        seen: list[Row] = []
        for n in range(40):
            claimed = worker.claim(1 + n % 7)
            seen += worker.rows(
                "select type, org_id, count(*) as jobs from public.jobs where status = 'processing'"
                " group by grouping sets ((type), (org_id), (type, org_id))"
            )
            worker.resolve(*(result_of(job) for job in claimed))
        return seen

    seen = [row for rows in at_once(workers, claim_look_and_resolve) for row in rows]

    most: Counter[tuple[str | None, str | None]] = Counter()
    for row in seen:
        most[row["type"], row["org_id"]] = max(most[row["type"], row["org_id"]], row["jobs"])
    assert most["render", None] == 5
    assert most[None, "acme"] == 3
    assert max(jobs for (job_type, org_id), jobs in most.items() if job_type == "render" and org_id) == 2
    assert max(jobs for (job_type, org_id), jobs in most.items() if job_type == "count" and org_id) == 3
    assert queue.rows("select count(*) from public.job_runs where org_id = 'acme'") == [{"count": 40}]


@pytest.mark.parametrize("on_conflict", ["return", "replace"])
def test_a_retry_that_meets_an_enqueue_of_its_key_leaves_one_of_them(
    queue: Queue, workers: list[Queue], on_conflict: str
) -> None:
    """With a parent: the enqueue takes the key and wants the parent, the retry holds the parent and wants the key."""
    operator, *producers = workers[:3]
    for n in range(ROUNDS):
        parent = queue.enqueue("root", payload={"n": n})["job_id"]
        queue.resolve_one(queue.claim_one())
        wanted = {"idempotency_key": f"key {n}", "after": [parent], "on_conflict": on_conflict}
        failed = queue.enqueue_many(wanted)[0]["job_id"]
        queue.resolve_one(queue.claim_one(), "failed")

        def retry_or_enqueue(who: Queue, failed: int = failed, wanted: Row = wanted) -> Any:
            if who is operator:
                return answer_or_refusal(who, "retry_job", job_id=failed)
            return who.enqueue_many(wanted)[0]

        retried, *answers = at_once([operator, *producers], retry_or_enqueue)

        (job,) = unfinished(queue, f"key {n}")
        assert {answer["job_id"] for answer in answers} == {job["id"]}
        assert (retried == "PT409") == (job["id"] != failed)
        queue.rows("delete from public.jobs where true")


def test_a_cancelled_flow_that_meets_the_end_of_another_parent_never_deadlocks(
    queue: Queue, workers: list[Queue]
) -> None:
    """The child that the cancellation reaches last has a lower id than one that it reaches first."""
    operator, worker = workers[:2]
    for n in range(ROUNDS):

        def enqueue(name: str, *after: int, n: int = n) -> int:
            return int(
                queue.enqueue_many({"type": name, "payload": {"n": n}, "after": list(after)})[0]["job_id"]
            )

        root, other = enqueue("root"), enqueue("other")
        middle = enqueue("middle", root)
        leaves = [enqueue("leaf", middle, other), *(enqueue(f"side{i}", root, other) for i in range(20))]
        job = worker.claim(types=["other"])[0]

        def cancel_or_resolve(who: Queue, root: int = root, job: Row = job) -> Any:
            return who.call("cancel_job", job_id=root) if who is operator else who.resolve_one(job)

        cancelled, resolved = at_once([operator, worker], cancel_or_resolve)

        assert (cancelled["cancelled"], resolved["verdict"]) == (True, "ok")
        assert {queue.job(leaf)["status"] for leaf in leaves} == {"cancelled"}
