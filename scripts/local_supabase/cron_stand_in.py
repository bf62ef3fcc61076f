"""Runs the jobs of the stand-in pg_cron: leg wheel's replacement for pg_cron's background worker."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from scripts.local_supabase.cron_schedule import Task
from scripts.local_supabase.postgres import ADMIN, Cluster

POLL_SECONDS = 0.2
CONNECT_SECONDS = 10
MAX_RUNNING = 32
# The name under which operators look for the scheduler in pg_stat_activity.
SCHEDULER_NAME = "pg_cron scheduler"


@dataclass(frozen=True)
class CronJob:
    jobid: int
    schedule: str
    command: str
    database: str
    username: str
    active: bool


@dataclass
class Run:
    """One run on a connection of its own, as the job's user."""

    job: CronJob
    runid: int
    connection: psycopg.Connection[Any] | None = None
    cancelled: bool = False
    finished: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        self.cancelled = True
        if self.connection is not None and not self.finished.is_set():
            self.connection.cancel()


class CronStandIn:
    """A scheduler thread and a thread per run. All of them end with the supervisor's Postgres."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.stopping = threading.Event()
        self.jobs: dict[int, CronJob] = {}
        self.tasks: dict[int, Task] = {}
        self.runs: dict[int, Run] = {}
        self.thread = threading.Thread(target=self.loop, name="cron-stand-in", daemon=True)
        self.listener = psycopg.connect(
            cluster.socket_dsn(ADMIN), autocommit=True, application_name=SCHEDULER_NAME
        )
        self.ledger = psycopg.connect(cluster.socket_dsn(ADMIN), autocommit=True)

    def start(self) -> None:
        self.ledger.execute(
            "update cron.job_run_details "
            "set status = 'failed', return_message = 'server restarted', end_time = now() "
            "where status in ('starting', 'connecting', 'running')"
        )
        self.listener.execute("listen cron_stand_in")
        self.load_jobs(server_started=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join(timeout=5)
        for run in list(self.runs.values()):
            run.cancel()
        for run in list(self.runs.values()):
            run.finished.wait(timeout=2)
        self.listener.close()
        self.ledger.close()

    def loop(self) -> None:
        try:
            while not self.stopping.is_set():
                self.start_due_runs(datetime.now(UTC))
                for _ in self.listener.notifies(timeout=POLL_SECONDS, stop_after=1):
                    self.load_jobs()
        except psycopg.OperationalError:
            # Postgres is gone; the supervisor sees that too, and says so.
            return

    def load_jobs(self, *, server_started: bool = False) -> None:
        now = datetime.now(UTC)
        rows = self.ledger.execute(
            "select jobid, schedule, command, database, username, active from cron.job"
        ).fetchall()
        self.jobs = {row[0]: CronJob(*row) for row in rows}
        for jobid, job in self.jobs.items():
            task = self.tasks.get(jobid)
            if task is None:
                self.tasks[jobid] = Task(job.schedule, now, server_started=server_started)
            elif task.schedule != job.schedule:
                task.reschedule(job.schedule, now)
        for jobid, run in list(self.runs.items()):
            if jobid not in self.jobs or not self.jobs[jobid].active:
                run.cancel()
        for jobid in self.tasks.keys() - self.jobs.keys() - self.runs.keys():
            del self.tasks[jobid]

    def start_due_runs(self, now: datetime) -> None:
        for jobid, job in self.jobs.items():
            task = self.tasks[jobid]
            if not job.active:
                task.skip(now)
                continue
            task.advance(now)
            if len(self.runs) < MAX_RUNNING and task.start(now):
                self.start_run(job)

    def start_run(self, job: CronJob) -> None:
        row = self.ledger.execute(
            "insert into cron.job_run_details (jobid, database, username, command, status) "
            "values (%s, %s, %s, %s, 'starting') returning runid",
            (job.jobid, job.database, job.username, job.command),
        ).fetchone()
        assert row is not None
        run = Run(job, row[0])
        self.runs[job.jobid] = run
        threading.Thread(target=self.perform, args=(run,), name=f"cron-run-{run.runid}", daemon=True).start()

    def perform(self, run: Run) -> None:
        try:
            self.record(run, *self.outcome(run))
        except psycopg.OperationalError:
            # Without Postgres there is nowhere to write; the next start marks the run as failed.
            pass
        finally:
            run.finished.set()
            self.runs.pop(run.job.jobid, None)
            task = self.tasks.get(run.job.jobid)
            if task is not None:
                task.running = False

    def outcome(self, run: Run) -> tuple[str, str]:
        try:
            connection = self.connect(run.job)
        except psycopg.OperationalError:
            return "failed", "connection failed"
        with connection:
            run.connection = connection
            self.ledger.execute(
                "update cron.job_run_details set status = 'running', job_pid = %s, start_time = now() "
                "where runid = %s",
                (connection.info.backend_pid, run.runid),
            )
            try:
                return "succeeded", execute(connection, run.job.command)
            except psycopg.Error as error:
                return "failed", "job canceled" if run.cancelled else error_text(error)

    def connect(self, job: CronJob) -> psycopg.Connection[Any]:
        dsn = make_conninfo(self.cluster.socket_dsn(job.username), dbname=job.database)
        return psycopg.connect(
            dsn, autocommit=True, connect_timeout=CONNECT_SECONDS, fallback_application_name="pg_cron"
        )

    def record(self, run: Run, status: str, message: str) -> None:
        self.ledger.execute(
            "update cron.job_run_details set status = %s, return_message = %s, end_time = now() "
            "where runid = %s",
            (status, message, run.runid),
        )


def execute(connection: psycopg.Connection[Any], command: str) -> str:
    """The whole text in one implicit transaction; the last statement's result is the message."""
    cursor = connection.execute(command.encode())
    while cursor.nextset():
        pass
    if cursor.description is None:
        return cursor.statusmessage or ""
    return f"{cursor.rowcount} row{'' if cursor.rowcount == 1 else 's'}"


def error_text(error: psycopg.Error) -> str:
    """As libpq words it: severity, message, detail, context."""
    result = error.pgresult
    return result.error_message.decode(errors="replace") if result is not None else str(error)
