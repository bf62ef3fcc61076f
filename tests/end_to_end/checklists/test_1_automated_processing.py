"""The guide of automated processing, in its order: set up, verify, test, adjust, monitor, manage, repair, alert."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.database.queries_of_other_systems import (
    ALERT,
    FAILED_RUNS,
    IS_ACTIVE,
    LAST_MESSAGE,
    LATEST_RUNS,
    PAUSE,
    RATE,
    RECENT_RUNS,
    STATISTICS,
    THE_JOB,
    VERIFY,
)
from tests.end_to_end.upload_to_cards.project import Function, Project

ROOT = Path(__file__).parents[3]
SETUP = (ROOT / "supabase" / "setup-automated-processing.sql").read_text()
PDF = ROOT / "scripts" / "samples" / "files" / "water-cycle.pdf"
JOB = "process-flashcard-jobs"
MINUTE_AND_A_BIT = 75.0


@pytest.mark.leg_debian
def test_the_guide_of_automated_processing_holds_step_by_step(project: Project, function: Function) -> None:
    run_the_setup_sql(project, function)
    verify_the_cron_job(project)
    upload_and_wait_a_minute(project)
    adjust_the_rate_and_the_schedule(project)
    monitor(project)
    pause_resume_delete_and_recreate(project)
    find_what_is_wrong(project, function)
    trigger_by_hand_what_is_stuck(project, function)
    put_staging_beside_production(project)
    scale_up(project)
    alert_about_stuck_jobs(project)


def run_the_setup_sql(project: Project, function: Function) -> None:
    """It says what is missing and how to mend it; run again afterwards, everything is ok."""
    first = answer_of_setup(project)
    assert first["extensions enabled"][0] == "ok"
    assert re.search(r"http .*pg_cron", first["extensions enabled"][1])
    assert first[f"cron job {JOB}"][0] == "ok"
    for name, value in (
        ("job_queue_worker_endpoint", function.url),
        ("job_queue_runner_secret", function.runner_secret),
    ):
        state, remedy = first[f"Vault secret {name}"]
        assert state == "MISSING"
        project.rows(re.sub(r"\('.*', '(\w+)'\)", rf"('{value}', '\1')", remedy.replace("''", "'")))

    second = answer_of_setup(project)

    assert {what: state for what, (state, _) in second.items() if "alert" not in what} == dict.fromkeys(
        [what for what in second if "alert" not in what], "ok"
    )


def answer_of_setup(project: Project, setup: str = SETUP) -> dict[str, tuple[str, str]]:
    """The whole file pasted and run: its last table, as the SQL editor shows it."""
    with project.database.cursor() as cursor:
        cursor.execute(setup.encode())
        while cursor.nextset():
            pass
        return {what: (state, detail) for _step, what, state, detail in cursor.fetchall()}


def verify_the_cron_job(project: Project) -> None:
    (row,) = project.rows(VERIFY)
    assert (row["jobname"], row["schedule"], row["active"]) == (JOB, "* * * * *", True)


def upload_and_wait_a_minute(project: Project) -> None:
    project.upload("acme/water-cycle.pdf", PDF, "application/pdf")
    (newest,) = project.rows("SELECT * FROM jobs ORDER BY created_at DESC LIMIT 1;")
    assert newest["status"] == "queued"
    assert set(project.statuses("acme/water-cycle.pdf").values()) == {"queued", "waiting"}

    project.wait_for(
        "select 1 from public.jobs having bool_and(status in ('done', 'failed'))", seconds=MINUTE_AND_A_BIT
    )
    project.wait_for(
        "select 1 from cron.job_run_details d join cron.job j using (jobid) where j.jobname = %s "
        "and d.status = 'succeeded' and d.start_time > (select max(created_at) from public.jobs)",
        JOB,
    )

    (latest,) = project.rows("SELECT * FROM jobs ORDER BY updated_at DESC LIMIT 1;")
    assert latest["status"] == "done"
    assert set(project.statuses("acme/water-cycle.pdf").values()) == {"done"}
    for results in ("file_analyses", "thumbnails", "cards"):
        assert project.rows(f"select 1 from public.{results}"), results
    assert "succeeded" in {row["status"] for row in project.rows(LATEST_RUNS)}


def adjust_the_rate_and_the_schedule(project: Project) -> None:
    """Edit the setup and run it again: the same schedule changes, no second one appears."""
    edited = SETUP.replace("batch_size => 5", "batch_size => 10").replace("delay_ms => 0", "delay_ms => 500")
    for schedule in ("*/2 * * * *", "*/5 * * * *", "0 * * * *", "*/30 * * * *"):
        answer_of_setup(project, edited.replace("'* * * * *',", f"'{schedule}',"))
        (row,) = project.rows(THE_JOB)
        assert row["schedule"] == schedule
        assert "batch_size => 10, delay_ms => 500" in row["command"]
    answer_of_setup(project)


def monitor(project: Project) -> None:
    assert [row["active"] for row in project.rows(THE_JOB)] == [True]
    runs = project.rows(RECENT_RUNS)
    assert runs[0]["status"] in ("succeeded", "running")
    assert any("1 row" in (row["return_message"] or "") for row in runs)
    assert project.rows(STATISTICS) == [{"completed": 3, "failed": 0, "still_queued": 0}]
    assert sum(row["processed"] for row in project.rows(RATE)) == 3


def pause_resume_delete_and_recreate(project: Project) -> None:
    """A hosted project refuses the update; what it says instead works."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        project.rows(PAUSE)
    for active in (False, True):
        project.rows(
            f"select cron.alter_job(jobid, active := {active}) from cron.job where jobname = '{JOB}'"
        )
        assert project.rows(IS_ACTIVE) == [{"active": active}]

    assert project.rows("SELECT cron.unschedule('process-flashcard-jobs');") == [{"unschedule": True}]
    assert project.rows(THE_JOB) == []
    answer_of_setup(project)
    verify_the_cron_job(project)


