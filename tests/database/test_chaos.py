"""Everything at once: eight connections do anything to the same few jobs, flows and files."""

from __future__ import annotations

import random

from tests.database.queue import Queue, Row, answer_or_refusal, at_once, result_of
from tests.database.state_machine.test_state_machine import OBSERVE
from tests.database.storage import delete, upload

FLOW = '[{"ref": "a", "type": "type0"}, {"type": "type1", "after": ["a"]}]'


class Chaos:
    """One connection that does anything to a few jobs, files and flows that all the others are at, too."""

    def __init__(self, worker: Queue, draw: random.Random) -> None:
        self.worker, self.draw, self.claimed = worker, draw, list[Row]()
        self.moves = [self.enqueue, self.claim, self.resolve, self.beat, self.operate, self.upload]

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.draw.choices(self.moves, (1, 2, 2, 1, 1, 1))[0]()

    def job_ids(self) -> list[int]:
        rows = self.worker.rows("select id from public.jobs where status <> 'done' order by id desc limit 30")
        return [row["id"] for row in rows]

    def enqueue(self) -> None:
        known = self.job_ids()
        flow = [
            {
                "org_id": "acme",
                "type": f"type{self.draw.randrange(3)}",
                "idempotency_key": f"key {self.draw.randrange(8)}",
                "on_conflict": self.draw.choice(("return", "return", "replace", "debounce")),
                "ref": f"r{n}",
                "after": [f"r{n - 1}"] * (n > 0 and self.draw.random() < 0.5)
                + self.draw.sample(known, min(len(known), self.draw.randrange(3))),
            }
            for n in range(self.draw.randrange(1, 4))
        ]
        self.draw.shuffle(flow)
        answer_or_refusal(self.worker, "enqueue_jobs", jobs=flow)

    def claim(self) -> None:
        if self.draw.random() < 0.2:
            self.worker.rows(
                "update public.jobs set lease_expires_at = now() - interval '1 second' where id = any (array("
                "select id from public.jobs where status = 'processing' limit 3 for update skip locked))"
            )
        self.claimed += self.worker.claim(self.draw.randrange(1, 6))

    def resolve(self) -> None:
        self.draw.shuffle(self.claimed)
        outcomes = ("done", "done", "failed", "retry", "release")
        self.worker.resolve(*(result_of(job, self.draw.choice(outcomes), retry_in=0) for job in self.claimed))
        self.claimed.clear()

    def beat(self) -> None:
        self.worker.extend(*self.claimed)

    def operate(self) -> None:
        job_ids = self.job_ids()
        if not job_ids:
            return
        chosen = self.draw.choice(("cancel_job", "retry_job", "retry_job", "retry_failed_jobs"))
        arguments = {} if chosen == "retry_failed_jobs" else {"job_id": self.draw.choice(job_ids)}
        answer_or_refusal(self.worker, chosen, **arguments)

    def upload(self) -> None:
        path = f"acme/{self.draw.randrange(3)}.txt"
        if self.draw.random() < 0.3:
            delete(self.worker.connection, path)
        else:
            upload(self.worker.connection, path)


def test_anything_at_once_ends_without_a_deadlock_and_breaks_no_invariant(
    queue: Queue, workers: list[Queue]
) -> None:
    queue.rows("update public.ingest_routes set flow = %s", FLOW)
    seed = random.randrange(10**6)
    chaos = {worker.worker_id: Chaos(worker, random.Random(seed + n)) for n, worker in enumerate(workers)}

    at_once(workers, lambda worker: chaos[worker.worker_id].run(60))

    queue.connection.execute(OBSERVE.read_text())
    assert queue.rows("select machine.violations() as found") == [{"found": []}], f"seed {seed}"
    assert queue.rows("select error from public.ingest_failures") == []
