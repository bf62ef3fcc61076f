"""A whole project for the end-to-end tests: the real parts, its clients, and a function that can be killed."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from storage3.types import FileOptions
from supabase import Client, ClientOptions, create_client

from scripts.local_supabase import LocalSupabase, function_process
from scripts.local_supabase.ports import free_port
from scripts.local_supabase.processes import Child

Row = dict[str, Any]
PATIENCE_SECONDS = 60.0


@dataclass
class Function:
    """The deployed function: real functions-framework under gunicorn, in its own process."""

    child: Child
    url: str
    runner_secret: str

    def tick(self, **body: Any) -> httpx.Response:
        """Calls it as `pg_cron` would."""
        headers = {"Authorization": f"Bearer {self.runner_secret}"}
        return httpx.post(self.url, headers=headers, json=body, timeout=60, trust_env=False)

    def kill(self) -> None:
        """kill -9 of everything in its process group, as an instance that dies does it."""
        self.child.stop(signal.SIGKILL, 10.0, signal.SIGKILL)


@dataclass
class Project:
    """Supabase and its two kinds of client: the secret key's and the database owner's."""

    supabase: LocalSupabase
    client: Client
    database: psycopg.Connection[Any]

    @contextmanager
    def function(self, directory: Path = function_process.REPOSITORY, **settings: str) -> Iterator[Function]:
        """A function of this project, with the Vault pointing at it; other settings win."""
        port = free_port()
        environment = {
            "SUPABASE_URL": self.supabase.url,
            "SUPABASE_SECRET_KEY": self.supabase.secret_key,
            "JOB_QUEUE_RUNNER_SECRET": self.supabase.runner_secret,
        }
        log_path = Path(self.supabase.log_directory) / f"function-{port}.log"
        child = function_process.start(environment | settings, port, log_path, directory)
        url = function_process.function_url(port)
        self.set_secret("job_queue_worker_endpoint", url)
        self.set_secret("job_queue_runner_secret", self.supabase.runner_secret)
        try:
            yield Function(child, url, self.supabase.runner_secret)
        finally:
            child.stop(signal.SIGTERM, 12.0, signal.SIGKILL)

    def set_secret(self, name: str, value: str) -> None:
        found = self.database.execute("select id from vault.secrets where name = %s", (name,)).fetchone()
        if found:
            self.database.execute("select vault.update_secret(%s, %s)", (found[0], value))
        else:
            self.database.execute("select vault.create_secret(%s, %s)", (value, name))

    def upload(
        self, path: str, content: bytes | Path, content_type: str = "application/octet-stream"
    ) -> None:
        """Uploads as an application does, over whatever is there."""
        options: FileOptions = {"content-type": content_type, "upsert": "true"}
        self.client.storage.from_("ingest").upload(path, content, options)

    def rpc(self, function: str, **arguments: Any) -> Any:
        return self.client.rpc(function, arguments).execute().data

    def files(self) -> list[Row]:
        """file_status, as the secret key reads it over PostgREST."""
        rows: Any = self.client.table("file_status").select("*").execute().data
        return list(rows)

    def rows(self, query: str, *values: Any) -> list[Row]:
        with self.database.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def jobs(self, path: str) -> dict[str, Row]:
        """The newest file at a path: its jobs by type."""
        rows = self.rows(
            "select j.* from public.jobs j where j.file_id = "
            "(select max(f.id) from public.ingested_files f where f.path = %s)",
            path,
        )
        return {row["type"]: row for row in rows}

    def statuses(self, path: str) -> dict[str, str]:
        return {job_type: row["status"] for job_type, row in self.jobs(path).items()}

    def wait_for(self, query: str, *values: Any, seconds: float = PATIENCE_SECONDS) -> list[Row]:
        """Polls until the query returns a row: for what another process does in its own time."""
        deadline = time.monotonic() + seconds
        while not (rows := self.rows(query, *values)):
            assert time.monotonic() < deadline, f"nothing after {seconds} s: {query} {values}"
            time.sleep(0.05)
        return rows

    def clear(self) -> None:
        """An empty queue for the next test; the schema and the buckets stay."""
        for bucket in ("ingest", "thumbnails"):
            found = self.rows("select name from storage.objects where bucket_id = %s", bucket)
            if found:
                self.client.storage.from_(bucket).remove([row["name"] for row in found])
        self.database.execute(
            "truncate public.jobs, public.job_parents, public.job_runs, public.ingested_files, public.ingest_failures, "
            "public.file_analyses, public.thumbnails, public.cards, public.cron_tasks, public.content_results, "
            "public.org_usage, public.file_sweeps, public.past_steps"
        )
        self.rpc("resume_processing")


def deployment_with(handler_files: Path, folder: Path) -> Path:
    """What a team deploys that has job types of its own: a copy of the project with their files among the handlers."""
    for package in ("functions", "handlers"):
        shutil.copytree(
            function_process.REPOSITORY / package,
            folder / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for file in handler_files.glob("[!_]*.py"):
        shutil.copy(file, folder / "handlers")
    return folder


@contextmanager
def connected(supabase: LocalSupabase) -> Iterator[Project]:
    with (
        httpx.Client(timeout=30, trust_env=False) as http,
        psycopg.connect(supabase.database_url, autocommit=True) as database,
    ):
        options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        yield Project(supabase, create_client(supabase.url, supabase.secret_key, options), database)
