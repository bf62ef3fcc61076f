"""The queue as the tests speak to it: the SQL functions by name, called as `service_role` over a real connection."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

Row = dict[str, Any]


@dataclass
class Queue:
    """One worker's view of one database; `connection` is autocommit, so each call is one transaction, as over REST."""

    connection: psycopg.Connection[Any]
    worker_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def call(self, function: str, /, **arguments: Any) -> Any:
        """Calls public.<function> with named arguments, lists and dicts as jsonb, as PostgREST would."""
        values = {
            name: Jsonb(value) if isinstance(value, dict) or name in {"jobs", "results", "leases"} else value
            for name, value in arguments.items()
        }
        query = sql.SQL("select public.{}({})").format(
            sql.Identifier(function),
            sql.SQL(", ").join(
                sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values
            ),
        )
        with self.connection.transaction():
            self.connection.execute("set local role service_role")
            row = self.connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def enqueue(self, job_type: str = "count_words", org_id: str = "acme", **arguments: Any) -> Row:
        answer: Row = self.call("enqueue_job", org_id=org_id, type=job_type, **arguments)
        return answer

    def enqueue_many(self, *jobs: Row) -> list[Row]:
        answer: list[Row] = self.call(
            "enqueue_jobs", jobs=[{"org_id": "acme", "type": "count_words", **job} for job in jobs]
        )
        return answer

    def claim(self, batch_size: int = 10, **arguments: Any) -> list[Row]:
        claimed: list[Row] = self.call(
            "claim_jobs", worker_id=self.worker_id, batch_size=batch_size, **arguments
        )
        return claimed

    def claim_one(self) -> Row:
        (job,) = self.claim(1)
        return job

    def extend(self, *jobs: Row, **arguments: Any) -> list[str]:
        leases = [
            {key: job[key] for key in ("job_id", "lease_token", "progress") if key in job} for job in jobs
        ]
        answers = self.call("extend_leases", worker_id=self.worker_id, leases=leases, **arguments)
        return [answer["verdict"] for answer in answers]

    def resolve(self, *results: Row) -> list[Row]:
        answer: list[Row] = self.call("resolve_jobs", worker_id=self.worker_id, results=list(results))
        return answer

    def resolve_one(self, job: Row, outcome: str = "done", **result: Any) -> Row:
        (answer,) = self.resolve(result_of(job, outcome, **result))
        return answer

    def job(self, job_id: int) -> Row:
        """The whole row of a job."""
        return self.rows("select * from public.jobs where id = %s", job_id)[0]

    def runs(self, job_id: int) -> list[str]:
        """The outcomes of a job's attempts, oldest first."""
        rows = self.rows("select outcome from public.job_runs where job_id = %s order by id", job_id)
        return [row["outcome"] for row in rows]

    def rows(self, query: str, *values: Any) -> list[Row]:
        """Runs a query as the owner of the tables."""
        with self.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def expire_lease(self, job_id: int) -> None:
        """Moves time past the end of a job's lease."""
        self.rows(
            "update public.jobs set lease_expires_at = now() - interval '1 second' where id = %s", job_id
        )

    def make_due(self, job_id: int) -> None:
        """Moves time past a job's delay."""
        self.rows("update public.jobs set run_at = now() - interval '1 second' where id = %s", job_id)


def result_of(job: Row, outcome: str = "done", **result: Any) -> Row:
    """One element for resolve_jobs, under the lease of a claimed job."""
    return {"job_id": job["job_id"], "lease_token": job["lease_token"], "outcome": outcome, **result}


def call_with_json(queue: Queue, function: str, *arguments: str) -> Any:
    """Calls a function with JSON texts as a worker sends them: Python's own encoder would refuse some."""
    placeholders = ", ".join(["%s"] * len(arguments))
    with queue.connection.transaction():
        queue.connection.execute("set local role service_role")
        query = f"select public.{function}({placeholders})"
        row = queue.connection.execute(query.encode(), arguments).fetchone()
    assert row is not None
    return row[0]


def at_once(workers: list[Queue], work: Callable[[Queue], Any]) -> list[Any]:
    """Runs `work` on every worker's own connection, all released by one barrier."""
    barrier = threading.Barrier(len(workers))

    def start(worker: Queue) -> Any:
        barrier.wait(timeout=30)
        return work(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(start, workers))


def answer_or_refusal(worker: Queue, function: str, **arguments: Any) -> Any:
    """The answer, or the code with which the call was refused (PT409, 22023); anything else raises."""
    try:
        return worker.call(function, **arguments)
    except psycopg.Error as error:
        if error.sqlstate not in ("PT409", "22023"):
            raise
        return error.sqlstate


def refusal(worker: Queue, function: str, **arguments: Any) -> str:
    """Code and message with which a call is refused; empty when it is not."""
    try:
        worker.call(function, **arguments)
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_primary}"
    return ""
