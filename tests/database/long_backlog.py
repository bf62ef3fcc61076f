"""Databases with a long and a short backlog, and what a statement reads there. Counted, never timed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scripts.local_supabase.postgres import ADMIN, Cluster
from tests.database.templates import TEMPLATE, clone

LONG, SHORT = 100_000, 1_000
BATCH = 100
CLAIM = f"select public.claim_jobs(gen_random_uuid(), {BATCH})"
FILL = """
insert into public.jobs (org_id, type, max_attempts, idempotency_key, status, turn, run_at, completed_at)
select 'org-' || (n %% 200), 'type_' || (n / 7 %% 3), 5, n::text,
  case when n <= %(ready)s + %(later)s then 'queued' else 'done' end,
  case when n > %(ready)s and n <= %(ready)s + %(later)s then 'later' else 'ready' end,
  case when n > %(ready)s and n <= %(ready)s + %(later)s then now() + interval '1 day' + n * interval '1 ms'
    else now() - interval '1 hour' + n * interval '1 ms' end,
  case when n > %(ready)s + %(later)s then now() end
from generate_series(1, %(ready)s + %(later)s + %(done)s) n
"""
COUNTERS = """
select
  sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint as entries,
  pg_stat_get_xact_numscans('public.jobs'::regclass) as sequential_scans
from pg_catalog.pg_index i where i.indrelid = 'public.jobs'::regclass
"""


@dataclass
class Backlog:
    """A database with so many ready jobs; autovacuum does not touch them, so what is not analysed stays so."""

    connection: psycopg.Connection[Any]

    def count(self, statement: str = CLAIM, *, before: str = "select 1") -> tuple[int, int]:
        """Index entries of jobs that a statement reads, and sequential scans of jobs; nothing of it stays."""
        self.rehearse(statement)
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(before.encode())
            start = self.counters()
            self.connection.execute(statement.encode())
            end = self.counters()
        return end[0] - start[0], end[1] - start[1]

    def pages(self, statement: str = CLAIM) -> int:
        """Pages that a statement touches, in memory or on disk, inside the functions it calls as well."""
        self.rehearse(statement)
        with self.connection.transaction(force_rollback=True):
            row = self.connection.execute(
                f"explain (analyze, buffers, timing off, format json) {statement}".encode()
            ).fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]
        return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])

    def plans(self, statement: str = CLAIM) -> list[dict[str, Any]]:
        """The plan of every statement that a statement runs, with what each of its nodes really read."""
        try:
            self.connection.execute("load 'auto_explain'")
        except psycopg.errors.UndefinedFile:
            pytest.skip("this PostgreSQL comes without auto_explain")
        plans: list[dict[str, Any]] = []
        for setting in (
            "log_min_duration = 0",
            "log_nested_statements = on",
            "log_analyze = on",
            "log_timing = off",
            "log_format = json",
            "log_level = notice",
        ):
            self.connection.execute(f"set auto_explain.{setting}".encode())

        def keep(notice: psycopg.errors.Diagnostic) -> None:
            _, found, plan = (notice.message_primary or "").partition("plan:\n")
            if found:
                plans.append(json.loads(plan)["Plan"])

        self.connection.add_notice_handler(keep)
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(statement.encode())
        return plans

    def rehearse(self, statement: str) -> None:
        """Once for nothing: a new connection reads the catalogue first."""
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(statement.encode())

    def counters(self) -> tuple[int, int]:
        row = self.connection.execute(COUNTERS).fetchone()
        assert row is not None
        return row[0], row[1]


@pytest.fixture(scope="session")
def filled(cluster: Cluster) -> Iterator[dict[int, str]]:
    """A template database for each length of the backlog."""
    names = {ready: f"backlog_{ready}" for ready in (LONG, SHORT)}
    with psycopg.connect(cluster.socket_dsn(ADMIN), dbname="template1", autocommit=True) as elsewhere:
        for ready, name in names.items():
            clone(elsewhere, name, TEMPLATE)
            with psycopg.connect(cluster.socket_dsn(ADMIN), dbname=name, autocommit=True) as opened:
                opened.execute("alter table public.jobs set (autovacuum_enabled = false)")
                opened.execute(FILL, {"ready": ready, "later": ready // 5, "done": ready // 20})
        yield names
        for name in names.values():
            elsewhere.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def backlog(cluster: Cluster, filled: dict[int, str]) -> Iterator[Callable[..., Backlog]]:
    """Opens a copy of a backlog: of 100,000 ready jobs unless said otherwise."""
    with ExitStack() as stack:
        elsewhere = stack.enter_context(
            psycopg.connect(cluster.socket_dsn(ADMIN), dbname="template1", autocommit=True)
        )

        def opened(ready: int = LONG, *, analysed: bool) -> Backlog:
            name = f"{filled[ready]}_copy"
            clone(elsewhere, name, filled[ready])
            drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            stack.callback(elsewhere.execute, drop)
            connection = psycopg.connect(cluster.socket_dsn(ADMIN), dbname=name, autocommit=True)
            stack.enter_context(connection)
            if analysed:
                connection.execute("analyze public.jobs")
            return Backlog(connection)

        yield opened


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes_of(child)


def rows_read(node: dict[str, Any]) -> float:
    """Rows that a node looked at over all its rounds, those it threw away included."""
    kept_and_thrown = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return float(sum(node.get(key, 0) for key in kept_and_thrown) * node["Actual Loops"])
