"""`crontick connect`: from an empty project to a worker that is called, once or for two environments side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import Result

from tests.end_to_end.doctor.patient import NEVER, Patient
from tests.unit.cli_calls import crontick

STAGING = (
    *("--job-name", "staging", "--schedule", NEVER),
    *("--endpoint-secret", "staging_worker_endpoint", "--runner-secret", "staging_runner_secret"),
)
OTHER_SECRET = "another-secret-of-staging"


@pytest.fixture
def shell(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An operator's shell, and the patient as it was afterwards."""
    monkeypatch.setenv("K_SERVICE", "test")  # no .env of this folder
    monkeypatch.setenv("SUPABASE_URL", patient.project.supabase.url)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", patient.project.supabase.secret_key)
    monkeypatch.setenv("JOB_QUEUE_RUNNER_SECRET", patient.function.runner_secret)
    yield monkeypatch
    project = patient.project
    project.rows("select cron.unschedule(jobid) from cron.job where jobname ~ '^(staging|process)'")
    project.rows("select public.schedule_cron_tick(schedule => %s)", NEVER)
    project.rows("select public.schedule_maintenance()")
    project.rows(
        "select cron.alter_job(jobid, schedule := %s) from cron.job where jobname like 'crontick-%%'", NEVER
    )
    project.rows("delete from vault.secrets where name like 'staging_%'")
    project.set_secret("job_queue_worker_endpoint", patient.function.url)
    project.set_secret("job_queue_runner_secret", patient.function.runner_secret)


def connect(patient: Patient, *options: str, url: str | None = None) -> Result:
    return crontick("connect", "--url", url or patient.function.url, *options)


def steps(done: Result) -> dict[str, str]:
    said: Any = json.loads(done.stdout)
    return {step["what"]: step["change"] for step in said["steps"]}


def state(patient: Patient) -> list[Any]:
    return [
        patient.project.rows("select jobid, jobname, schedule, command, active from cron.job order by jobid"),
        patient.project.rows("select name, decrypted_secret from vault.decrypted_secrets order by name"),
    ]


