"""The benchmarks run from start to end, at sizes at which their figures say nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def run(leg: str, out: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.bench", *names, "--quick", "--without-rivals"]
    finished = subprocess.run(
        [*command, "--json", "--leg", leg, "--out", out],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return finished


def test_benchmarks_end_with_json_alone_on_stdout_and_their_files_written(leg: str, tmp_path: Path) -> None:
    finished = run(leg, tmp_path, "throughput", "backlog", "dashboard")

    document = json.loads(finished.stdout)
    assert {row["benchmark"] for row in document["rows"]} == {"throughput", "backlog", "dashboard"}
    assert all(row["value"] > 0 for row in document["rows"])
    assert [row["unit"] for row in document["rows"] if row["bar"]] == ["x", "x", "s", "s", "x"]
    assert json.loads((tmp_path / "results.json").read_text()) == document
    assert (tmp_path / "results.md").read_text().count("\n| backlog |") == 10
    assert not (tmp_path / "postgres").exists()
    assert "throughput: round 1 of 1: crontick" in finished.stderr


def test_a_tick_makes_the_thumbnails_of_all_photos_beside_the_bare_loop(leg: str, tmp_path: Path) -> None:
    rows = json.loads(run(leg, tmp_path, "thumbnails", "imports").stdout)["rows"]

    assert all(row["value"] > 0 for row in rows)
    assert {row["benchmark"] for row in rows if row["bar"]} == {"thumbnails", "imports"}
    parts = {row["what"].removeprefix("processor time, ") for row in rows if row["unit"] == "ms/photo"}
    assert {"bare loop", "function", "sandbox", "Storage and gateway", "postgres"} <= parts
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["pictures"]
