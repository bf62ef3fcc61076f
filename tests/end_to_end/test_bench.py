"""The benchmarks run from start to end, at sizes at which their figures say nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_two_benchmarks_end_with_json_alone_on_stdout_and_their_files_written(
    leg: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "scripts.bench", "throughput", "backlog", "--quick", "--without-rivals"]
    finished = subprocess.run(
        [*command, "--json", "--leg", leg, "--out", tmp_path],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    document = json.loads(finished.stdout)
    assert {row["benchmark"] for row in document["rows"]} == {"throughput", "backlog"}
    assert all(row["value"] > 0 for row in document["rows"])
    assert [row["unit"] for row in document["rows"] if row["bar"]] == ["x", "x"]
    assert json.loads((tmp_path / "results.json").read_text()) == document
    assert (tmp_path / "results.md").read_text().count("\n| backlog |") == 10
    assert not (tmp_path / "postgres").exists()
    assert "throughput: round 1 of 1: crontick" in finished.stderr
