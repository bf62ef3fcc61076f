"""Who may do what, read from the catalogue: nothing new in `public` escapes these tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row
from tests.database.storage import upload

OUR_FUNCTIONS = """
select p.oid::regprocedure::text as name, p.prosecdef as definer, p.proconfig as config,
  has_function_privilege('anon', p.oid, 'execute') as anon,
  has_function_privilege('authenticated', p.oid, 'execute') as authenticated
from pg_catalog.pg_proc p
where p.pronamespace = 'public'::regnamespace
  and not exists (select from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e')
"""
OUR_TABLES = """
select c.relname as name, c.relrowsecurity as row_security,
  exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid) as has_policy,
  has_table_privilege('anon', c.oid, 'select') or has_any_column_privilege('anon', c.oid, 'select') as anon_reads,
  has_table_privilege('authenticated', c.oid, 'insert, update, delete, truncate') as authenticated_writes,
  has_any_column_privilege('authenticated', c.oid, 'select') as authenticated_reads
from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
"""


@contextmanager
def signed_in(connection: psycopg.Connection[Any], role: str, *org_ids: str) -> Iterator[None]:
    """A request as PostgREST makes it for a user of those organisations."""
    claims = {"role": role, "app_metadata": {"org_ids": list(org_ids)}}
    with connection.transaction():
        connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
        connection.execute(f"set local role {role}".encode())
        yield


def test_no_function_can_be_executed_by_a_browser_but_those_of_cards_and_of_the_policies(
    queue: Queue,
) -> None:
    functions = queue.rows(OUR_FUNCTIONS)

    assert len(functions) > 30
    assert [f["name"] for f in functions if f["anon"]] == []
    assert {f["name"].split("(")[0] for f in functions if f["authenticated"]} == {
        "current_org_ids",
        "edit_card",
        "remove_card",
        "restore_card",
        "schedule_card",
    }


def test_every_function_pins_its_search_path(queue: Queue) -> None:
    loose = [f["name"] for f in queue.rows(OUR_FUNCTIONS) if 'search_path=""' not in (f["config"] or [])]

    assert loose == []


def test_there_are_no_overloads(queue: Queue) -> None:
    names = [f["name"].split("(")[0] for f in queue.rows(OUR_FUNCTIONS)]

    assert sorted(names) == sorted(set(names))


def test_every_table_has_row_security_and_a_policy(queue: Queue) -> None:
    views = {"job_policies", "file_status", "job_queue", "jobs_queue"}
    views |= {"job_stats", "active_jobs", "pending_jobs_queue"}
    tables = [t for t in queue.rows(OUR_TABLES) if t["name"] not in views]

    assert len(tables) == 21
    assert [t["name"] for t in tables if not (t["row_security"] and t["has_policy"])] == []


def test_browsers_write_nothing_and_read_what_the_design_says(queue: Queue) -> None:
    tables = queue.rows(OUR_TABLES)

    assert [t["name"] for t in tables if t["anon_reads"]] == []
    assert [t["name"] for t in tables if t["authenticated_writes"]] == []
    assert {t["name"] for t in tables if t["authenticated_reads"]} == {
        "cards",
        "file_analyses",
        "file_status",
        "ingested_files",
        "jobs",
        "thumbnails",
    }


def test_views_run_with_the_rights_of_their_reader(queue: Queue) -> None:
    options = queue.rows(
        "select relname, reloptions from pg_catalog.pg_class "
        "where relnamespace = 'public'::regnamespace and relkind = 'v'"
    )

    assert [row["relname"] for row in options if row["reloptions"] != ["security_invoker=on"]] == []


def test_every_foreign_key_has_an_index(queue: Queue) -> None:
    missing: list[Row] = queue.rows(
        """
        select c.conrelid::regclass::text as on_table, c.conname
        from pg_catalog.pg_constraint c
        where c.contype = 'f' and c.connamespace = 'public'::regnamespace and not exists (
          select from pg_catalog.pg_index i
          where i.indrelid = c.conrelid and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] = c.conkey)
        """
    )

    assert missing == []


def test_members_see_the_files_of_their_own_organisations_only(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    upload(queue.connection, "globex/b.txt")

    with signed_in(queue.connection, "authenticated", "acme"):
        assert queue.rows("select path from public.ingested_files") == [{"path": "acme/a.txt"}]
        assert queue.rows("select path, status from public.file_status") == [
            {"path": "acme/a.txt", "status": "waiting"}
        ]
        assert len(queue.rows("select id, type, status from public.jobs")) == 3
    with signed_in(queue.connection, "authenticated"):
        assert queue.rows("select path from public.ingested_files") == []


@pytest.mark.parametrize("column", ["payload", "lease_token", "output", "last_error"])
def test_members_do_not_see_the_inside_of_a_job(queue: Queue, column: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        signed_in(queue.connection, "authenticated", "acme"),
    ):
        queue.rows(f"select {column} from public.jobs")


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_browsers_cannot_call_the_queue(queue: Queue, role: str) -> None:
    with (
        pytest.raises(
            psycopg.errors.InsufficientPrivilege, match="permission denied for function claim_jobs"
        ),
        signed_in(queue.connection, role, "acme"),
    ):
        queue.connection.execute("select public.claim_jobs(gen_random_uuid())")


def test_the_service_role_changes_jobs_through_the_functions_only(queue: Queue) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        signed_in(queue.connection, "service_role"),
    ):
        queue.connection.execute("update public.jobs set status = 'done' where true")
