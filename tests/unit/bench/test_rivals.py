"""What is known of the rivals without running them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.bench.rivals.settings import HERE, pgqueuer_settings, procrastinate_settings, rivals_python
from scripts.local_supabase.errors import LocalSupabaseError


def test_every_rival_is_pinned_so_that_two_runs_compare_the_same() -> None:
    lines = [
        line for line in (HERE / "requirements.txt").read_text().splitlines() if not line.startswith("#")
    ]
    assert {"pgqueuer", "procrastinate"} <= {line.partition("==")[0] for line in lines}
    assert all(re.fullmatch(r"[a-z\[\],]+==[0-9.]+", line) for line in lines)


def test_each_rival_that_has_a_setting_has_a_runner() -> None:
    rivals = {setting.rival for setting in [*pgqueuer_settings(100), *procrastinate_settings()]}
    assert rivals == {"pgqueuer", "procrastinate"}
    assert all((HERE / f"{rival}_runner.py").exists() for rival in rivals)


def test_pgqueuer_is_tried_with_both_drivers_at_the_batch_that_is_compared() -> None:
    tried = list(pgqueuer_settings(500))
    assert {setting.driver for setting in tried} == {"asyncpg", "psycopg"}
    assert {setting.batch for setting in tried} == {500}


def test_an_environment_of_the_same_versions_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "requirements.txt").write_text((HERE / "requirements.txt").read_text())
    assert rivals_python(tmp_path) == tmp_path / "bin" / "python"


def test_without_uv_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(LocalSupabaseError, match="--without-rivals"):
        rivals_python(tmp_path)
