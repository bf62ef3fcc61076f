"""What an adopting team installs: the wheel's content, and that it runs without the tools of development."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
EVERYTHING_THAT_RUNS = (
    "import functions.cli, functions.worker, functions.poller; from functions.registry import Registry"
)


def uv(*arguments: str | Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    finished = subprocess.run(
        ["uv", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_wheel_holds_the_function_and_the_handlers_and_nothing_else(tmp_path: Path) -> None:
    uv("build", "--wheel", "--quiet", "--out-dir", tmp_path)

    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"crontick", "functions", "handlers"}
    for needed in (
        "functions/main.py",
        "functions/gunicorn.conf.py",
        "functions/cli/anki.css",
        "functions/dashboard/index.html",
        "functions/dashboard/main.js",
        "functions/dashboard/theme.css",
        "functions/dashboard/icon.svg",
        "functions/cli/report.css",
        "functions/cli/handler.py.jinja",
        "functions/cli/handler_test.py.jinja",
        "handlers/testing.py",
        "handlers/py.typed",
    ):
        assert needed in names


def test_it_runs_without_development_packages() -> None:
    answer = uv(
        "run", "--isolated", "--no-default-groups", "--locked", "--quiet", "python", "-c",
        f"{EVERYTHING_THAT_RUNS}; print(*Registry().names())",
    )  # fmt: skip

    assert {"analyze_file", "create_cards", "create_thumbnail"} <= set(answer.split())
