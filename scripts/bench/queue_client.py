"""The queue as a benchmark's worker speaks to it: through PostgREST, or by the same statements over one connection."""

from __future__ import annotations

import http.client
import json
import socket
import uuid
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg

from scripts.bench import first_come

# The group `bench` has it; with the standard library the client takes more of the machine for itself.
HAS_ORJSON = find_spec("orjson") is not None
if HAS_ORJSON:
    import orjson

Job = dict[str, Any]
JOB_TYPE = "no_op"


def dump(value: object) -> bytes:
    encoded: bytes = orjson.dumps(value) if HAS_ORJSON else json.dumps(value).encode()
    return encoded


def load(text: bytes | str) -> Any:
    return orjson.loads(text) if HAS_ORJSON else json.loads(text)


class QueueClient(Protocol):
    """One worker of the queue."""

    def claim(self, batch: int) -> Sequence[Any]:
        """Up to `batch` jobs, leased."""

    def resolve(self, jobs: Sequence[Any]) -> int:
        """Ends these jobs as done; answers how many were."""


class RestClient:
    """One kept-alive connection to PostgREST, with nothing of a client library in between."""

    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        self.connection = http.client.HTTPConnection(address.hostname or "", address.port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.worker_id = str(uuid.uuid4())

    def call(self, function: str, arguments: dict[str, Any]) -> Any:
        self.connection.request("POST", f"/rpc/{function}", dump(arguments), self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{function}: {answer.status} {body[:500].decode(errors='replace')}")
        return load(body)

    def claim(self, batch: int) -> Sequence[Job]:
        jobs: list[Job] = self.call("claim_jobs", {"worker_id": self.worker_id, "batch_size": batch})
        return jobs

    def resolve(self, jobs: Sequence[Job]) -> int:
        return count_ok(self.call("resolve_jobs", {"worker_id": self.worker_id, "results": results_of(jobs)}))


class DirectClient:
    """The functions that PostgREST calls, over one connection as the same role."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.connection.execute("set role service_role")
        self.worker_id = str(uuid.uuid4())

    def call(self, query: str, values: dict[str, Any]) -> Any:
        row = self.connection.execute(query.encode(), values).fetchone()
        assert row is not None
        return load(row[0])

    def claim(self, batch: int) -> Sequence[Job]:
        query = "select public.claim_jobs(worker_id => %(worker_id)s, batch_size => %(batch)s)::text"
        jobs: list[Job] = self.call(query, {"worker_id": self.worker_id, "batch": batch})
        return jobs

    def resolve(self, jobs: Sequence[Job]) -> int:
        query = "select public.resolve_jobs(worker_id => %(worker_id)s, results => %(results)s::jsonb)::text"
        results = dump(results_of(jobs)).decode()
        return count_ok(self.call(query, {"worker_id": self.worker_id, "results": results}))


class BareClient:
    """The plainest statements that could be written by hand: first come first served, fenced, no audit row, no JSON.

    What the tables and the server allow, as an upper bound for everything above.
    """

    CLAIM = f"""
    update public.jobs j set
      status = 'processing', worker_id = %(worker_id)s, lease_token = gen_random_uuid(),
      lease_expires_at = now() + interval '120 seconds', attempts = j.attempts + 1, started_at = now()
    where j.id = any (array({first_come.IDS}))
    returning j.id, j.lease_token, j.payload
    """
    RESOLVE = """
    update public.jobs j set
      status = 'done', output = '{"ok": true}', completed_at = now(),
      worker_id = null, lease_token = null, lease_expires_at = null
    where j.id = any (%(ids)s)
      and j.lease_token = (%(tokens)s::uuid[])[array_position(%(ids)s::bigint[], j.id)]
    """

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=1)
        self.connection.execute(
            "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off"
        )
        self.values = {"worker_id": uuid.uuid4(), "type": JOB_TYPE}

    def claim(self, batch: int) -> Sequence[tuple[Any, ...]]:
        return self.connection.execute(self.CLAIM, {**self.values, "batch": batch}, binary=True).fetchall()

    def resolve(self, jobs: Sequence[tuple[Any, ...]]) -> int:
        values = {"ids": [job[0] for job in jobs], "tokens": [job[1] for job in jobs]}
        return self.connection.execute(self.RESOLVE, values).rowcount


def results_of(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    return [
        {
            "job_id": job["job_id"],
            "lease_token": job["lease_token"],
            "outcome": "done",
            "output": {"ok": True},
            "duration_ms": 1,
        }
        for job in jobs
    ]


def count_ok(verdicts: Sequence[dict[str, Any]]) -> int:
    return sum(verdict["verdict"] == "ok" for verdict in verdicts)
