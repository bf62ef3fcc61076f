"""The keys of a local Supabase outlive its runs."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from scripts.local_supabase.leg import Leg
from scripts.local_supabase.state import LegFolder


def folder(path: Path) -> LegFolder:
    found = LegFolder(path, Leg.WHEEL)
    found.create()
    return found


def test_they_stay_the_same_and_are_for_their_owner_only(tmp_path: Path) -> None:
    keys = folder(tmp_path).keys()

    assert folder(tmp_path).keys() == keys
    assert stat.S_IMODE((tmp_path / "wheel" / "keys.json").stat().st_mode) == 0o600


def test_a_run_that_knew_fewer_of_them_keeps_those_that_it_had(tmp_path: Path) -> None:
    keys = folder(tmp_path).keys()
    path = tmp_path / "wheel" / "keys.json"
    kept = json.loads(path.read_text())
    for newer in ("signing_key", "admin_password", "member_password"):
        del kept[newer]
    path.write_text(json.dumps(kept | {"an_older_one": "x"}))

    later = folder(tmp_path).keys()

    assert (later.secret_key, later.database_password) == (keys.secret_key, keys.database_password)
    assert later.admin_password not in ("", keys.admin_password)
    assert folder(tmp_path).keys() == later
