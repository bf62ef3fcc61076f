"""A whole local Supabase with the deployed function beside it, where every upload makes one job: create_thumbnail."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from functions.supabase_client import SupabaseClient
from scripts.bench.pictures.processor_time import function_parts, read_tree, supabase_parts
from scripts.bench.stand import Stand
from scripts.local_supabase import LocalSupabase, function_process
from scripts.local_supabase.errors import LocalSupabaseError
from scripts.local_supabase.ports import free_port
from scripts.local_supabase.processes import Child

BUDGET_SECONDS = 600  # one tick, however slow the machine is
TABLES = ("jobs", "job_parents", "job_runs", "past_steps", "thumbnails", "content_results", "file_sweeps")


@dataclass(frozen=True)
class Project:
    """Running; its files are uploaded once, and get their jobs anew for every round."""

    supabase: LocalSupabase
    function: Child
    url: str
    client: SupabaseClient
    database: psycopg.Connection[Any]

    def upload(self, files: Sequence[Path]) -> None:
        for file in files:
            response = self.client.upload("ingest", f"acme/{file.name}", file.read_bytes(), "image/jpeg")
            response.raise_for_status()

    def start_over(self) -> int:
        """Every file waits for its thumbnails as if it had none; answers how many."""
        headers = {"authorization": f"Bearer {self.supabase.secret_key}", "apikey": self.supabase.secret_key}
        emptied = httpx.post(
            f"{self.supabase.url}/storage/v1/bucket/thumbnails/empty",
            headers=headers,
            timeout=60,
            trust_env=False,
        )
        emptied.raise_for_status()
        self.database.execute(f"truncate {', '.join(f'public.{table}' for table in TABLES)} cascade".encode())
        row = self.database.execute(
            "select public.backfill_files(route => 'uploads', up_to => 1000)"
        ).fetchone()
        assert row is not None
        return int(row[0]["enqueued"])

    def tick(self) -> float:
        """Seconds of one tick that does all that is due, from the call to the answer."""
        began = time.monotonic()
        response = httpx.post(
            self.url,
            headers={"authorization": f"Bearer {self.supabase.runner_secret}"},
            json={"types": ["create_thumbnail"]},
            timeout=BUDGET_SECONDS + 30,
            trust_env=False,
        )
        seconds = time.monotonic() - began
        if response.status_code != 200 or response.json()["failed"]:
            raise LocalSupabaseError(f"the tick answered {response.status_code}: {response.text[:500]}")
        return seconds

    def stored(self) -> Counter[int]:
        """How many thumbnails there are of each size, by the database."""
        rows = self.database.execute("select size, count(*) from public.thumbnails group by size").fetchall()
        return Counter(dict(rows))

    def bytes_of_first(self) -> dict[int, int]:
        """The sizes in bytes of the first file's thumbnails, by the box they were fitted into."""
        rows = self.database.execute(
            "select size, bytes from public.thumbnails where file_id = (select min(file_id) from public.thumbnails)"
        ).fetchall()
        return dict(rows)

    def processor_seconds(self) -> dict[str, float]:
        """So far, by part."""
        return {
            **function_parts(read_tree(self.function.process.pid)),
            **supabase_parts(read_tree(self.supabase.pid)),
        }


@contextmanager
def running_project(stand: Stand) -> Iterator[Project]:
    """Starts in an empty folder below `--out`, which is removed afterwards."""
    folder = (stand.options.out / "project").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with (
            LocalSupabase.start(folder, stand.options.leg) as supabase,
            psycopg.connect(supabase.database_url, autocommit=True) as database,
            SupabaseClient(supabase.url, supabase.secret_key) as client,
        ):
            flow = json.dumps([{"type": "create_thumbnail"}])
            database.execute("update public.ingest_routes set flow = %s where name = 'uploads'", (flow,))
            with running_function(supabase) as (child, url):
                yield Project(supabase, child, url, client, database)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_function(supabase: LocalSupabase) -> Iterator[tuple[Child, str]]:
    """As deployed: gunicorn with one worker, functions-framework, the settings' defaults but for the tick's length."""
    port = free_port()
    settings = {
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SECRET_KEY": supabase.secret_key,
        "JOB_QUEUE_RUNNER_SECRET": supabase.runner_secret,
        "TICK_BUDGET_SECONDS": str(BUDGET_SECONDS),
    }
    child = function_process.start(settings, port, Path(supabase.log_directory) / "function.log")
    try:
        yield child, function_process.function_url(port)
    finally:
        child.stop(signal.SIGTERM, 12.0, signal.SIGKILL)
