"""The setup guide of workers that run all the time: schema, pipeline, several workers, what to look at, dead ones."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.local_supabase.function_process import inherited_environment
from scripts.local_supabase.ports import free_port
from tests.database.queries_of_other_systems import BY_TYPE_AND_STATUS, STUCK
from tests.end_to_end.jobs_api import JobsApi
from tests.end_to_end.upload_to_cards.project import Project

CRONTICK = str(Path(sys.executable).with_name("crontick"))
NOTE = "# {n}\n\nA delta is the land at a river's mouth, number {n}.\n"
FILES = 6


@pytest.mark.leg_debian
def test_the_worker_setup_guide_holds_step_by_step(project: Project, jobs_api: JobsApi) -> None:
    verify_the_schema(project)
    run_a_pipeline_as_a_worker_of_ones_own(project)
    share_the_work_between_several_workers(project)
    monitor_jobs_over_http(project, jobs_api)
    look_at_the_queue(project)
    take_back_what_a_dead_worker_held(project)


def verify_the_schema(project: Project) -> None:
    (found,) = project.rows(
        "select array(select relname::text from pg_class where oid in ('jobs'::regclass, 'job_stats'::regclass, "
        "'active_jobs'::regclass, 'pending_jobs_queue'::regclass) order by 1) as relations, "
        "array(select proname::text from pg_proc where pronamespace = 'public'::regnamespace "
        "and proname in ('claim_job', 'complete_job', 'fail_job') order by 1) as functions"
    )
    assert found["relations"] == ["active_jobs", "job_stats", "jobs", "pending_jobs_queue"]
    assert found["functions"] == ["claim_job", "complete_job", "fail_job"]


def run_a_pipeline_as_a_worker_of_ones_own(project: Project) -> None:
    """Each step waits for the one before; what a step answers is there for the next."""
    project.rpc("start_pipeline", pipeline="video", org_id="acme", payload={"query": "volcanoes"})
    done = []
    while job := project.rpc("claim_job", worker_id="worker-12345-1234567890"):
        done.append(job["type"])
        assert project.rpc("complete_job", job_id=job["id"], job_result={"step": len(done)})

    assert done == ["analysis", "asset_prep", "video_generation", "render"]


def share_the_work_between_several_workers(project: Project) -> None:
    """Three terminals; every job is done once, and Ctrl-C or SIGTERM ends each of them in good order."""
    for n in range(FILES):
        project.upload(f"acme/{n}.md", NOTE.format(n=n).encode(), "text/markdown")

    ports = [free_port() for _ in range(3)]
    with ExitStack() as terminals:
        workers = [terminals.enter_context(worker(project, port)) for port in ports]
        assert len({check_the_health_of_a_worker(port) for port in ports}) == len(ports)
        project.wait_for(
            "select 1 from public.jobs where file_id is not null having bool_and(status = 'done')"
        )
        codes = [end(process) for process in workers]

    assert codes == [0, 0, 0]
    runs = project.rows(
        "select count(*) as runs, count(distinct job_id) as jobs from public.job_runs where outcome = 'done' "
        "and type in ('analyze_file', 'create_thumbnail', 'create_cards')"
    )
    assert runs == [{"runs": FILES * 3, "jobs": FILES * 3}]


def check_the_health_of_a_worker(port: int) -> str:
    """Asked until it has started; its id."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=7), trust_env=False) as http:
        answer = http.get(f"http://127.0.0.1:{port}/health")
    said = answer.json()
    assert (answer.status_code, said["status"]) == (200, "healthy")
    assert re.fullmatch(r"worker-\d+-\d{10}", said["worker_id"])
    assert {"active_jobs", "uptime"} <= set(said)
    return str(said["worker_id"])


@contextmanager
def worker(project: Project, port: int) -> Iterator[subprocess.Popen[bytes]]:
    settings = {
        "SUPABASE_URL": project.supabase.url,
        "SUPABASE_SERVICE_ROLE_KEY": project.supabase.service_role_key,
        "JOB_POLL_INTERVAL_MS": "200",
        "LOG_LEVEL": "debug",
        "ENABLE_HEALTH_CHECK": "true",
        "HEALTH_CHECK_PORT": str(port),
    }
    process = subprocess.Popen(
        [CRONTICK, "run", "--limit", "2"],
        env=inherited_environment() | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def end(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=30)


def monitor_jobs_over_http(project: Project, jobs_api: JobsApi) -> None:
    """The guide's four questions: pending, active, stats, and the jobs of one thing (here: of a file)."""
    project.rpc("enqueue_job", org_id="acme", type="text_analysis", payload={"brief_id": "b1"})
    (file,) = project.rows("select id from ingested_files where path = 'acme/0.md'")

    def jobs(question: str) -> list[dict[str, Any]]:
        answer = subprocess.run(
            [
                "curl",
                "-sS",
                "--fail-with-body",
                "--noproxy",
                "*",
                "--header",
                "@-",
                f"{jobs_api.url}/jobs?{question}",
            ],
            input=f"x-job-runner-secret: {project.supabase.runner_secret}",
            capture_output=True,
            text=True,
            check=True,
        )
        said: dict[str, list[dict[str, Any]]] = json.loads(answer.stdout)
        return said.get("jobs") or said.get("stats") or []

    assert [job["type"] for job in jobs("action=pending")] == ["text_analysis"]
    assert jobs("action=active") == []
    assert {row["status"] for row in jobs("action=stats")} == {"done", "queued"}
    assert {job["type"] for job in jobs(f"action=by_file&file_id={file['id']}")} == {
        "analyze_file",
        "create_thumbnail",
        "create_cards",
    }
    project.rows("select cancel_job(id) from jobs where type = 'text_analysis'")


def look_at_the_queue(project: Project) -> None:
    counted = {(row["type"], row["status"]): row["count"] for row in project.rows(BY_TYPE_AND_STATUS)}
    assert counted[("analyze_file", "done")] == FILES
    assert project.rows("SELECT * FROM job_stats ORDER BY count DESC;")[0]["count"] == FILES
    assert project.rows("select * from active_jobs") == project.rows("select * from pending_jobs_queue") == []


def take_back_what_a_dead_worker_held(project: Project) -> None:
    """Nobody has to restart anything: the next claim takes the job back when its lease has run out."""
    project.rpc("enqueue_job", org_id="acme", type="render", payload={"scene": 1})
    project.rpc("claim_job", worker_id="worker-that-dies")
    project.rows("update jobs set started_at = now() - interval '11 minutes' where status = 'processing'")
    assert [row["type"] for row in project.rows(STUCK)] == ["render"]

    project.rows("update jobs set lease_expires_at = now() - interval '1 second' where status = 'processing'")
    taken = project.rpc("claim_job", worker_id="worker-2")

    assert taken["type"] == "render"
    assert project.rows("select crashes from jobs where id = %s", taken["id"]) == [{"crashes": 1}]
    assert project.rpc("complete_job", job_id=taken["id"])
