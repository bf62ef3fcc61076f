"""The pgTAP files that `supabase test db` runs: here each is one test, in a database of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

FILES = sorted((Path(__file__).parents[2] / "supabase" / "tests").glob("*.sql"))
PLAN = re.compile(r"1\.\.([0-9]+)")
RESULT = re.compile(r"(not )?ok [0-9]+")


def run_tap(connection: psycopg.Connection[Any], script: str) -> list[str]:
    """Runs a script as psql would, in one go, and returns every line that its queries answered."""
    lines: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute(script.encode())
        while True:
            if cursor.description:
                lines += [line for row in cursor for line in str(row[0]).splitlines()]
            if not cursor.nextset():
                return lines


def problems_of(lines: list[str]) -> list[str]:
    """The failed tests with what pgTAP says about them, and a plan that was not kept."""
    problems: list[str] = []
    failed = False
    for line in lines:
        if RESULT.match(line):
            failed = line.startswith("not ok")
        if failed and line.startswith(("not ok", "#")):
            problems.append(line)
    results = [line for line in lines if RESULT.match(line)]
    planned = [int(match[1]) for line in lines if (match := PLAN.fullmatch(line))]
    if planned != [len(results)]:
        problems.append(f"planned {planned}, but ran {len(results)}")
    return problems


@pytest.fixture
def with_pgtap(
    admin: psycopg.Connection[Any], connection: psycopg.Connection[Any]
) -> psycopg.Connection[Any]:
    """As role postgres, which owns our tables, in a database where pgTAP is installed."""
    admin.execute("create extension pgtap with schema extensions")
    return connection


@pytest.mark.leg_debian
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_database_keeps_what_its_own_tests_say(with_pgtap: psycopg.Connection[Any], file: Path) -> None:
    lines = run_tap(with_pgtap, file.read_text("utf-8"))

    assert problems_of(lines) == [], "\n".join(problems_of(lines))


def test_there_are_pgtap_files_for_every_subject() -> None:
    assert [file.stem.partition("_")[2] for file in FILES] == [
        "privileges",
        "row_security",
        "constraints",
        "storage_trigger",
    ]


@pytest.mark.leg_debian
@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("select plan(1); select ok(false, 'the sun is blue'); select * from finish();", "the sun is blue"),
        ("select plan(2); select ok(true, 'one'); select * from finish();", "planned [2], but ran 1"),
    ],
)
def test_a_failed_test_and_a_broken_plan_are_noticed(
    with_pgtap: psycopg.Connection[Any], script: str, problem: str
) -> None:
    problems = problems_of(run_tap(with_pgtap, f"begin; {script} rollback;"))

    assert problem in "\n".join(problems)


@pytest.mark.leg_debian
@pytest.mark.parametrize(
    ("slip", "file", "sentence"),
    [
        (
            "grant execute on function public.queue_health() to anon",
            "10_privileges",
            "anon executes none of our",
        ),
        ("alter table public.cards disable row level security", "20_row_security", "a member sees its cards"),
        ("alter table public.jobs drop constraint an_end_has_a_time", "30_constraints", "ended some time"),
        ("drop trigger crontick_ingest_deleted on storage.objects", "40_storage_trigger", "is deleted"),
    ],
)
def test_a_slip_in_a_migration_is_reported_by_the_file_of_its_subject(
    with_pgtap: psycopg.Connection[Any], admin: psycopg.Connection[Any], slip: str, file: str, sentence: str
) -> None:
    admin.execute(slip.encode())
    (path,) = [path for path in FILES if path.stem == file]

    assert sentence in "\n".join(problems_of(run_tap(with_pgtap, path.read_text("utf-8"))))
