"""Link: pg_cron: that the ticks and the maintenance are scheduled, run, and end well."""

from __future__ import annotations

from collections.abc import Iterator

from functions.doctor.facts import Schedule
from functions.doctor.findings import Check, Verdict, broken, note, ok, warning
from functions.doctor.look import Seen
from functions.redact import redact

_CONNECT = "crontick connect --url https://<your function>"
_FIELDS_WITH_SECONDS = 6
_MINUTE = 60.0
_LARGE_LOG_BYTES = 1_000_000_000
_PRUNE_RUNS = "delete from cron.job_run_details where end_time < now() - interval '7 days';"


def _ticks(seen: Seen) -> list[Schedule]:
    return [one for one in seen.known().schedules.get() if one.kind == "tick"]


def _ours(seen: Seen) -> list[Schedule]:
    return [one for one in seen.known().schedules.get() if one.kind != "other"]


def _scheduler(seen: Seen) -> Iterator[Verdict]:
    scheduler = seen.known().scheduler.get()
    database = seen.known().database.get().name
    if scheduler.runs_in not in (None, "", database):
        yield broken(
            f"pg_cron works in the database {scheduler.runs_in}, not in {database}",
            f"Move the queue to {scheduler.runs_in}: a hosted project has pg_cron in postgres only.",
        )
    elif scheduler.processes:
        yield ok("pg_cron's scheduler is running")
    elif not scheduler.visible:
        yield note("whether pg_cron's scheduler runs is not for this role to see; the runs below tell")
    else:
        yield broken(
            "pg_cron's scheduler is not running: nothing is started",
            "Restart the database: https://supabase.com/dashboard/project/_/settings/general",
        )


def _tick_scheduled(seen: Seen) -> Iterator[Verdict]:
    ticks = _ticks(seen)
    if not ticks:
        yield broken("no tick is scheduled: nobody calls the worker", _CONNECT)
    for one in ticks:
        if not one.active:
            others = any(other.active for other in ticks)
            yield (warning if others else broken)(
                f"the schedule {one.label} is switched off",
                f"select cron.alter_job({one.jobid}, active := true);",
            )
        elif len(one.schedule.split()) == _FIELDS_WITH_SECONDS:
            yield broken(
                f"the schedule {one.label} is “{one.schedule}”: pg_cron reads its first five fields only",
                f"select cron.alter_job({one.jobid}, schedule := '* * * * *');",
            )
        else:
            yield ok(f"{one.label} at “{one.schedule}”")


def _pace(seen: Seen) -> Iterator[Verdict]:
    """pg_cron starts a missed minute late, not never: calls longer than the schedule's turn pile up."""
    timeout = seen.known().settings.get().http_timeout_ms / 1000
    every_minute = [
        one.label for one in _ticks(seen) if one.active and one.schedule.split()[0] in ("*", "*/1")
    ]
    if every_minute and timeout >= _MINUTE:
        yield warning(
            f"a call may take {timeout:g} s, and {every_minute[0]} comes every minute: runs would pile up",
            "update public.job_queue_settings set http_timeout_ms = 55000 where only_row;",
        )


def _owners(seen: Seen) -> Iterator[Verdict]:
    database = seen.known().database.get().name
    for one in _ours(seen):
        if one.database != database:
            yield broken(
                f"the schedule {one.label} runs in the database {one.database}, not in {database}",
                f"select cron.unschedule({one.jobid});\n{_CONNECT}",
            )
        elif one.username != "postgres":
            yield warning(
                f"the schedule {one.label} belongs to {one.username}: postgres, who owns the queue, cannot change it",
                f"As {one.username}: select cron.unschedule({one.jobid});\n{_CONNECT}",
            )


def _maintenance(seen: Seen) -> Iterator[Verdict]:
    there = {one.name: one for one in _ours(seen) if one.kind == "maintenance"}
    missing = [name for name in seen.known().maintenance.get() if name not in there]
    if missing:
        yield warning(f"not scheduled: {', '.join(missing)}", "select public.schedule_maintenance();")
    for name, one in there.items():
        if not one.active:
            yield warning(f"{name} is switched off", f"select cron.alter_job({one.jobid}, active := true);")
    if not missing and all(one.active for one in there.values()):
        yield ok(", ".join(sorted(one.label for one in there.values())))


def _runs(seen: Seen) -> Iterator[Verdict]:
    for one in _ours(seen):
        if not one.active:
            continue
        if not one.runs:
            if one.kind == "tick":
                yield note(f"{one.label} has not run yet", "Wait for its next turn and look again.")
            continue
        yield from _last_runs(one)


def _last_runs(one: Schedule) -> Iterator[Verdict]:
    ended = [run for run in one.runs if run.status in ("succeeded", "failed")]
    bad = broken if one.kind == "tick" else warning
    see = f"select * from cron.job_run_details where jobid = {one.jobid} order by runid desc limit 10;"
    if (one.overdue_seconds or 0) > 0:
        yield bad(
            f"{one.label} last ran {one.runs[0].seconds_ago} s ago, and should have since",
            f"{see}\nIf nothing is there: restart the database.",
        )
    elif ended and all(run.status == "failed" for run in ended[:3]):
        yield bad(f"{one.label} fails: {_said(ended[0].message)}", see)
    elif ended and ended[0].status == "failed":
        yield warning(f"the last run of {one.label} failed: {_said(ended[0].message)}", see)
    elif one.kind == "tick" and ended:
        yield ok(f"{one.label} ran {one.runs[0].seconds_ago} s ago: {_said(ended[0].message)}")


def _said(message: str | None) -> str:
    first = next(iter((message or "").strip().splitlines()), "no message")
    return redact(first.removeprefix("ERROR:").strip())


def _secrets_in_commands(seen: Seen) -> Iterator[Verdict]:
    for one in seen.known().schedules.get():
        if one.shows_secret:
            yield warning(
                f"a secret seems to stand in the command of the schedule {one.label}: cron.job and its log show it",
                f"{_CONNECT}\nselect cron.unschedule({one.jobid});\nThen change that secret.",
            )


def _run_log(seen: Seen) -> Iterator[Verdict]:
    size = seen.known().scheduler.get().details_bytes
    if size is not None and size > _LARGE_LOG_BYTES:
        yield warning(f"cron.job_run_details has grown to {size / 1e9:.1f} GB: nobody prunes it", _PRUNE_RUNS)


CHECKS = (
    Check("scheduler", _scheduler),
    Check("ticks", _tick_scheduled),
    Check("pace", _pace),
    Check("owners", _owners),
    Check("maintenance", _maintenance),
    Check("runs", _runs),
    Check("secrets in commands", _secrets_in_commands),
    Check("log of the runs", _run_log),
)
