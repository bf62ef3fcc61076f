"""The framework's guide: a handler of one's own, whose job it is (orgId), enqueue, run, trigger, the same work once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from scripts.local_supabase.function_process import inherited_environment
from tests.end_to_end.upload_to_cards.project import Project, Row

WORKER = "6a2f41a3-c54c-4ce8-8c1b-0d8f4f4e7c11"
CRONTICK = str(Path(sys.executable).with_name("crontick"))


@pytest.mark.leg_debian
def test_the_frameworks_guide_holds_step_by_step(project: Project, tmp_path: Path) -> None:
    settings = environment_of(project, tmp_path)
    write_a_handler(tmp_path, settings)
    refuse_a_job_without_an_organisation(project, settings)
    enqueue_from_the_application(project)
    run_the_queue_once(project, tmp_path)
    do_the_same_work_only_once(project, settings)
    trigger_a_job_by_a_call(project, tmp_path, settings)
    give_up_after_five_attempts(project)


def environment_of(project: Project, folder: Path) -> dict[str, str]:
    return inherited_environment() | {
        "SUPABASE_URL": project.supabase.url,
        "SUPABASE_SECRET_KEY": project.supabase.secret_key,
        "PYTHONPATH": str(folder),
        "CRONTICK_HANDLERS": "team_jobs",
    }


def crontick(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CRONTICK, *arguments], env=settings, capture_output=True, text=True, timeout=60, cwd=os.sep
    )


def write_a_handler(folder: Path, settings: dict[str, str]) -> None:
    """One file is all: no registration anywhere."""
    written = crontick(
        settings, "new-handler", "your_job", "--no-file", "--folder", str(folder / "team_jobs")
    )
    assert written.returncode == 0, written.stderr
    assert "your_job" in crontick(settings, "handlers").stdout


def refuse_a_job_without_an_organisation(project: Project, settings: dict[str, str]) -> None:
    with pytest.raises(psycopg.Error, match="org") as refused:
        project.rows("select enqueue_job(null, 'your_job')")
    assert refused.value.diag.sqlstate == "22023"
    assert crontick(settings, "enqueue", "your_job").returncode == 2
    with pytest.raises(psycopg.Error, match="orgId"):
        project.rows("select job_queue_enqueue('your_job', '{}')")
    assert project.rows("select 1 from jobs") == []


def enqueue_from_the_application(project: Project) -> None:
    answer = project.rpc("enqueue_job", org_id="acme", type="your_job", payload={"name": "Ada"})
    assert (answer["created"], answer["status"]) == (True, "queued")


def run_the_queue_once(project: Project, folder: Path) -> None:
    with project.function(PYTHONPATH=str(folder), CRONTICK_HANDLERS="team_jobs") as function:
        report = function.tick().json()
    assert [(job["status"], job["attempts"]) for job in report["results"]] == [("done", 1)]
    assert runs(project) == [{"outcome": "done", "attempt": 1}]


def runs(project: Project) -> list[Row]:
    return project.rows("select outcome, attempt from job_runs where type = 'your_job' order by id")


def do_the_same_work_only_once(project: Project, settings: dict[str, str]) -> None:
    """The payload is hashed: unfinished work is found again; `--once`, for ever."""
    payload = ("--payload", '{"name": "Grace"}')
    first = crontick(settings, "enqueue", "your_job", "--org", "acme", *payload, "--once", "--json")
    second = crontick(settings, "enqueue", "your_job", "--org", "acme", *payload, "--once", "--json")

    assert first.stdout.replace("true", "false") == second.stdout
    assert len(project.rows("select 1 from jobs where payload ->> 'name' = 'Grace'")) == 1


def trigger_a_job_by_a_call(project: Project, folder: Path, settings: dict[str, str]) -> None:
    """JOB_QUEUE_BACKEND=cron: the caller brings the job and hears what became of it."""
    with project.function(
        PYTHONPATH=str(folder), CRONTICK_HANDLERS="team_jobs", JOB_QUEUE_BACKEND="cron"
    ) as function:
        report = function.tick(type="your_job", org_id="acme", payload={"name": "Edsger"}).json()
    assert report["results"][0]["status"] == "done"
    assert report["job"]["created"] is True


def give_up_after_five_attempts(project: Project) -> None:
    """It stays to be looked at and brought back, where the guide's framework removed it."""
    project.rpc("enqueue_job", org_id="acme", type="never_works")
    for _ in range(5):
        project.rows("update jobs set run_at = now(), turn = 'ready' where type = 'never_works'")
        (job,) = project.rpc("claim_next_job", worker_id=WORKER, job_type="never_works")
        project.rpc("resolve_job", job_id=job["id"], worker_id=WORKER, success=False, error="no luck")

    assert project.rows("select status, attempts, last_error from jobs where type = 'never_works'") == [
        {"status": "failed", "attempts": 5, "last_error": "no luck"}
    ]
