"""`crontick run` as real processes: they share the work, say how they are, and stop as they are told."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from scripts.local_supabase import LocalSupabase
from scripts.local_supabase.function_process import inherited_environment
from scripts.local_supabase.ports import free_port
from tests.end_to_end.upload_to_cards.project import Project, connected

CRONTICK = str(Path(sys.executable).with_name("crontick"))
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(supabase: LocalSupabase) -> Iterator[Project]:
    with connected(supabase) as project:
        project.clear()
        yield project
        project.clear()


@dataclass
class Poller:
    """A process of `crontick run`, its health port and its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def health(self) -> dict[str, Any]:
        answer = httpx.get(f"http://127.0.0.1:{self.port}/health", trust_env=False, timeout=2)
        body: dict[str, Any] = answer.json()
        return body | {"code": answer.status_code}

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.health()["last_tick_at"]:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def events(self, name: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [event for event in events if event["message"] == name]


@contextmanager
def poller(project: Project, tmp_path: Path, **settings: str) -> Iterator[Poller]:
    port = free_port()
    environment = inherited_environment() | {
        "SUPABASE_URL": project.supabase.url,
        "SUPABASE_SECRET_KEY": project.supabase.secret_key,
        "JOB_POLL_INTERVAL_MS": "200",
        "CRONTICK_HANDLERS": "tests.fixtures.napping_handlers",
        "PYTHONPATH": str(REPOSITORY),
        "BIND": "127.0.0.1",
    }
    log = tmp_path / f"{port}.log"
    command = [CRONTICK, "run", "--limit", "4", "--concurrency", "2", "--health-port", str(port)]
    with log.open("wb") as out, (tmp_path / f"{port}.err").open("wb") as err:
        process = subprocess.Popen(command, env=environment | settings, stdout=out, stderr=err, cwd=tmp_path)
        try:
            yield Poller(process, port, log)
        finally:
            process.kill()
            process.wait()


def enqueue_naps(project: Project, *seconds: float) -> None:
    jobs = [
        {"org_id": "acme", "type": "nap", "payload": {"seconds": one, "number": number}}
        for number, one in enumerate(seconds)
    ]
    project.rpc("enqueue_jobs", jobs=jobs)


def test_two_pollers_share_the_work_and_each_job_is_done_once(project: Project, tmp_path: Path) -> None:
    with poller(project, tmp_path) as first, poller(project, tmp_path) as second:
        first.wait_until_healthy()
        second.wait_until_healthy()
        enqueue_naps(project, *[0.15] * 16)
        project.wait_for("select 1 from public.jobs having bool_and(status = 'done')")
        assert [first.stop(signal.SIGINT), second.stop(signal.SIGTERM)] == [0, 0]
        done = [one.events("job_done") for one in (first, second)]
    assert all(done), "one of them did nothing"
    assert sorted(event["job_id"] for events in done for event in events) == sorted(
        row["id"] for row in project.rows("select id from public.jobs")
    )
    workers = [{event["logging.googleapis.com/labels"]["worker"] for event in events} for events in done]
    assert all(len(names) == 1 for names in workers)
    assert workers[0] != workers[1]


def test_its_port_answers_while_jobs_run_and_sigterm_lets_them_end(project: Project, tmp_path: Path) -> None:
    with poller(project, tmp_path, SHUTDOWN_SECONDS="8") as one:
        one.wait_until_healthy()
        enqueue_naps(project, 4, 4, 30, 30)
        project.wait_for("select 1 from public.jobs where status = 'processing' having count(*) = 4")
        health = one.health()
        assert (health["code"], health["status"]) == (200, "healthy")
        assert health["active_jobs"] == 2, "as many as --concurrency says"
        one.process.send_signal(signal.SIGTERM)
        project.wait_for("select 1 from public.jobs where status = 'queued' having count(*) = 2")
        stopping = one.health()
        assert (stopping["code"], stopping["status"], stopping["active_jobs"]) == (503, "stopping", 2)
        assert one.process.wait(timeout=30) == 0
    rows = project.rows("select status, attempts, crashes from public.jobs order by id")
    assert [tuple(row.values()) for row in rows] == [("done", 1, 0)] * 2 + [("queued", 0, 0)] * 2


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_wait_and_gives_the_jobs_back(
    project: Project, tmp_path: Path, again: signal.Signals
) -> None:
    with poller(project, tmp_path, SHUTDOWN_SECONDS="60") as one:
        one.wait_until_healthy()
        enqueue_naps(project, 50)
        project.wait_for("select 1 from public.jobs where status = 'processing'")
        one.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        began = time.monotonic()
        assert one.stop(again) != 0
        assert time.monotonic() - began < 10
    rows = project.rows("select status, attempts, crashes from public.jobs")
    assert [tuple(row.values()) for row in rows] == [("queued", 0, 0)]


def test_systemd_hears_from_it(project: Project, tmp_path: Path) -> None:
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"{folder}/notify")
        end.settimeout(20)
        with poller(project, tmp_path, NOTIFY_SOCKET=f"{folder}/notify", WATCHDOG_USEC="2000000") as one:
            assert end.recv(1000).startswith(b"READY=1\nSTATUS=working as worker-")
            assert end.recv(1000) == b"WATCHDOG=1"
            one.wait_until_healthy()
            assert one.stop(signal.SIGTERM) == 0
        end.settimeout(0.1)
        heard: list[bytes] = []
        with suppress(TimeoutError):
            while True:
                heard.append(end.recv(1000))
        assert b"STOPPING=1" in heard
