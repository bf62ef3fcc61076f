"""A migrated Postgres of the chosen leg, started once; every test gets its own database, cloned from a template."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scripts.local_supabase import database
from scripts.local_supabase.leg import Leg
from scripts.local_supabase.postgres import ADMIN, Cluster, running_cluster
from scripts.local_supabase.state import LegFolder
from tests.database.cards import process
from tests.database.file_flow import card
from tests.database.long_backlog import backlog, filled
from tests.database.queue import Queue
from tests.database.templates import TEMPLATE, clone

__all__ = ["backlog", "filled"]  # fixtures that stand in a file of their own

CLONE_ATTEMPTS = 20
WORKERS = 8
numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = LegFolder(tmp_path_factory.mktemp("database"), Leg(leg))
    folder.create()
    with running_cluster(folder, "password", fsync=False) as running:
        database.prepare_platform(running)
        database.migrate(running)
        with running.connect() as admin:
            clone_busy_database(admin, TEMPLATE, "postgres")
        yield running


def clone_busy_database(admin: psycopg.Connection[Any], name: str, template: str) -> None:
    """pg_cron's scheduler stays connected to `postgres`: it is sent away, and is back a second later."""
    with psycopg.connect(admin.info.dsn, dbname="template1", autocommit=True) as elsewhere:
        for attempt in range(CLONE_ATTEMPTS):
            elsewhere.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (template,)
            )
            try:
                clone(elsewhere, name, template)
            except psycopg.errors.ObjectInUse:
                if attempt == CLONE_ATTEMPTS - 1:
                    raise
            else:
                return


@pytest.fixture
def database_name(cluster: Cluster) -> Iterator[str]:
    name = f"test_{next(numbers)}"
    with psycopg.connect(cluster.socket_dsn(ADMIN), dbname="template1", autocommit=True) as elsewhere:
        clone(elsewhere, name, TEMPLATE)
        yield name
        elsewhere.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def connection(cluster: Cluster, database_name: str) -> Iterator[psycopg.Connection[Any]]:
    """As role postgres, which owns the tables but is no superuser."""
    with psycopg.connect(cluster.socket_dsn("postgres"), dbname=database_name, autocommit=True) as opened:
        yield opened


@pytest.fixture
def second(cluster: Cluster, database_name: str) -> Iterator[psycopg.Connection[Any]]:
    """Another connection to the same database, for races."""
    with psycopg.connect(cluster.socket_dsn("postgres"), dbname=database_name, autocommit=True) as opened:
        yield opened


@pytest.fixture
def admin(cluster: Cluster, database_name: str) -> Iterator[psycopg.Connection[Any]]:
    """As the superuser, for what no operator of a hosted project may do."""
    with psycopg.connect(cluster.socket_dsn(ADMIN), dbname=database_name, autocommit=True) as opened:
        yield opened


@pytest.fixture
def queue(connection: psycopg.Connection[Any]) -> Queue:
    return Queue(connection)


@pytest.fixture
def other_worker(second: psycopg.Connection[Any]) -> Queue:
    return Queue(second)


@pytest.fixture
def editor(queue: Queue) -> Queue:
    """A connection as the SQL editor has it: role postgres, names found in public and extensions."""
    queue.connection.execute('set search_path to "$user", public, extensions')
    return queue


@pytest.fixture
def workers(cluster: Cluster, database_name: str) -> Iterator[list[Queue]]:
    with ExitStack() as stack:
        yield [
            Queue(
                stack.enter_context(
                    psycopg.connect(cluster.socket_dsn("postgres"), dbname=database_name, autocommit=True)
                )
            )
            for _ in range(WORKERS)
        ]


@pytest.fixture
def without_triggers(admin: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The superuser's connection, whose writes to storage.objects fire no trigger."""
    admin.execute("set session_replication_role = 'replica'")
    return admin


@pytest.fixture
def without_outputs(queue: Queue) -> None:
    """Jobs end without the functions that write outputs: for tests about which jobs there are."""
    queue.rows("update public.job_types set apply_function = null where true")


@pytest.fixture
def deck(queue: Queue) -> Queue:
    """A queue whose one file has the cards a, b and c."""
    process(queue, card("a"), card("b"), card("c"))
    return queue