def find_what_is_wrong(project: Project, function: Function) -> None:
    """Each common issue leaves its own sentence where the guide says to look for it."""
    assert project.rows(IS_ACTIVE) == [{"active": True}]
    project.rows("select public.enqueue_job('acme', 'not_deployed_yet')")
    tick = project.rows(THE_JOB)[0]["command"]

    project.set_secret("job_queue_runner_secret", "not-the-functions")
    with pytest.raises(psycopg.Error, match=r"answered 401: it refused the secret; Vault's job_queue_runner"):
        project.rows(tick)
    project.set_secret("job_queue_runner_secret", function.runner_secret)

    project.set_secret("job_queue_worker_endpoint", function.url + "no/such/function")
    with pytest.raises(psycopg.Error, match="answered 404"):
        project.rows(tick)
    project.set_secret("job_queue_worker_endpoint", function.url)
    assert project.rows(FAILED_RUNS) == []
    project.rows(LAST_MESSAGE)


def trigger_by_hand_what_is_stuck(project: Project, function: Function) -> None:
    project.upload("acme/notes.md", b"# Rivers\n\nA delta is the land at a river's mouth.\n", "text/markdown")
    environment = os.environ | {
        "JOB_QUEUE_WORKER_ENDPOINT": function.url,
        "JOB_QUEUE_RUNNER_SECRET": function.runner_secret,
    }
    finished = subprocess.run(
        ["bash", ROOT / "scripts" / "trigger-worker.sh"], env=environment, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    assert set(project.statuses("acme/notes.md").values()) == {"done"}


def put_staging_beside_production(project: Project) -> None:
    """Two names, two secrets, each with runs of its own; no value of a secret stands in a command."""
    for name in ("staging", "production"):
        project.rows(
            f"select schedule_cron_tick(job_name => 'process-flashcard-jobs-{name}', "
            f"endpoint_secret => '{name}_endpoint', runner_secret => '{name}_secret')"
        )
    commands = project.rows("select command from cron.job where jobname like 'process-flashcard-jobs-%'")
    assert sorted(re.findall(r"'(\w+_secret)'", str(commands))) == ["production_secret", "staging_secret"]


def scale_up(project: Project) -> None:
    """Six fields are refused with what to write instead; workers are a number, and need no code."""
    with pytest.raises(psycopg.Error, match="six fields") as refused:
        project.rows("select schedule_cron_tick(schedule => '*/30 * * * * *')")
    assert "30 seconds" in (refused.value.diag.message_hint or "")

    project.rows("select schedule_cron_tick(batch_size => 20, delay_ms => 200, workers => 3)")
    names = {row["jobname"] for row in project.rows("select jobname from cron.job")}
    assert {JOB, f"{JOB}-2", f"{JOB}-3"} <= names


def alert_about_stuck_jobs(project: Project) -> None:
    project.rows(ALERT)
    (row,) = project.rows("select schedule, command from cron.job where jobname = 'alert-stuck-jobs'")
    assert row["schedule"] == "0 * * * *"
    assert [list(one.values()) for one in project.rows(row["command"])] == [[None]]
