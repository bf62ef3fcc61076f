"""A whole project in which everything is right, to break one link of it at a time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg

from functions.doctor.examine import examine
from functions.doctor.findings import Finding
from functions.doctor.look import look
from functions.settings import Settings, load_settings
from tests.end_to_end.upload_to_cards.project import Function, Project

Symptom = tuple[str, str, str]  # group, check, severity
TRIES = 8
NEVER = "0 0 1 1 *"  # a schedule whose next turn no test sees


@dataclass
class Patient:
    """The project, its function, and what doctor says of it while nothing is broken."""

    project: Project
    function: Function
    admin: psycopg.Connection[Any]
    healthy: frozenset[Symptom] = frozenset()

    def settings(self, **changed: str) -> Settings:
        environment = {
            "SUPABASE_URL": self.project.supabase.url,
            "SUPABASE_SECRET_KEY": self.project.supabase.secret_key,
            "JOB_QUEUE_RUNNER_SECRET": self.function.runner_secret,
            "K_SERVICE": "test",
        }
        return load_settings(environment | changed)

    def findings(self, *, snapshot_seconds: int = 300, **changed: str) -> list[Finding]:
        """What doctor finds, with the settings changed or as they are."""
        settings = self.settings(**changed)
        return examine(look(settings, snapshot_seconds=snapshot_seconds, patience=4))

    def symptoms(self, *, snapshot_seconds: int = 300, **changed: str) -> list[Finding]:
        """The findings that are not there while everything is right."""
        found = self.findings(snapshot_seconds=snapshot_seconds, **changed)
        return [f for f in found if f.severity != "ok" and symptom(f) not in self.healthy]

    def settled(
        self, is_as_expected: Callable[[list[Finding]], bool], *, snapshot_seconds: int = 300
    ) -> list[Finding]:
        """The symptoms, asked again a few times: PostgREST hears of some changes a moment later."""
        for _ in range(TRIES):
            if is_as_expected(found := self.symptoms(snapshot_seconds=snapshot_seconds)):
                break
            time.sleep(0.2)
        return found


def symptom(finding: Finding) -> Symptom:
    return finding.group, finding.check, finding.severity


@contextmanager
def healthy_patient(project: Project) -> Iterator[Patient]:
    """Schedules whose turn never comes, an alert webhook nobody calls, and the function of the fixtures."""
    with (
        project.function() as function,
        psycopg.connect(project.supabase.admin_database_url, autocommit=True) as admin,
    ):
        project.rows("select public.schedule_cron_tick(schedule => %s)", NEVER)
        project.rows("select public.schedule_maintenance()")
        project.rows(
            "select cron.alter_job(jobid, schedule := %s) from cron.job where jobname like 'crontick-%%'",
            NEVER,
        )
        project.set_secret("job_queue_alert_webhook", "https://alerts.invalid/")
        patient = Patient(project, function, admin)
        try:
            patient.healthy = frozenset(symptom(f) for f in patient.findings() if f.severity != "ok")
            yield patient
        finally:
            project.rows("select cron.unschedule(jobid) from cron.job")
            project.rows("delete from vault.secrets where name ~ '^(job_queue|staging)_'")


class _Somebody(BaseHTTPRequestHandler):
    """Answers a ping as the path says: /401, /301, /ping/<version>/<seconds off>/<budget>."""

    server: Stranger

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status, _, body = self.path[1:].partition("/")
        self._answer(int(status), self.server.said if body else b"")

    def do_GET(self) -> None:
        self._answer(405 if self.path == "/worker" else 200, b"<html>sign in</html>")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "/worker")
        if status == 302:
            self.send_header("Location", "/sign-in")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


class Stranger(ThreadingHTTPServer):
    """A server that is no worker of this version; `said` is what it answers where it answers anything."""

    said = b""

    def says(self, answer: dict[str, Any]) -> str:
        self.said = json.dumps(answer).encode()
        return f"{self.url}/200/said"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running_stranger() -> Iterator[Stranger]:
    with Stranger(("127.0.0.1", 0), _Somebody) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
