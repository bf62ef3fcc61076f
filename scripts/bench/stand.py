"""What everything is measured on: one Postgres run as a server is, the real PostgREST, the rivals' databases."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from scripts.bench.options import Options, Sizes
from scripts.bench.progress import Progress
from scripts.bench.queue_client import JOB_TYPE
from scripts.local_supabase import database
from scripts.local_supabase.installations import DEBIAN_EXTENSIONS, DEBIAN_PREFIX, DEBIAN_VERSION
from scripts.local_supabase.leg import Leg
from scripts.local_supabase.postgres import ADMIN, Cluster, running_cluster
from scripts.local_supabase.postgrest import find_or_install, running_postgrest
from scripts.local_supabase.state import Keys, LegFolder

# Checkpoints come by size rather than in the middle of somebody's turn; the same for all.
SERVER_SETTINGS = {"max_wal_size": "4GB", "checkpoint_timeout": "30min", "synchronous_commit": "on"}
ORGANISATIONS = 1000

FILL = """
insert into public.jobs (org_id, type, payload, max_attempts, idempotency_key, run_at)
select
  case when n %% 10 < %(of_ten)s then 'org-0' else 'org-' || n %% %(organisations)s end,
  %(type)s, jsonb_build_object('n', n), 5, n::text, now() - make_interval(secs => 3600 - n / 1e6)
from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""


@dataclass(frozen=True)
class Stand:
    """A running stand. Connections are autocommit, as the superuser, unless said otherwise."""

    cluster: Cluster
    rest_url: str
    keys: Keys
    options: Options
    progress: Progress

    @property
    def sizes(self) -> Sizes:
        return self.options.sizes

    def dsn(self, name: str = "postgres") -> str:
        return self.cluster.url(ADMIN).rsplit("/", 1)[0] + f"/{name}"

    def connect(self, name: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn(name), autocommit=True)

    def make_database(self, name: str) -> str:
        """A database of that name on the same server, for a rival; answers its address."""
        with self.connect("template1") as connection:
            found = connection.execute("select from pg_database where datname = %s", (name,)).fetchone()
            if found is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self.dsn(name)

    def empty(self) -> None:
        with self.connect() as connection:
            connection.execute("truncate public.jobs, public.job_parents, public.job_runs cascade")

    def fill(self, jobs: int, *, organisations: int = 1, of_ten: int = 10, already: int = 0) -> None:
        """Queues `jobs` in all, `already` of them being there; `of_ten` tenths of them are one organisation's."""
        values = {"organisations": organisations, "of_ten": of_ten, "type": JOB_TYPE}
        with self.connect() as connection:
            connection.execute("set synchronous_commit = off")
            connection.execute(FILL, {**values, "first": already + 1, "last": jobs})
        self.settle()

    def settle(self, name: str = "postgres") -> None:
        """Nobody starts with dead rows, old statistics or somebody else's dirty pages."""
        with self.connect(name) as connection:
            if name == "postgres":
                connection.execute("vacuum (analyze) public.jobs")
                connection.execute("vacuum (analyze) public.job_runs")
            else:
                connection.execute("vacuum (analyze)")
            connection.execute("checkpoint")

    def machine(self) -> dict[str, str]:
        with self.connect() as connection:
            row = connection.execute("show server_version").fetchone()
        return {
            "cores": str(len(os.sched_getaffinity(0))),
            "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
            "processor": processor(),
            "PostgreSQL": "" if row is None else str(row[0]),
            "Python": platform.python_version(),
        }

    def client_options(self, kind: str, batch: int) -> str:
        """The first line on stdin of `scripts.bench.client`."""
        addresses = {"rest_url": self.rest_url, "key": self.keys.service_role_key, "dsn": self.dsn()}
        return json.dumps({"kind": kind, "batch": batch, **addresses})


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def default_leg() -> Leg:
    """Debian's PostgreSQL when it is installed, as a server has it; else the wheel's."""
    share = DEBIAN_PREFIX / f"share/postgresql/{DEBIAN_VERSION}"
    has_all = all((share / f"extension/{name}.control").exists() for name in DEBIAN_EXTENSIONS)
    return Leg.DEBIAN if has_all else Leg.WHEEL


@contextmanager
def running_stand(options: Options, progress: Progress) -> Iterator[Stand]:
    """Starts from an empty data directory below `--out`, which is removed afterwards."""
    progress.start("set-up")
    program = find_or_install(None)
    folder = LegFolder((options.out / "postgres").resolve(), options.leg)
    shutil.rmtree(folder.directory, ignore_errors=True)
    folder.create()
    keys = folder.keys()
    try:
        with running_cluster(folder, keys.database_password, fsync=True) as cluster:
            database.prepare_platform(cluster)
            database.migrate(cluster)
            configure(cluster)
            log = folder.logs / "postgrest.log"
            with running_postgrest(program, cluster, keys.jwt_secret, log) as (_child, url):
                yield Stand(cluster, url, keys, options, progress)
    finally:
        shutil.rmtree(folder.directory, ignore_errors=True)


def configure(cluster: Cluster) -> None:
    with cluster.connect() as connection:
        for name, value in SERVER_SETTINGS.items():
            connection.execute(
                sql.SQL("alter system set {} = {}").format(sql.Identifier(name), sql.Literal(value))
            )
        connection.execute("select pg_reload_conf()")
