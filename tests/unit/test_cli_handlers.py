"""`crontick handlers` and `crontick new-handler`: what there is, and a beginning for what there is not."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from functions.cli import app
from tests.unit.team import handler_text, importable

new_handler = importlib.import_module("functions.cli.new_handler")  # the package has the command by this name
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    files = {
        "team_cli.__init__": "",
        "team_cli.send": handler_text("send_digest"),
        "team_cli.rival": handler_text("create_cards"),
    }
    with importable(tmp_path, files, monkeypatch):
        yield


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what `new-handler` writes into."""
    shutil.copytree(ROOT / "handlers", tmp_path / "handlers", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    monkeypatch.setattr(new_handler, "REPOSITORY", tmp_path)
    monkeypatch.setattr(new_handler, "_OWN", tmp_path / "handlers")
    return tmp_path


def crontick(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def run(*program: str | Path, folder: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{path or folder}:{ROOT}"}
    return subprocess.run(
        [sys.executable, "-m", *program], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_handlers_are_listed_with_where_they_are() -> None:
    answer = crontick("handlers", "--json")

    listed = {one["type"]: one for one in json.loads(answer.stdout)["handlers"]}
    assert answer.exit_code == 0
    assert listed["analyze_file"] == {
        "type": "analyze_file",
        "where": "handlers/analyze_file.py",
        "timeout_seconds": 120,
        "reuse": "content",
    }
    assert "handlers/create_cards.py" in crontick("handlers").stdout


def test_handlers_from_outside_are_listed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRONTICK_HANDLERS", "team_cli.send")

    listed = {
        one["type"]: one["where"] for one in json.loads(crontick("handlers", "--json").stdout)["handlers"]
    }

    assert listed["send_digest"] == "team_cli.send:send_digest"


def test_what_cannot_be_used_is_told_below_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRONTICK_HANDLERS", "team_absent,team_cli.rival")

    answer, as_json = crontick("handlers"), crontick("handlers", "--json")

    assert (answer.exit_code, as_json.exit_code) == (2, 2)
    assert "analyze_file" in answer.stdout
    assert "2 things in the way" in answer.stderr
    assert "put the folder that holds team_absent on PYTHONPATH" in answer.stderr
    assert "create_cards has two handlers" in answer.stderr
    assert len(json.loads(as_json.stdout)["problems"]) == 2


def test_new_handlers_in_the_repository_are_clean_and_their_tests_pass(repository: Path) -> None:
    files = []
    for name in ("a_name", "x" * 34):
        for variant, end in (("--file", ""), ("--no-file", "_j")):
            answer = crontick("new-handler", name + end, variant)
            assert answer.exit_code == 0, answer.stderr
            files += [repository / "handlers" / f"{name}{end}.py"]
            files += [repository / "tests" / "unit" / f"test_{name}{end}.py"]

    for check in (("check",), ("format", "--check")):
        options = ("--no-cache", "--config", ROOT / "pyproject.toml")
        ruff = run("ruff", *check, *options, *files, folder=repository)
        assert ruff.returncode == 0, ruff.stdout + ruff.stderr
    tested = run("pytest", "-q", "-p", "no:cacheprovider", "tests", folder=repository)
    assert "12 passed" in tested.stdout, tested.stdout + tested.stderr


def test_new_handlers_in_a_folder_of_ones_own_are_typed_tested_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "studio_jobs" / "video"
    by_upload = crontick("new-handler", "render_scene", "--folder", "studio_jobs/video")
    by_hand = crontick("new-handler", "send_digest", "--folder", "studio_jobs/video", "--no-file")

    assert (by_upload.exit_code, by_hand.exit_code) == (0, 0), by_upload.stderr + by_hand.stderr
    names = [
        "__init__.py",
        "render_scene.py",
        "send_digest.py",
        "test_render_scene.py",
        "test_send_digest.py",
    ]
    assert sorted(file.name for file in folder.iterdir()) == names
    assert "PYTHONPATH=studio_jobs CRONTICK_HANDLERS=video" in by_upload.stdout
    typed = subprocess.run(  # with what the checks of the repository left in its cache
        [sys.executable, "-m", "mypy", "-p", "video"],
        cwd=ROOT,
        env={"MYPYPATH": str(folder.parent)},
        capture_output=True,
        text=True,
    )
    assert "no issues found in 5 source files" in typed.stdout, typed.stdout + typed.stderr
    tested = run("pytest", "-q", "-p", "no:cacheprovider", folder, folder=tmp_path, path=folder.parent)
    assert "6 passed" in tested.stdout, tested.stdout

    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setenv("CRONTICK_HANDLERS", "video")
    listed = json.loads(crontick("handlers", "--json").stdout)
    places = {one["type"]: one["where"] for one in listed["handlers"]}
    assert (places["render_scene"], places["send_digest"]) == (
        "video/render_scene.py",
        "video/send_digest.py",
    )
    assert listed["problems"] == []


def test_a_folder_inside_a_package_is_imported_from_the_top(tmp_path: Path) -> None:
    (tmp_path / "studio").mkdir()
    (tmp_path / "studio" / "__init__.py").touch()

    answer = crontick("new-handler", "render_scene", "--folder", "studio/jobs")

    assert "CRONTICK_HANDLERS=studio.jobs" in answer.stdout
    assert (
        "from studio.jobs.render_scene import"
        in (tmp_path / "studio" / "jobs" / "test_render_scene.py").read_text()
    )


def test_where_nothing_runs_tests_it_is_said_how_to_get_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "uv pip install pytest" not in crontick("new-handler", "count_words").stdout
    monkeypatch.setattr(new_handler, "find_spec", lambda _: None)

    assert "uv pip install pytest" in crontick("new-handler", "count_lines").stdout


def test_the_next_steps_can_be_typed(repository: Path) -> None:
    by_upload = crontick("new-handler", "render_scene").stdout
    by_hand = crontick("new-handler", "send_digest", "--no-file").stdout

    assert """flow = flow || '[{"type": "render_scene"}]' where name = 'uploads';""" in by_upload
    assert "select public.enqueue_job('acme', 'send_digest', '{\"name\": \"Ada\"}');" in by_hand
    assert re.search(r"-m pytest tests/unit/test_send_digest\.py", by_hand)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SendDigest", "is no job type"),
        ("send-digest", "is no job type"),
        ("../digest", "is no job type"),
        ("_digest", "is no job type"),
        ("", "is no job type"),
        ("x" * 37, "is no job type"),
        ("import", "is a word of Python's own"),
        ("email", "is the name of a module"),
        ("handlers", "is the name of a module"),
        ("test_digest", "would be taken for a test"),
        ("contract", "is taken"),
        ("create_cards", "is taken"),
        ("media", "is taken"),
    ],
)
def test_a_name_that_would_not_work_is_refused_with_the_reason(
    tmp_path: Path, repository: Path, name: str, reason: str
) -> None:
    answer = crontick("new-handler", name, "--folder", "studio")

    assert (answer.exit_code, reason in answer.stderr) == (2, True), answer.stderr
    assert not (tmp_path / "studio").exists()


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("my-jobs", "cannot be imported"),
        ("json", "is the name of another package"),
        ("functions", "is the name of another package"),
        ("team_cli/send.py", "is not a folder"),
    ],
)
def test_a_folder_that_cannot_be_a_package_is_refused(folder: str, reason: str) -> None:
    answer = crontick("new-handler", "render_scene", "--folder", folder)

    assert (answer.exit_code, reason in answer.stderr) == (2, True), answer.stderr


@pytest.mark.parametrize("existing", ["render_scene.py", "test_render_scene.py"])
def test_files_that_exist_are_never_overwritten(tmp_path: Path, existing: str) -> None:
    file = tmp_path / "team_cli" / existing
    file.write_text("precious")

    answer = crontick("new-handler", "render_scene", "--folder", "team_cli")

    assert (answer.exit_code, f"{existing} exists" in answer.stderr) == (2, True)
    assert file.read_text() == "precious"
    assert len(list((tmp_path / "team_cli").glob("*render_scene*"))) == 1


def test_an_installed_package_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_handler, "REPOSITORY", tmp_path)

    answer = crontick("new-handler", "render_scene")

    assert answer.exit_code == 2
    assert "--folder my_handlers" in answer.stderr
