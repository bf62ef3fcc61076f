"""What doctor expects to find in a database, held against the migrations that make it."""

from __future__ import annotations

import re
from pathlib import Path

from functions.doctor import expected

MIGRATIONS = Path(__file__).parents[2] / "supabase/migrations"
LIST = Path(expected.__file__).with_name("expected.txt")
MADE = re.compile(r"^create (?:or replace )?(function|table) public\.(\w+)", re.MULTILINE)
GRANTED = re.compile(r"^grant execute on function\s+public\.(\w+)\([^)]*\)\s*to ([\w, ]+);", re.MULTILINE)


def listed() -> str:
    """The list as the migrations make it; to write it: python -m tests.unit.test_doctor_expected"""
    lines = []
    for file in sorted(MIGRATIONS.glob("*.sql")):
        text = file.read_text()
        granted = dict(GRANTED.findall(text))
        for kind, name in MADE.findall(text):
            roles = ",".join(sorted(granted.get(name, "-").split(", "))) if kind == "function" else "-"
            lines.append(f"{kind} {name} {file.stem} {roles}\n")
    return "".join(lines)


def test_the_list_is_what_the_migrations_make() -> None:
    assert LIST.read_text() == listed(), "write it anew: python -m tests.unit.test_doctor_expected"


def test_what_is_read_of_it_names_the_migration_and_who_may_call() -> None:
    claim = expected.functions()["claim_jobs"]
    assert (claim.migration, claim.roles) == ("20261122000040_claim", frozenset({"service_role"}))
    assert expected.functions()["read_vault_secret"].roles == frozenset()
    assert expected.functions()["edit_card"].roles == frozenset({"authenticated"})
    assert expected.tables()["jobs"] == "20261122000010_jobs"


if __name__ == "__main__":
    LIST.write_text(listed())
