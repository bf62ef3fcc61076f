"""What pg_cron runs beside the ticks: scheduled in one call, as often as one likes."""

from __future__ import annotations

import psycopg
import pytest

from tests.database.queue import Queue


def schedules(queue: Queue) -> dict[str, str]:
    rows = queue.rows("select jobname, schedule from cron.job where active order by jobname")
    return {row["jobname"]: row["schedule"] for row in rows}


def test_maintenance_is_scheduled_off_the_full_hour_and_removed_again(queue: Queue) -> None:
    queue.rows("select cron.schedule('theirs', '0 3 * * *', 'select 1')")
    queue.call("schedule_maintenance")

    found = schedules(queue)
    assert found["crontick-prune"] == "17 * * * *"
    assert found["crontick-alerts"] == "*/5 * * * *"
    assert found["crontick-cron-tasks"] == "* * * * *"
    assert found["crontick-reconcile"] == "6-59/10 * * * *"
    assert found["crontick-prune-storage"] == "3-59/10 * * * *"

    queue.call("unschedule_maintenance")
    assert list(schedules(queue)) == ["theirs"]
    assert queue.call("unschedule_maintenance") == "nothing was scheduled"


def test_every_scheduled_command_runs(queue: Queue) -> None:
    queue.call("schedule_maintenance")

    for row in queue.rows("select command from cron.job"):
        assert queue.rows(row["command"])


def test_files_are_reconciled_only_where_that_function_exists(
    queue: Queue, admin: psycopg.Connection[object]
) -> None:
    admin.execute("drop function public.reconcile_files(int, boolean)")
    queue.call("schedule_maintenance")
    assert "crontick-reconcile" not in schedules(queue)

    queue.rows(
        "create function public.reconcile_files(up_to int default 1, restart boolean default false) "
        "returns int return 1"
    )
    queue.call("schedule_maintenance")
    assert "crontick-reconcile" in schedules(queue)


def test_what_somebody_changed_or_paused_stays_so(queue: Queue) -> None:
    queue.call("schedule_maintenance")
    queue.rows("select cron.schedule('crontick-alerts', '*/30 * * * *', 'select public.check_alerts()')")
    queue.rows("select cron.alter_job(jobid, active := false) from cron.job where jobname = 'crontick-prune'")

    queue.call("schedule_maintenance")

    assert schedules(queue)["crontick-alerts"] == "*/30 * * * *"
    assert "crontick-prune" not in schedules(queue)


@pytest.mark.parametrize("function", ["schedule_maintenance", "unschedule_maintenance"])
def test_a_project_without_pg_cron_is_told_so(
    queue: Queue, admin: psycopg.Connection[object], function: str
) -> None:
    admin.execute("drop extension pg_cron cascade")

    with pytest.raises(psycopg.Error, match="pg_cron is not installed"):
        queue.call(function)
