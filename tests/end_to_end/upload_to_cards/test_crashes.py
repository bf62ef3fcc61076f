"""A function that is killed or told to stop: nothing is lost, nothing is done twice."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx

from tests.end_to_end.upload_to_cards.project import Project

NOTE = "# Note {n}\n\nDelta{n}: the land number {n} that forms where a river meets the sea.\n"
FILES = 4


def upload_notes(project: Project) -> None:
    for n in range(FILES):
        project.upload(f"acme/{n}.md", NOTE.format(n=n).encode(), "text/markdown")


def test_after_kill_9_in_the_middle_of_a_batch_every_job_is_done_exactly_once(project: Project) -> None:
    upload_notes(project)
    with project.function() as doomed, ThreadPoolExecutor(1) as pool:
        call = pool.submit(doomed.tick, limit=20, delay=1500)
        project.wait_for("select 1 from public.jobs where status = 'done'")
        doomed.kill()
        with suppress(httpx.TransportError):
            call.result(timeout=30)
    stranded = project.rows("select id from public.jobs where status = 'processing'")
    assert len(stranded) > 1, "the kill came in the middle of the batch"
    project.rows(
        "update public.jobs set lease_expires_at = now() - interval '1 second' where status = 'processing'"
    )

    with project.function() as successor:
        answer = successor.tick(limit=50).json()

    assert answer["failed"] == 0
    assert project.rows("select status, count(*) from public.jobs group by status") == [
        {"status": "done", "count": 3 * FILES}
    ]
    done = project.rows(
        "select job_id, count(*) from public.job_runs where outcome = 'done' group by job_id having count(*) <> 1"
    )
    assert done == []
    assert project.rows("select count(*) from public.thumbnails") == [{"count": 2 * FILES}]
    cards = project.rows(
        "select count(*), count(distinct (object_id, front)) as different from public.cards"
    )[0]
    assert cards["count"] == cards["different"] >= FILES


def test_the_leases_of_a_batch_are_extended_while_it_is_worked_on(project: Project) -> None:
    upload_notes(project)
    with project.function(LEASE_SECONDS="10") as function, ThreadPoolExecutor(1) as pool:
        call = pool.submit(function.tick, limit=20, delay=60000)
        (job,) = project.wait_for(
            "select crashes from public.jobs where status = 'processing' "
            "and lease_expires_at > started_at + interval '12 seconds' limit 1"
        )
        function.child.process.send_signal(signal.SIGTERM)
        call.result(timeout=30)

    assert job["crashes"] == 0


def test_sigterm_releases_what_was_not_started_without_charging_it(project: Project) -> None:
    upload_notes(project)
    with project.function() as function, ThreadPoolExecutor(1) as pool:
        call = pool.submit(function.tick, limit=20, delay=60000)
        project.wait_for("select 1 from public.jobs where status = 'done'")
        function.child.process.send_signal(signal.SIGTERM)
        answer = call.result(timeout=30)
        function.child.process.wait(timeout=15)

    assert answer.status_code == 200
    assert answer.json()["processed"] >= 1
    left = project.rows("select distinct attempts, crashes from public.jobs where status = 'queued'")
    assert left == [{"attempts": 0, "crashes": 0}]
    assert project.rows("select 1 from public.jobs where status = 'processing'") == []
