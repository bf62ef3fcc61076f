"""Which migrations a resumed local Supabase still needs, and when it cannot go on without a reset."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.local_supabase.database import migration_files, refuse_changed_history
from scripts.local_supabase.errors import OutdatedDataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "20_second.sql").write_text("select 2")
    (tmp_path / "10_first.sql").write_text("select 1")
    return tmp_path


def test_migrations_are_taken_in_the_order_of_their_numbers_and_other_files_are_left_out(
    folder: Path,
) -> None:
    (folder / "notes.sql").write_text("not a migration")

    assert [path.name for path in migration_files(folder).values()] == ["10_first.sql", "20_second.sql"]


@pytest.mark.parametrize("recorded", [{"10": "select 0"}, {"5": "select 1"}])
def test_a_changed_or_vanished_migration_asks_for_a_reset(folder: Path, recorded: dict[str, str]) -> None:
    refuse_changed_history(
        {"10": "select 1"}, migration_files(folder)
    )  # an unchanged one beside a new one is fine

    with pytest.raises(OutdatedDataError, match="needs a reset"):
        refuse_changed_history(recorded, migration_files(folder))
