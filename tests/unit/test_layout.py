"""Rules about what may know what, kept by reading the sources."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READS_ENVIRONMENT = r"\bos\.(environ(?!\.update\()|getenv)\b"
HEAVY = (
    "PIL",
    "anthropic",
    "pyvips",
    "av",
    "cv2",
    "fsrs",
    "genanki",
    "httpx2",
    "jwt",
    "numpy",
    "onnxruntime",
    "openai",
    "prometheus_client",
    "pypdfium2",
    "rapidocr",
    "realtime",
    "supabase",
    "supabase_auth",
    "typer",
)


def sources(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide which way they go"
            names.add((node.module or "").split(".")[0])
    return names


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_handlers_never_import_functions() -> None:
    offenders = [
        named(file) for file in sources("handlers") if imported(file) & {"functions", "scripts", "tests"}
    ]
    assert offenders == []


def test_the_product_never_imports_scripts_or_tests() -> None:
    offenders = [named(file) for file in sources("functions") if imported(file) & {"scripts", "tests"}]
    assert offenders == []


def test_only_the_job_queue_calls_the_databases_functions() -> None:
    files = [*sources("functions"), *sources("handlers")]
    callers = [named(file) for file in files if re.search(r"\.rpc\(|/rpc/", file.read_text())]
    assert callers == ["functions/job_queue.py"]


def test_only_the_settings_read_the_environment() -> None:
    files = [*sources("functions"), *sources("handlers")]
    readers = [named(file) for file in files if re.search(READS_ENVIRONMENT, file.read_text())]
    assert readers == ["functions/settings.py"]


def test_nothing_imports_the_entry_file_because_the_framework_loads_it_by_path() -> None:
    offenders = [
        named(file)
        for file in sources("functions")
        if re.search(r"functions\.main\b|functions import .*\bmain\b", file.read_text())
    ]
    assert offenders == []


@pytest.mark.parametrize(
    "module", ["functions.main", "functions.worker", "handlers.analyze_file", "handlers.create_cards"]
)
def test_importing_the_function_loads_no_decoder_and_makes_no_client(module: str) -> None:
    program = f"""
import json, sys
import httpx
made = []
original = httpx.Client.__init__
httpx.Client.__init__ = lambda self, *a, **k: (made.append(1), original(self, *a, **k))[1]
import {module}
print(json.dumps([sorted(set({HEAVY!r}) & set(sys.modules)), len(made)]))
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(run.stdout) == [[], 0]


ONLY_FOR_OPERATORS = (
    "functions.admin",
    "functions.doctor",
    "functions.operators_queue",
    "functions.operator_rows",
    "functions.health_rows",
    "functions.queue_tables",
)


def test_a_tick_loads_nothing_that_only_operators_need() -> None:
    program = (
        f"import sys, functions.main; print([n for n in sys.modules if n.startswith({ONLY_FOR_OPERATORS})])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.strip() == "[]"


def test_supabase_is_a_folder_without_an_init_file_or_it_would_hide_the_package() -> None:
    assert not (ROOT / "supabase/__init__.py").exists()
