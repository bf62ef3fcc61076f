"""Secrets are exchanged while the queue works: cron calls every second, jobs come in all the time, no call is refused.

Only where cron knows seconds; with one call a minute the same steps would take a quarter of an hour.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.local_supabase import function_process
from scripts.local_supabase.ports import free_port
from scripts.local_supabase.processes import Child
from tests.end_to_end.upload_to_cards.project import Project
from tests.fixtures.hosting_stand_ins import FrontStandIn, KeyRingStandIn

pytestmark = pytest.mark.leg_wheel
OLD, NEW = "the secret of last year", "the secret of this year"
OLD_CRON, NEW_CRON = "the other of last year", "the other of this year"
OLD_KEY, NEW_KEY = "sb_secret_" + "o" * 22, "sb_secret_" + "n" * 22
HANDLER = """
from pydantic import BaseModel
from handlers.contract import Context, Job, handler

class Count(BaseModel):
    n: int

@handler(timeout=10)
def count(job: Job[Count], ctx: Context) -> Count:
    return job.payload
"""


class Team:
    """Somebody who operates a project: deploys revisions behind one address, while applications enqueue."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        self.front = FrontStandIn()
        self.revision: Child | None = None
        self.enqueued = 0
        self._stop = threading.Event()
        self._feeder = threading.Thread(target=self._feed)

    def deploy(self, **settings: str) -> None:
        """A new revision gets the traffic as soon as it answers; the old one ends what it has begun."""
        before, port = self.revision, free_port()
        own = {
            "SUPABASE_URL": self.project.supabase.url,
            "SUPABASE_SECRET_KEY": self.project.supabase.secret_key,
            "PYTHONPATH": str(self.folder),
            "CRONTICK_HANDLERS": "rotation_jobs",
        }
        self.revision = function_process.start(own | settings, port, self.folder / f"{port}.log")
        self.front.revision_port = port
        if before is not None:
            before.stop(signal.SIGTERM, 15.0, signal.SIGKILL)

    def connect(self, secret: str) -> None:
        """What `crontick connect` sends: the secret into Vault, and the schedule as it is."""
        self.project.rpc(
            "connect_worker", worker_url=self.front.url, worker_secret=secret, job_name="rotation",
            schedule="1 second", batch_size=50,
        )  # fmt: skip

    def start(self) -> None:
        self._feeder.start()

    def _feed(self) -> None:
        while not self._stop.wait(0.05):
            self.enqueued += 1
            job = {"org_id": "acme", "type": "count", "payload": {"n": self.enqueued}}
            self.project.rpc("enqueue_jobs", jobs=[job])

    def see_ticks(self) -> None:
        """Jobs that came in after this moment are done, so cron's calls got through; and none failed."""
        wanted = self.enqueued + 20
        self.project.wait_for(
            "select 1 from public.jobs where type = 'count' and (payload ->> 'n')::int >= %s and status = 'done'",
            wanted,
        )
        assert self.failed_runs() == []

    def failed_runs(self) -> list[str]:
        rows = self.project.rows(
            "select d.return_message from cron.job_run_details d join cron.job j using (jobid) "
            "where j.jobname = 'rotation' and d.status = 'failed'"
        )
        return [row["return_message"] for row in rows]

    def finish(self) -> None:
        """Everything that came in was done, once. What a revision handed back when it ended was not begun."""
        self._stop.set()
        self._feeder.join()
        self.project.wait_for("select 1 where not exists (select from public.jobs where status <> 'done')")
        (row,) = self.project.rows(
            "select (select count(*) from public.jobs) as jobs, (select max(attempts) from public.jobs) as attempts, "
            "(select count(*) from public.job_runs where outcome <> 'release') as runs"
        )
        assert row == {"jobs": self.enqueued, "runs": self.enqueued, "attempts": 1}
        assert self.failed_runs() == []

    def statuses(self, *secrets: str) -> list[int]:
        """How the function answers who comes with each of them."""
        with httpx.Client(trust_env=False) as client:
            headers = [{"Authorization": f"Bearer {secret}"} for secret in secrets]
            return [
                client.post(self.front.url, headers=one, json={"ping": True}).status_code for one in headers
            ]

    def go(self) -> None:
        self.project.rows(
            "select public.unschedule_cron_tick('rotation') where exists (select from cron.job)"
        )
        self._stop.set()
        if self._feeder.is_alive():
            self._feeder.join()
        if self.revision is not None:
            self.revision.stop(signal.SIGTERM, 15.0, signal.SIGKILL)
        self.front.close()


@pytest.fixture
def team(project: Project, tmp_path: Path) -> Iterator[Team]:
    project.rows("select cron.unschedule(jobid) from cron.job")
    (tmp_path / "rotation_jobs").mkdir()
    (tmp_path / "rotation_jobs" / "__init__.py").touch()
    (tmp_path / "rotation_jobs" / "count.py").write_text(HANDLER)
    team = Team(project, tmp_path)
    try:
        yield team
    finally:
        team.go()


def test_both_secrets_of_the_tick_are_exchanged_without_a_lost_tick(team: Team) -> None:
    """The database calls with the one, another caller with the other."""
    team.deploy(JOB_QUEUE_RUNNER_SECRET=OLD, CRON_SECRET=OLD_CRON)
    team.connect(OLD)
    team.start()
    team.see_ticks()

    before = {"JOB_QUEUE_RUNNER_SECRET_PREVIOUS": OLD, "CRON_SECRET_PREVIOUS": OLD_CRON}
    team.deploy(JOB_QUEUE_RUNNER_SECRET=NEW, CRON_SECRET=NEW_CRON, **before)
    team.see_ticks()
    assert team.statuses(OLD, OLD_CRON, NEW, NEW_CRON) == [200, 200, 200, 200]

    team.connect(NEW)
    team.see_ticks()

    team.deploy(JOB_QUEUE_RUNNER_SECRET=NEW, CRON_SECRET=NEW_CRON)
    team.see_ticks()
    assert team.statuses(OLD, OLD_CRON, NEW, NEW_CRON) == [401, 401, 200, 200]
    team.finish()


def test_with_vault_first_calls_are_refused_until_the_function_knows_the_new_secret(team: Team) -> None:
    team.deploy(JOB_QUEUE_RUNNER_SECRET=OLD)
    team.connect(OLD)
    team.start()
    team.see_ticks()

    team.connect(NEW)
    team.project.wait_for(
        "select 1 from cron.job_run_details d join cron.job j using (jobid) "
        "where j.jobname = 'rotation' and d.status = 'failed'"
    )

    assert any("401" in said for said in team.failed_runs())


def test_the_project_s_secret_key_is_exchanged_without_a_lost_tick(team: Team) -> None:
    ring = KeyRingStandIn(team.project.supabase.url, team.project.supabase.secret_key)
    ring.live = {OLD_KEY}
    with ring.running() as url:
        secret = {"SUPABASE_URL": url, "JOB_QUEUE_RUNNER_SECRET": OLD}
        team.deploy(SUPABASE_SECRET_KEY=OLD_KEY, **secret)
        team.connect(OLD)
        team.start()
        team.see_ticks()

        ring.live = {OLD_KEY, NEW_KEY}
        team.deploy(SUPABASE_SECRET_KEY=NEW_KEY, **secret)
        ring.used.clear()
        team.see_ticks()
        assert set(ring.used) == {NEW_KEY}, "once the old revision has ended, nobody uses the old key"

        ring.live = {NEW_KEY}
        team.see_ticks()
        team.finish()
        team.go()
