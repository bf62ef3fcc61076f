"""What goes wrong with pg_cron."""

from __future__ import annotations

from tests.end_to_end.doctor.breaks import SCHEDULE, TICK, Break
from tests.end_to_end.doctor.patient import NEVER

MAINTENANCE = (
    "select public.schedule_maintenance(); "
    f"select cron.alter_job(jobid, schedule := '{NEVER}') from cron.job where jobname like 'crontick-%'"
)


def run(status: str, message: str, ago: str, times: int = 1) -> str:
    """Runs of the tick as pg_cron would have noted them."""
    return (
        "insert into cron.job_run_details (jobid, runid, database, username, command, status, return_message, "
        f"start_time, end_time) select {TICK}, nextval('cron.runid_seq'), 'postgres', 'postgres', 'x', '{status}', "
        f"'{message}', now() - interval '{ago}', now() from generate_series(1, {times})"
    )


NO_RUNS = "delete from cron.job_run_details where command = 'x'"

SCHEDULED = {
    "no tick is scheduled": Break(
        f"select cron.unschedule({TICK})",
        "schedule",
        "ticks",
        "broken",
        "nobody calls the worker",
        mend=SCHEDULE,
        as_admin=False,
    ),
    "the tick is switched off": Break(
        f"select cron.alter_job({TICK}, active := false)",
        "schedule",
        "ticks",
        "broken",
        "is switched off",
        as_admin=False,
    ),
    "the tick has six fields": Break(
        f"select cron.alter_job({TICK}, schedule := '1 0 1 1 * *')",
        "schedule",
        "ticks",
        "broken",
        "its first five fields only",
        mend=SCHEDULE,
        as_admin=False,
    ),
    "maintenance is not scheduled": Break(
        "select cron.unschedule('crontick-prune')",
        "schedule",
        "maintenance",
        "warning",
        "not scheduled: crontick-prune",
        mend=MAINTENANCE,
        as_admin=False,
    ),
    "maintenance is switched off": Break(
        "select cron.alter_job(jobid, active := false) from cron.job where jobname = 'crontick-alerts'",
        "schedule",
        "maintenance",
        "warning",
        "crontick-alerts is switched off",
        as_admin=False,
    ),
    "the tick belongs to somebody else": Break(
        f"update cron.job set username = 'supabase_admin' where jobid = {TICK}",
        "schedule",
        "owners",
        "warning",
        "belongs to supabase_admin",
        mend=f"update cron.job set username = 'postgres' where jobid = {TICK}",
    ),
    "the tick runs in another database": Break(
        f"update cron.job set database = 'template1' where jobid = {TICK}",
        "schedule",
        "owners",
        "broken",
        "in the database template1",
        mend=f"update cron.job set database = 'postgres' where jobid = {TICK}",
    ),
    "the last runs failed": Break(
        run("failed", "ERROR:  the worker at x answered 500", "1 minute", 3),
        "schedule",
        "runs",
        "broken",
        "fails: the worker at x answered 500",
        mend=NO_RUNS,
    ),
    "the last run failed": Break(
        run("succeeded", "1 row", "2 minutes") + ";" + run("failed", "ERROR:  x", "1 minute"),
        "schedule",
        "runs",
        "warning",
        "the last run of process-flashcard-jobs failed: x",
        mend=NO_RUNS,
    ),
    "the schedule has stopped": Break(
        run("succeeded", "1 row", "3 hours") + f"; select cron.alter_job({TICK}, schedule := '* * * * *')",
        "schedule",
        "runs",
        "broken",
        "and should have since",
        mend=f"{NO_RUNS}; {SCHEDULE}",
        as_admin=False,
    ),
    "a secret stands in a command": Break(
        f"select cron.schedule('theirs', '{NEVER}', 'select ''Authorization: Bearer abc123'' ')",
        "schedule",
        "secrets in commands",
        "warning",
        "in the command of the schedule theirs",
        mend="select cron.unschedule('theirs')",
        as_admin=False,
    ),
}
