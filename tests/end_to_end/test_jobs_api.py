"""The jobs API at work: the real process, the real PostgREST, what it does to the queue and says of it."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from functions.auth import RUNNER_HEADER
from scripts.local_supabase import LocalSupabase, function_process
from scripts.local_supabase.function_process import Target
from scripts.local_supabase.ports import free_port
from tests.end_to_end.jobs_api import JobsApi, running_jobs_api

Postgres = psycopg.Connection[Any]
FILE = {"file_id": 7, "bucket": "ingest", "path": "acme/a.pdf", "version": "v1"}


@contextmanager
def operator(url: str, supabase: LocalSupabase) -> Iterator[httpx.Client]:
    headers = {RUNNER_HEADER: supabase.runner_secret}
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
        yield http


@pytest.fixture
def http(jobs_api: JobsApi, supabase: LocalSupabase, postgres: Postgres) -> Iterator[httpx.Client]:
    postgres.execute("delete from public.jobs where true")
    with operator(jobs_api.url, supabase) as http:
        yield http
    postgres.execute("delete from public.jobs where true")


def count(postgres: Postgres, table: str) -> int:
    row = postgres.execute(f"select count(*) from public.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_a_dry_run_of_a_trigger_says_what_would_happen_and_writes_nothing(
    http: httpx.Client, postgres: Postgres
) -> None:
    before = [count(postgres, table) for table in ("jobs", "operator_actions")]
    answer = http.post("/trigger/analyze_file", json={"orgId": "acme", "dryRun": True, **FILE})
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "jobId": None,
        "message": "dry run: one analyze_file job would be enqueued for acme; nothing was written",
        "created": True,
        "status": "queued",
        "dryRun": True,
    }
    assert [count(postgres, table) for table in ("jobs", "operator_actions")] == before


def test_a_second_trigger_of_the_same_work_finds_the_first_ones_job(http: httpx.Client) -> None:
    wanted = {"orgId": "acme", **FILE}
    first, second = (http.post("/trigger/analyze_file", json=wanted).json() for _ in range(2))
    assert (first["created"], second["created"]) == (True, False)
    assert first["jobId"] == second["jobId"]
    dry = http.post("/trigger/analyze_file", json=wanted | {"dryRun": True}).json()
    assert (dry["jobId"], dry["created"]) == (first["jobId"], False)


def test_a_jobs_life_is_steered_and_every_step_is_in_the_audit_trail(http: httpx.Client) -> None:
    job_id = http.post("/jobs", json={"org_id": "acme", "type": "work", "payload": {"a": 1}}).json()["job_id"]
    assert http.get(f"/jobs/{job_id}").json()["payload"] == {"a": 1}
    assert http.post(f"/jobs/{job_id}/retry").json()["code"] == "conflict"
    assert http.post(f"/jobs/{job_id}/cancel").json()["cancelled"] is True
    assert http.post(f"/jobs/{job_id}/retry").json()["status"] == "queued"
    assert http.post("/jobs/cancel", json={"type": "work"}).json()["cancelled"] == 1
    trail = http.get("/operations?limit=4").json()["operations"]
    assert [one["action"] for one in trail] == ["cancel_jobs", "retry", "cancel", "enqueue"]
    assert {one["actor"] for one in trail} == {"runner secret"}
    assert [one["job_id"] for one in trail] == [None, job_id, job_id, job_id]
    assert "payload" not in str(trail)


def test_a_pause_shows_at_once(http: httpx.Client) -> None:
    assert http.get("/health").json()["status"] in ("ok", "degraded")
    http.post("/pause", json={"reason": "deploy"})
    assert http.get("/health").json()["status"] == "paused"
    assert http.get("/overview").json()["health"]["paused_reason"] == "deploy"
    http.post("/resume")
    assert http.get("/overview").json()["health"]["processing_enabled"] is True


def test_every_page_is_walked_through_once(http: httpx.Client) -> None:
    for number in range(7):
        http.post("/jobs", json={"org_id": "acme", "type": "work", "payload": {"n": number}})
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(10):
        page = http.get("/jobs", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert cursor is None


@pytest.mark.parametrize(
    "value",
    ["eq.acme", "in.(acme,other)", "acme' or '1'='1", "acme;drop table public.jobs", "*", "%", "_cme"],
)
def test_operators_in_a_filter_match_nothing(http: httpx.Client, value: str) -> None:
    http.post("/jobs", json={"org_id": "acme", "type": "work"})
    answer = http.get("/jobs", params={"org_id": value})
    assert (answer.status_code, answer.json()["jobs"]) == (200, [])
    assert http.get("/files", params={"path": value}).json()["files"] == []
    assert len(http.get("/jobs", params={"org_id": "acme"}).json()["jobs"]) == 1


def test_the_manual_kick_calls_the_real_worker(
    supabase: LocalSupabase, http: httpx.Client, tmp_path: Path
) -> None:
    http.post("/jobs", json={"org_id": "acme", "type": "prune_storage", "payload": {"nonsense": 1}})
    port = free_port()
    environment = {
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.secret_key,
        "JOB_QUEUE_RUNNER_SECRET": supabase.runner_secret,
        "K_SERVICE": "cron-tick",
    }
    worker = function_process.start(environment, port, tmp_path / "worker.log", target=Target.TICK)
    try:
        endpoint = function_process.function_url(port)
        with (
            running_jobs_api(supabase, JOB_QUEUE_WORKER_ENDPOINT=endpoint) as api,
            operator(api.url, supabase) as own,
        ):
            report = own.post("/tick", json={"limit": 5}).json()
        assert (report["processed"], report["results"][0]["status"]) == (1, "failed")
    finally:
        worker.stop(signal.SIGTERM, 12.0, signal.SIGKILL)


def test_a_database_that_is_gone_is_503_before_anybodys_patience_ends(supabase: LocalSupabase) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    with running_jobs_api(supabase, SUPABASE_URL=gone) as api, operator(api.url, supabase) as http:
        started = time.monotonic()
        answer = http.get("/health")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert time.monotonic() - started < 10
        assert http.get("/health?live").json() == {"status": "alive"}


def test_bodies_that_lie_about_themselves_are_refused_and_the_process_lives(
    jobs_api: JobsApi, supabase: LocalSupabase
) -> None:
    secret = f"{RUNNER_HEADER}: {supabase.runner_secret}\r\n"
    chunk = b"%x\r\n%s\r\n" % (65_536, b" " * 65_536)
    assert b" 413 " in said_to(jobs_api, f"{secret}Transfer-Encoding: chunked\r\n", chunk * 17 + b"0\r\n\r\n")
    assert b" 413 " in said_to(jobs_api, f"{secret}Content-Length: 2000000\r\n", b"")
    assert b" 400 " in said_to(jobs_api, f"{secret}Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n")
    assert b" 400 " in said_to(jobs_api, f"{secret}Content-Length: 100\r\n", b"{}", half_close=True)
    assert b" 401 " in said_to(jobs_api, "Content-Length: 100\r\n", b"{}", half_close=True)
    with operator(jobs_api.url, supabase) as http:
        assert http.get("/me").status_code == 200


def said_to(api: JobsApi, headers: str, body: bytes, *, half_close: bool = False) -> bytes:
    """The first line of the answer to a POST /pause, written by hand."""
    where = urlsplit(api.url)
    head = f"POST /pause HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n{headers}\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=15) as connection:
        connection.sendall(head.encode())
        try:
            connection.sendall(body)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has answered already
        return connection.recv(4096).partition(b"\r\n")[0]