def test_connect_makes_what_is_missing_and_a_second_time_nothing(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    patient.project.rows("select cron.unschedule(jobid) from cron.job")
    patient.project.rows(
        "delete from vault.secrets where name in ('job_queue_worker_endpoint', 'job_queue_runner_secret')"
    )

    first = connect(patient, "--schedule", NEVER, "--batch-size", "7", "--json")
    again = connect(patient, "--schedule", NEVER, "--batch-size", "7", "--json")

    assert first.exit_code == 0, first.output
    assert {what for what, change in steps(first).items() if change == "created"} == {
        "Vault secret job_queue_worker_endpoint",
        "Vault secret job_queue_runner_secret",
        "schedule process-flashcard-jobs",
        *(
            f"schedule crontick-{name}"
            for name in ("alerts", "cron-tasks", "prune", "prune-storage", "reconcile")
        ),
    }
    assert json.loads(first.stdout)["doctor"]["ok"] is True
    assert set(steps(again).values()) == {"unchanged"}
    assert patient.function.runner_secret not in first.output + again.output
    (tick,) = patient.project.rows("select command from cron.job where jobname = 'process-flashcard-jobs'")
    assert "batch_size => 7" in tick["command"]


def test_connecting_again_for_a_new_secret_keeps_how_the_ticks_were_scheduled(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    patient.project.rows(
        "select public.schedule_cron_tick(schedule => %s, batch_size => 20, delay_ms => 5, workers => 3)",
        NEVER,
    )
    before = state(patient)[0]
    assert connect(patient).exit_code in (0, 3)
    assert state(patient)[0] == before

    assert connect(patient, "--workers", "2").exit_code in (0, 3)
    ticks = patient.project.rows(
        "select jobname, schedule, command from cron.job where jobname ~ '^process' order by jobname"
    )
    assert [row["jobname"] for row in ticks] == ["process-flashcard-jobs", "process-flashcard-jobs-2"]
    assert {row["schedule"] for row in ticks} == {NEVER}
    assert all("batch_size => 20, delay_ms => 5" in row["command"] for row in ticks)


def test_an_environment_that_is_connected_again_keeps_its_own_secrets(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    assert connect(patient, *STAGING).exit_code in (0, 3)
    before = state(patient)

    assert connect(patient, "--job-name", "staging").exit_code in (0, 3)
    assert state(patient) == before


def test_a_schedule_that_cron_does_not_know_is_refused_in_one_sentence(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    done = connect(patient, "--schedule", "every minute")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: invalid schedule: every minute\n")
    assert done.stderr.count("Use cron format") <= 1


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    before = state(patient)
    done = connect(patient, *STAGING, "--workers", "2", "--dry-run")

    assert done.exit_code == 0, done.output
    assert "This would change:" in done.stdout
    for what in ("Vault secret staging_worker_endpoint", "schedule staging", "schedule staging-2"):
        assert f"created   {what}\n" in done.stdout
    assert state(patient) == before


def test_a_schedule_that_was_switched_off_stays_so_and_is_told(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    patient.project.rows(
        "select cron.alter_job(jobid, active := false) from cron.job where jobname = 'process-flashcard-jobs'"
    )
    done = connect(patient, "--schedule", NEVER)

    assert "schedule process-flashcard-jobs  (switched off, and stays so)" in done.stdout
    assert done.exit_code == 1


def test_staging_and_production_each_call_their_own_function(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    assert connect(patient, "--schedule", NEVER).exit_code == 0
    with patient.project.function(JOB_QUEUE_RUNNER_SECRET=OTHER_SECRET) as staging:
        patient.project.set_secret("job_queue_worker_endpoint", patient.function.url)
        shell.setenv("JOB_QUEUE_RUNNER_SECRET", OTHER_SECRET)
        done = connect(patient, *STAGING, url=staging.url)
        assert done.exit_code == 0, done.output

        called: dict[str, str] = {}
        for row in patient.project.rows(
            "select jobname, command from cron.job where command like '%invoke_cron_tick(%'"
        ):
            patient.project.rpc(
                "enqueue_job", org_id="doctor", type="count_words", idempotency_key=row["jobname"]
            )
            (answer,) = patient.project.rows(row["command"].replace("%", "%%"))
            called[row["jobname"]] = answer["invoke_cron_tick"]
        logs = {
            name: (function.child.log_path.read_text())
            for name, function in (("production", patient.function), ("staging", staging))
        }
        patient.project.rows("delete from public.jobs where org_id = 'doctor'")

    assert called == dict.fromkeys(("process-flashcard-jobs", "staging"), "called: the worker answered 200")
    assert all("count_words" in log for log in logs.values())


def test_a_second_environment_cannot_take_the_first_ones_worker_away(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    before = state(patient)
    done = connect(patient, "--job-name", "staging", url="http://127.0.0.1:1/")
    shell.setenv("JOB_QUEUE_RUNNER_SECRET", OTHER_SECRET)
    other = connect(patient, "--job-name", "staging")

    for refused in (done, other):
        assert refused.exit_code == 1
        assert 'the schedule "process-flashcard-jobs" uses the secret job_queue_' in refused.stderr
        assert "--endpoint-secret" in refused.stderr
    assert state(patient) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--url", "http://worker.example.com/"], "--url is not https"),
        (["--url", "https://user:word@worker.example.com/"], "more than scheme, host and path"),
        (["--url", "https://worker.example.com/?key=1"], "more than scheme, host and path"),
        (["--url", "worker.example.com"], "--url is no address"),
    ],
)
def test_an_address_that_cannot_be_the_workers_is_refused_before_anything_is_asked(
    patient: Patient, shell: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    done = crontick("connect", *arguments)
    assert (done.exit_code, words in done.stderr) == (2, True)


def test_connect_without_a_secret_or_with_the_projects_key_is_refused(
    patient: Patient, shell: pytest.MonkeyPatch
) -> None:
    shell.setenv("JOB_QUEUE_RUNNER_SECRET", patient.project.supabase.secret_key)
    assert "is the project's secret key" in connect(patient).stderr
    shell.delenv("JOB_QUEUE_RUNNER_SECRET")
    done = connect(patient)
    assert (done.exit_code, "JOB_QUEUE_RUNNER_SECRET is not set" in done.stderr) == (2, True)


def test_a_local_function_is_no_use_to_a_hosted_project(patient: Patient, shell: pytest.MonkeyPatch) -> None:
    shell.setenv("SUPABASE_URL", "https://abcdefghijklmnopqrst.supabase.co")
    done = connect(patient)
    assert (done.exit_code, "database cannot reach" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"worker_url": "http://worker.example.com/"},
        {"worker_url": "https://user@worker.example.com/"},
        {"worker_secret": "short"},
        {"runner_secret": "job_queue_worker_endpoint"},
        {"schedule": "*/30 * * * * *"},
        {"workers": 9},
    ],
    ids=str,
)
def test_the_database_refuses_what_is_wrong_whoever_calls(
    patient: Patient, shell: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    before = state(patient)
    right = {"worker_url": patient.function.url, "worker_secret": patient.function.runner_secret}
    with pytest.raises(Exception, match="22023"):
        patient.project.rpc("connect_worker", **right | wrong)
    assert state(patient) == before
