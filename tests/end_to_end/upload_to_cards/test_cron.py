"""cron → http → function: each leg meets one of the two extensions for real."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from scripts.local_supabase.ports import free_port
from tests.end_to_end.upload_to_cards.project import Function, Project, Row

SUPABASE = Path(__file__).parents[3] / "supabase"
SETUP = (SUPABASE / "setup-automated-processing.sql").read_text()
MANAGE = (SUPABASE / "manage-cron-job.sql").read_text()
MINUTE_AND_A_BIT = 75.0


def fill_queue(project: Project) -> None:
    """Enough due jobs that one caller cannot empty the queue before the others have looked."""
    jobs = [{"org_id": "acme", "type": "not_deployed_yet", "payload": {"n": n}} for n in range(900)]
    project.rpc("enqueue_jobs", jobs=jobs)


def run_of(project: Project, job_name: str) -> Row:
    """The first run of a schedule that called, once it has ended."""
    (row, *_) = project.wait_for(
        "select d.status, d.return_message from cron.job_run_details d join cron.job j on j.jobid = d.jobid "
        "where j.jobname = %s and d.status in ('succeeded', 'failed') order by d.runid",
        job_name,
        seconds=MINUTE_AND_A_BIT,
    )
    return row


def run_setup(project: Project) -> list[Row]:
    """The pasted file; its last statement's answer, as the SQL editor shows it."""
    with project.database.cursor() as cursor:
        cursor.execute(SETUP.encode())
        while cursor.nextset():
            pass
        columns = [column.name for column in cursor.description or []]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(autouse=True)
def no_schedules_left(project: Project) -> None:
    project.rows("select cron.unschedule(jobid) from cron.job")


def test_cron_runs_the_setup_and_the_history_tells_the_truth(project: Project, function: Function) -> None:
    """One minute of three schedules: a good one, one with a wrong secret, one whose function is down."""
    project.set_secret("wrong_secret", "wrong")
    project.set_secret("down_endpoint", f"http://127.0.0.1:{free_port()}/")
    fill_queue(project)
    run_setup(project)
    for name, secrets in (
        ("wrong-secret", "runner_secret => 'wrong_secret'"),
        ("function-down", "endpoint_secret => 'down_endpoint'"),
    ):
        project.rows(f"select public.schedule_cron_tick(job_name => '{name}', {secrets})")

    refused = run_of(project, "wrong-secret")
    unreachable = run_of(project, "function-down")
    good = run_of(project, "process-flashcard-jobs")

    assert refused["status"] == "failed"
    assert "answered 401" in refused["return_message"]
    assert "it refused the secret" in refused["return_message"]
    assert unreachable["status"] == "failed"
    assert "did not answer" in unreachable["return_message"]
    assert good["status"] == "succeeded", good["return_message"]
    assert project.rows("select 1 from public.job_runs limit 1"), "the good one called the function"


def test_setup_says_what_is_scheduled_and_what_is_missing(project: Project) -> None:
    project.rows("delete from vault.secrets where name = 'job_queue_worker_endpoint'")

    answer = {row["what"]: row for row in run_setup(project)}

    assert answer["cron job process-flashcard-jobs"]["state"] == "ok"
    assert "* * * * *" in answer["cron job process-flashcard-jobs"]["detail"]
    missing = answer["Vault secret job_queue_worker_endpoint"]
    assert missing["state"] == "MISSING"
    assert missing["detail"].startswith("select vault.create_secret(")
    assert answer["storage trigger"]["state"] == "ok"


def test_setup_can_be_run_again_and_leaves_a_pause_alone(project: Project) -> None:
    run_setup(project)
    project.rows("select cron.alter_job(jobid, active := false) from cron.job")

    answer = {row["what"]: row["state"] for row in run_setup(project)}

    assert answer["cron job process-flashcard-jobs"] == "PAUSED"
    assert answer["cron job crontick-prune"] == "PAUSED"
    names = [row["jobname"] for row in project.rows("select jobname from cron.job order by jobname")]
    assert sorted(set(names)) == names


