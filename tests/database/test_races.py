"""Races, with real concurrent connections: nothing is claimed twice, enqueued twice, lost or deadlocked."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.database.queue import Queue, at_once, result_of
from tests.database.storage import upload


def test_concurrent_claims_never_hand_out_a_job_twice(queue: Queue, workers: list[Queue]) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(300)))

    def drain(worker: Queue) -> list[int]:
        seen: list[int] = []
        while batch := worker.claim(7):
            seen += [job["job_id"] for job in batch]
            worker.resolve(*(result_of(job) for job in batch))
        return seen

    claimed = [job_id for share in at_once(workers, drain) for job_id in share]

    assert len(claimed) == 300
    assert len(set(claimed)) == 300
    assert queue.rows("select status, count(*) from public.jobs group by status") == [
        {"status": "done", "count": 300}
    ]
    assert queue.rows("select count(*) from public.job_runs") == [{"count": 300}]


def test_concurrent_enqueues_of_the_same_work_make_one_job(queue: Queue, workers: list[Queue]) -> None:
    for round_number in range(10):
        payload = {"round": round_number}
        answers = at_once(workers, partial(Queue.enqueue, payload=payload))

        assert len({answer["job_id"] for answer in answers}) == 1
        assert sum(answer["created"] for answer in answers) == 1


def test_the_same_work_can_be_enqueued_while_its_predecessor_ends(queue: Queue, workers: list[Queue]) -> None:
    def enqueue_or_finish(worker: Queue) -> None:
        for _ in range(20):
            worker.enqueue()
            worker.resolve(*(result_of(job) for job in worker.claim()))

    at_once(workers, enqueue_or_finish)

    unfinished = queue.rows("select 1 from public.jobs where status <> 'done'")
    assert len(unfinished) <= 1


def test_two_parents_that_end_at_once_release_their_child(queue: Queue, workers: list[Queue]) -> None:
    for n in range(15):
        *_, child = queue.enqueue_many(
            {"type": "part", "ref": "a", "payload": {"n": n, "part": 1}},
            {"type": "part", "ref": "b", "payload": {"n": n, "part": 2}},
            {"type": "join", "after": ["a", "b"], "payload": {"n": n}},
        )
        mine = {worker.worker_id: worker.claim_one() for worker in workers[:2]}

        def resolve_mine(worker: Queue, mine: dict[str, Any] = mine) -> Any:
            return worker.resolve_one(mine[worker.worker_id])

        at_once(workers[:2], resolve_mine)

        assert queue.claim_one()["job_id"] == child["job_id"]


def test_an_expired_lease_is_taken_by_exactly_one(queue: Queue, workers: list[Queue]) -> None:
    for n in range(10):
        job_id = queue.enqueue(payload={"n": n})["job_id"]
        queue.claim_one()
        queue.expire_lease(job_id)

        claims = at_once(workers, lambda worker: worker.claim())

        assert sorted(len(claim) for claim in claims) == [0] * (len(workers) - 1) + [1]
        assert queue.job(job_id)["crashes"] == 1


def test_overwriting_a_file_while_its_jobs_resolve_leaves_one_truth(
    queue: Queue, workers: list[Queue]
) -> None:
    """Either the old result was committed before the overwrite, or it is refused; never an error, never both."""
    uploader, worker = workers[:2]
    for n in range(20):
        path = f"acme/{n}.txt"
        upload(queue.connection, path)
        job = next(j for j in worker.claim(types=["analyze_file"]) if j["payload"]["path"] == path)

        def overwrite_or_resolve(who: Queue, job: dict[str, Any] = job, path: str = path) -> Any:
            if who is uploader:
                return upload(who.connection, path)
            return who.resolve_one(job, output={"kind": "text", "title": "old"})["verdict"]

        _, verdict = at_once([uploader, worker], overwrite_or_resolve)

        analyses = queue.rows(
            "select 1 from public.file_analyses where file_id = %s", job["payload"]["file_id"]
        )
        assert (verdict, len(analyses)) in {("ok", 1), ("superseded", 0)}
        assert queue.call("queue_health")["ingest_failures"] == []
        queue.rows(
            "update public.jobs set status = 'cancelled', completed_at = now() where status = 'queued'"
        )
