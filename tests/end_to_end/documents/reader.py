"""Somebody who does what a page says: runs its blocks, and compares what comes out with what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.end_to_end.documents.blocks import Block, is_shown
from tests.end_to_end.documents.not_run import runnable
from tests.end_to_end.upload_to_cards.project import Project

SECONDS = 180
# The local Auth stand-in keeps its users elsewhere: the columns that the pages name, for one transaction.
AUTH_USERS_STAND_IN = "create table auth.users (email text, raw_app_meta_data jsonb);"
AS_SET_UP = """
update public.ingest_routes set flow = jsonb_path_query_array(flow, '$[*] ? (@.type != "count_words")') where true;
update public.job_types set max_concurrency = null where true;
update public.org_limits set max_concurrency = null, jobs_per_day = null, spend_per_day = null where true;
delete from public.cron_tasks where true;
delete from public.jobs where status in ('waiting', 'queued') and file_id is null;
delete from vault.secrets where name in ('job_queue_alert_webhook', 'staging_endpoint', 'staging_secret');
select cron.unschedule(jobid) from cron.job;
select public.schedule_cron_tick(schedule => '1 second');
select public.schedule_maintenance();
"""


@dataclass
class Reader:
    """`placeholders`: what a page writes where a reader puts their own."""

    project: Project
    folder: Path
    environment: dict[str, str]
    placeholders: dict[str, str]
    remembered: list[str] = field(default_factory=list)

    def start_page(self) -> None:
        """An empty queue, and a shell that knows nothing."""
        self.project.clear()
        self.remembered.clear()

    def start_chapter(self) -> None:
        """A project as it is after its set-up: what a chapter shows as an example does not hold for the next."""
        self.run_sql(AS_SET_UP)

    def do(self, block: Block) -> None:
        text = block.text
        for written, meant in self.placeholders.items():
            text = text.replace(written, meant)
        output = {"bash": self.run_bash, "sql": self.run_sql, "python": self.run_python}[block.language](text)
        if block.shown is not None:
            assert is_shown(block.shown, output), (
                f"{block}\n--- the page shows:\n{block.shown}\n--- it was:\n{output}"
            )

    def run_bash(self, script: str) -> str:
        """Stops at the first command that fails, as a careful reader does. The shell keeps what it was told before."""
        self.execute("bash", "-n", "-c", script)
        output = self.execute(
            "bash", "-euo", "pipefail", "-c", "\n".join([*self.remembered, runnable(script)])
        )
        self.remembered += re.findall(r"^(?:export \w+=.*|\w+\(\) \{.*\})$", script, re.MULTILINE)
        return output

    def run_python(self, source: str) -> str:
        return self.execute(sys.executable, "-c", source)

    def execute(self, *command: str) -> str:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert finished.returncode == 0, f"{command[-1]}\n--- {finished.stdout}\n--- {finished.stderr}"
        return finished.stdout + finished.stderr

    def run_sql(self, script: str) -> str:
        """Pasted into the SQL editor as a whole; every row of every answer."""
        if "auth.users" in script:
            script = f"begin; {AUTH_USERS_STAND_IN} {script} ; rollback"
        lines = []
        supabase = self.project.supabase
        # A hosted project lets its owner write policies for storage's tables, and auth's rows; here a superuser has to.
        is_hosted_only = "on storage.objects" in script or "auth.users" in script
        url = supabase.admin_database_url if is_hosted_only else supabase.database_url
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(script.encode())
            while True:
                if cursor.description:
                    rows = cursor.fetchall()
                    lines += [" | ".join(str(value) for value in row) for row in rows] or ["(no row)"]
                if not cursor.nextset():
                    return "\n".join(lines)
