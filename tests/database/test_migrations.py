"""The migrations as files: numbered, one transaction each, and refused cleanly when they are applied twice."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from tests.database.queue import Queue

MIGRATIONS = sorted((Path(__file__).parents[2] / "supabase" / "migrations").glob("*.sql"))


def test_migrations_are_numbered_in_the_order_a_job_travels() -> None:
    names = [re.fullmatch(r"20261122(\d{6})_([a-z_]+)\.sql", path.name) for path in MIGRATIONS]

    assert all(names), [path.name for path in MIGRATIONS]
    journey = ["jobs", "ingest", "enqueue", "claim", "resolve"]
    assert [match[2] for match in names if match and match[2] in journey] == journey


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem.partition("_")[2])
def test_a_migration_applied_twice_is_refused_and_changes_nothing(queue: Queue, path: Path) -> None:
    before = queue.rows(
        "select count(*) from pg_catalog.pg_class union all select count(*) from pg_catalog.pg_proc"
    )
    with (
        pytest.raises(
            (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateFunction, psycopg.errors.DuplicateObject)
        ),
        queue.connection.transaction(),
    ):
        queue.connection.execute(path.read_text().encode())

    after = queue.rows(
        "select count(*) from pg_catalog.pg_class union all select count(*) from pg_catalog.pg_proc"
    )
    assert after == before


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem.partition("_")[2])
def test_a_migration_says_what_it_is_and_never_drops_a_trigger(path: Path) -> None:
    text = path.read_text()

    assert text.startswith("-- ")
    assert "drop trigger" not in text
    assert not re.search(r"^\s*(SELECT|CREATE|UPDATE|INSERT|DELETE|ALTER|GRANT)\b", text, re.MULTILINE)


def test_no_update_or_delete_is_without_a_condition_because_hosted_rest_calls_refuse_it() -> None:
    for path in MIGRATIONS:
        text = re.sub(r"--.*", "", path.read_text())
        for change in re.finditer(r"\b(update|delete from) (public|storage)\.\w+(?! on)", text):
            statement = text[change.start() : text.index(";", change.start())]
            assert re.search(r"\bwhere\b", statement), f"{path.name}: {statement}"


def test_unfinished_states_are_guarded_by_constraints_and_not_only_by_code(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    for change in (
        "status = 'processing'",
        "status = 'done'",
        "status = 'waiting'",
        "attempts = max_attempts + 1",
        "status = 'sleeping'",
        "org_id = ' '",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            queue.rows(f"update public.jobs set {change} where id = {job_id}")
