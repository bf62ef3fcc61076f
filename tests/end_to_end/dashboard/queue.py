"""Jobs in the states that an operator meets, brought about through the queue's own functions."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb


class Queue:
    """The real queue, as its owner. `run` claims and resolves as a worker does."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def value(self, statement: str, *parameters: Any) -> Any:
        row = self._connection.execute(statement, parameters).fetchone()
        assert row is not None
        return row[0]

    def clear(self) -> None:
        self._connection.execute("delete from public.jobs")
        self._connection.execute("delete from public.operator_actions")
        self._connection.execute("select public.resume_processing()")

    def enqueue(self, job_type: str = "create_cards", org_id: str = "acme", **values: Any) -> int:
        element = {"type": job_type, "org_id": org_id, "unique_for": "unfinished", **values}
        element.setdefault("idempotency_key", str(self.value("select gen_random_uuid()")))
        answer = self.value("select public.enqueue_jobs(%s)", Jsonb([element]))
        return int(answer[0]["job_id"])

    def claim(self, job_type: str) -> dict[str, Any]:
        worker = self.value("select gen_random_uuid()")
        claimed = self.value("select public.claim_jobs(%s, 1, array[%s], 120)", worker, job_type)
        return {"worker": worker, **claimed[0]}

    def report(self, claimed: dict[str, Any], progress: dict[str, Any]) -> None:
        lease = {"job_id": claimed["job_id"], "lease_token": claimed["lease_token"], "progress": progress}
        self.value("select public.extend_leases(%s, %s, 120)", claimed["worker"], Jsonb([lease]))

    def fail(self, error: str = "the model is gone", job_type: str = "create_cards", **values: Any) -> int:
        """A dead letter, made as a worker makes one."""
        job_id = self.enqueue(job_type, **values)
        claimed = self.claim(job_type)
        assert claimed["job_id"] == job_id
        result = {
            "job_id": job_id,
            "lease_token": claimed["lease_token"],
            "outcome": "failed",
            "error": error,
        }
        (verdict,) = self.value("select public.resolve_jobs(%s, %s)", claimed["worker"], Jsonb([result]))
        assert verdict["verdict"] == "ok"
        return job_id

    def status(self, job_id: int) -> str:
        return str(self.value("select status from public.jobs where id = %s", job_id))

    def statuses(self) -> dict[str, int]:
        rows = self._connection.execute("select status, count(*) from public.jobs group by status").fetchall()
        return dict(rows)

    def audit(self) -> list[tuple[str, str]]:
        statement = "select actor, action from public.operator_actions order by id"
        return [(str(actor), str(action)) for actor, action in self._connection.execute(statement).fetchall()]

    def paused_reason(self) -> str | None:
        reason: str | None = self.value("select paused_reason from public.job_queue_settings")
        return reason
