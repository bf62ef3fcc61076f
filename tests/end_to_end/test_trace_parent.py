"""The trace of an HTTP request reaches the jobs that it enqueues, through the real PostgREST and through Storage."""

from __future__ import annotations

import uuid

import httpx
import pytest

from scripts.local_supabase import LocalSupabase
from tests.end_to_end.storage_clients import admin_connection

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("by", ["upload", "rpc"])
def test_a_job_carries_the_trace_of_the_request_that_enqueued_it(supabase: LocalSupabase, by: str) -> None:
    org_id = f"traced-{uuid.uuid4()}"
    headers = {"apikey": supabase.secret_key, "traceparent": TRACE}
    with httpx.Client(base_url=supabase.url, headers=headers, trust_env=False) as http:
        if by == "upload":
            answer = http.post(f"/storage/v1/object/ingest/{org_id}/notes.txt", content=b"A cell has a wall.")
        else:
            later = {"org_id": org_id, "type": "traced", "run_at": "2100-01-01T00:00:00Z"}
            answer = http.post("/rest/v1/rpc/enqueue_job", json=later)
    assert answer.status_code == 200, answer.text
    with admin_connection(supabase) as admin:
        rows = admin.execute("select distinct trace_parent from public.jobs where org_id = %s", [org_id])
        assert rows.fetchall() == [{"trace_parent": TRACE}]