def test_no_secret_stands_in_a_schedule(project: Project, function: Function) -> None:
    run_setup(project)

    commands = str(project.rows("select command from cron.job"))

    assert "invoke_cron_tick" in commands
    assert function.runner_secret not in commands
    assert function.url not in commands


def test_more_workers_make_more_slots_and_fewer_remove_them(project: Project) -> None:
    def names() -> list[str]:
        return [row["jobname"] for row in project.rows("select jobname from cron.job order by jobname")]

    project.rows("select public.schedule_cron_tick(job_name => 'tick', workers => 3)")
    assert names() == ["tick", "tick-2", "tick-3"]

    project.rows("select public.schedule_cron_tick(job_name => 'tick', workers => 1)")
    assert names() == ["tick"]

    project.rows("select public.unschedule_cron_tick('tick')")
    assert names() == []


def test_another_environments_schedule_that_is_called_like_a_slot_stays(project: Project) -> None:
    project.rows(
        "select public.schedule_cron_tick(job_name => 'tick-2', endpoint_secret => 'staging_endpoint')"
    )
    project.rows("select public.schedule_cron_tick(job_name => 'tick')")
    project.rows("select public.unschedule_cron_tick('tick')")

    assert project.rows("select jobname from cron.job") == [{"jobname": "tick-2"}]


def test_cron_jobs_cannot_be_changed_by_update_only_by_alter_job(project: Project) -> None:
    run_setup(project)

    with pytest.raises(Exception, match="permission denied"):
        project.rows("update cron.job set active = false where true")


@pytest.mark.parametrize("changing", [False, True], ids=["as a whole", "each -- run: line"])
def test_every_operators_query_works_as_it_stands(project: Project, changing: bool) -> None:
    run_setup(project)
    project.rpc("enqueue_job", org_id="acme", type="render")
    failed = project.rpc("claim_jobs", worker_id="00000000-0000-4000-8000-000000000001")[0]
    project.rpc(
        "resolve_jobs",
        worker_id="00000000-0000-4000-8000-000000000001",
        results=[{"job_id": failed["job_id"], "lease_token": failed["lease_token"], "outcome": "failed"}],
    )
    statements = re.findall(r"^-- run: (.+;)$", MANAGE, re.MULTILINE) if changing else [MANAGE]

    for statement in statements:
        project.rows(statement)

    assert len(statements) == (13 if changing else 1)
    assert bool(project.rows("select 1 from cron.job")) is not changing


def test_cron_enqueues_recurring_jobs_by_itself(project: Project, leg: str) -> None:
    """In seconds, where pg_cron is new enough to know seconds."""
    project.rows(
        "insert into public.cron_tasks (name, org_id, type, schedule, next_run_at) "
        "values ('report', 'acme', 'not_deployed_yet', '@yearly', now())"
    )
    project.rows("select public.schedule_cron_tasks(%s)", "1 second" if leg == "wheel" else "* * * * *")

    project.wait_for("select 1 from public.jobs where type = 'not_deployed_yet'", seconds=MINUTE_AND_A_BIT)
    (row,) = project.rows("select last_error, next_run_at > now() as is_ahead from public.cron_tasks")
    assert (row["last_error"], row["is_ahead"]) == (None, True)


def test_recurring_jobs_are_scheduled_under_one_name_and_removed_again(project: Project) -> None:
    for schedule in ("* * * * *", "*/2 * * * *"):
        project.rows("select public.schedule_cron_tasks(%s)", schedule)
    assert project.rows("select jobname, schedule, command from cron.job") == [
        {
            "jobname": "crontick-cron-tasks",
            "schedule": "*/2 * * * *",
            "command": "select public.enqueue_cron_tasks()",
        }
    ]

    for _ in range(2):
        project.rows("select public.unschedule_cron_tasks()")
    assert project.rows("select 1 from cron.job") == []


def test_a_schedule_of_recurring_jobs_with_six_fields_is_refused(project: Project) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="six fields"):
        project.rows("select public.schedule_cron_tasks('*/30 * * * * *')")
