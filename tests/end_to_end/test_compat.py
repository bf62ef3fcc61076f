"""One cycle of each other system's worker through the real PostgREST, called as supabase-py calls it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from supabase import Client, ClientOptions, create_client

from scripts.local_supabase import LocalSupabase


@pytest.fixture
def client(supabase: LocalSupabase, postgres: psycopg.Connection[Any]) -> Iterator[Client]:
    """With the secret key, before an empty queue."""
    postgres.execute("delete from public.jobs where true")
    with httpx.Client(timeout=60, trust_env=False) as http:
        yield create_client(supabase.url, supabase.secret_key, ClientOptions(httpx_client=http))


def rpc(client: Client, function: str, **arguments: Any) -> Any:
    return client.rpc(function, arguments).execute().data


def row_of(client: Client, table: str, job_id: int) -> Any:
    return client.table(table).select("*").eq("id", job_id).single().execute().data


def test_claim_next_job_and_resolve_job(client: Client) -> None:
    worker_id = str(uuid.uuid4())
    rpc(client, "enqueue_job", org_id="acme", type="ocr", payload={"page": 1})

    (job,) = rpc(client, "claim_next_job", worker_id=worker_id, job_type="ocr")
    nothing_left = rpc(client, "claim_next_job", worker_id=worker_id, job_type="ocr")
    answer = rpc(client, "resolve_job", job_id=job["id"], worker_id=worker_id, success=False, error="blurred")

    assert (job["payload"], nothing_left) == ({"page": 1}, [])
    assert (answer["verdict"], answer["status"]) == ("ok", "queued")
    shown = row_of(client, "jobs_queue", job["id"])
    assert (shown["status"], shown["last_error"]) == ("queued", "blurred")


def test_claim_job_and_complete_job(client: Client) -> None:
    (first, *_) = rpc(client, "start_pipeline", pipeline="video", org_id="acme", payload={"brief_id": "b1"})
    name = "worker-12345-1234567890"

    job = rpc(client, "claim_job", job_id=first["job_id"], worker_id=name)
    taken = rpc(client, "claim_job", job_id=first["job_id"], worker_id="worker-2")
    completed = rpc(client, "complete_job", job_id=job["id"], job_result={"intent": "video"})
    again = rpc(client, "fail_job", job_id=job["id"], error_message="too late")

    assert (job["type"], job["payload"]) == ("analysis", {"brief_id": "b1"})
    assert not taken
    assert (completed, again) == (True, False)
    row = row_of(client, "jobs", job["id"])
    assert (row["status"], row["attempts"], row["output"]) == ("done", 1, {"intent": "video"})
    assert rpc(client, "claim_job", worker_id=name)["type"] == "asset_prep"


def test_job_queue_claim_and_its_marks(client: Client) -> None:
    added = rpc(client, "job_queue_enqueue", task_type="game_platform_sync", payload={"orgId": "acme"})
    assert (added["status"], added["task_type"]) == ("pending", "game_platform_sync")

    (job,) = rpc(client, "job_queue_claim", limit=5)
    failed = rpc(client, "job_queue_mark_failed", id=job["id"], error="rate limit", retry_in=0)
    rpc(client, "job_queue_claim", limit=5)
    done = rpc(client, "job_queue_mark_succeeded", id=job["id"], output={"synced": 2})

    assert (failed["status"], failed["last_error"], failed["attempts"]) == ("pending", "rate limit", 1)
    assert (done["status"], done["output"], done["attempts"]) == ("succeeded", {"synced": 2}, 2)
    assert client.table("job_queue").select("*").eq("status", "pending").execute().data == []


@pytest.mark.parametrize("retry_in", [300, "5 minutes"])
def test_a_time_to_wait_is_given_in_seconds_or_in_words(
    client: Client, postgres: psycopg.Connection[Any], retry_in: Any
) -> None:
    rpc(client, "job_queue_enqueue", task_type="game_platform_sync", payload={"orgId": "acme"})
    (job,) = rpc(client, "job_queue_claim", limit=1)

    rpc(client, "job_queue_mark_failed", id=job["id"], error="rate limit", retry_in=retry_in)

    waits = postgres.execute(
        "select run_at - updated_at = interval '5 minutes' from public.jobs where id = %s", (job["id"],)
    )
    assert waits.fetchone() == (True,)
