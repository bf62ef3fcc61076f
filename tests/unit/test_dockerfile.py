"""The Dockerfile: what a linter says, what its steps are taken to be, and which files an engine gets to see."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.deploy.built_image import BASE_IMAGE, context_files
from scripts.deploy.image_contents import look_at
from scripts.deploy.image_steps import Copy, DockerfileError, Run, Stage, read_stages
from scripts.deploy.source import copy_source, source_files

ROOT = Path(__file__).parents[2]


def stages_of(tmp_path: Path, text: str, **arguments: str) -> list[Stage]:
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    return read_stages(path, arguments)


def test_the_linter_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_our_image_ends_as_nobody_s_root_and_in_the_form_that_hears_signals() -> None:
    *_, last = read_stages(ROOT / "Dockerfile", {})
    assert last.base == BASE_IMAGE
    assert last.user == "10001:10001"
    assert last.command[:3] == ("gunicorn", "--config", "functions/gunicorn.conf.py")
    assert (last.variables["FUNCTION_TARGET"], last.stop_signal) == ("cron_tick", "SIGTERM")
    assert last.labels["org.opencontainers.image.licenses"] == "MIT"


def test_no_secret_has_a_place_in_the_image() -> None:
    for stage in read_stages(ROOT / "Dockerfile", {}):
        assert not [name for name in stage.visible() if "SECRET" in name or "KEY" in name]


def test_the_extras_are_the_caller_s_choice() -> None:
    build, _last = read_stages(ROOT / "Dockerfile", {"EXTRAS": "video ocr"})
    syncs = [step for step in build.steps if isinstance(step, Run) and "uv sync" in step.command]
    assert [step.variables["EXTRAS"] for step in syncs] == ["video ocr", "video ocr"]


def test_a_build_argument_that_the_dockerfile_does_not_have_is_refused() -> None:
    with pytest.raises(DockerfileError, match="no ARG EXTRA"):
        read_stages(ROOT / "Dockerfile", {"EXTRA": "video"})


def test_steps_are_read_in_order_with_what_they_see(tmp_path: Path) -> None:
    first, second = stages_of(
        tmp_path,
        "FROM one AS build\nARG A=1\nARG B\nENV C=2 \\\n    D='x y'\nWORKDIR /app\nCOPY a b ./\n"
        "RUN echo one && \\\n    echo two\nWORKDIR sub\nCOPY c ./d\nFROM two\nCOPY --from=build /app /app\n",
        B="given",
    )
    copy, run, other = first.steps
    assert copy == Copy(("a", "b"), "/app/", None)
    assert isinstance(run, Run)
    assert run.command.split() == ["echo", "one", "&&", "echo", "two"]
    assert run.variables == {"A": "1", "B": "given", "C": "2", "D": "x y"}
    assert other == Copy(("c",), "/app/sub/d", None)
    assert second.steps == [Copy(("/app",), "/app", "build")]
    assert second.visible() == {}, "arguments and variables end with their stage"


@pytest.mark.parametrize(
    "line", ["ADD a b", 'RUN ["a"]', "RUN --mount=type=cache,target=/x true", "COPY --chmod=1 a b", "CMD a b"]
)
def test_what_would_be_run_differently_here_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(DockerfileError):
        stages_of(tmp_path, f"FROM one\n{line}\n")


def test_an_engine_sees_what_the_image_needs_and_nothing_else() -> None:
    seen = context_files(ROOT)
    assert {path.split("/")[0] for path in seen} - {"functions", "handlers"} <= {
        "pyproject.toml", "uv.lock", "README.md", "LICENSE", "NOTICE", "Dockerfile", ".dockerignore",
    }  # fmt: skip
    assert "functions/main.py" in seen
    assert not [path for path in seen if path.endswith(".pyc") or "/." in path]


def test_an_env_file_reaches_no_engine_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text((ROOT / ".dockerignore").read_text())
    for path in (".env", "functions/.env", "handlers/.env.local", "functions/main.py", "handlers/a.key"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("x")
    assert context_files(tmp_path) == [".dockerignore", "functions/main.py", "handlers/a.key"]


def test_gcloud_by_itself_would_upload_what_the_script_uploads(tmp_path: Path) -> None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        pytest.skip("gcloud is not installed")
    copy_source(tmp_path, for_engine=True)
    shutil.copy(ROOT / ".gcloudignore", tmp_path)
    for unwanted in (
        ".env",
        ".git/config",
        "tests/a.py",
        "functions/.env",
        "handlers/__pycache__/a.pyc",
        "a.key",
    ):
        (tmp_path / unwanted).parent.mkdir(exist_ok=True)
        (tmp_path / unwanted).touch()
    environment = {**os.environ, "CLOUDSDK_CONFIG": str(tmp_path / ".gcloud")}

    done = subprocess.run(
        [gcloud, "meta", "list-files-for-upload", str(tmp_path)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert sorted(done.stdout.split()) == sorted(map(str, [*source_files(), ".dockerignore", "Dockerfile"]))


def installed(root: Path, name: str, metadata: str) -> None:
    package = root / f"app/.venv/lib/python3.11/site-packages/{name}-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text(f"Name: {name}\n{metadata}\n")


def test_packages_and_parts_under_the_gpl_are_found_and_the_lesser_one_is_none(tmp_path: Path) -> None:
    installed(tmp_path, "expression", "License-Expression: GPL-3.0-or-later")
    installed(tmp_path, "affero", "License: AGPL-3.0")
    installed(
        tmp_path, "classified", "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"
    )
    installed(
        tmp_path,
        "lesser",
        "Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)",
    )
    installed(tmp_path, "choice", "License-Expression: MIT OR GPL-2.0-only")
    installed(tmp_path, "plain", "License: MIT")
    (tmp_path / "app/libx264-1a2b.so.165").touch()

    found = look_at(tmp_path).copyleft

    assert found == ["affero", "classified", "expression", "libx264-1a2b.so.165"]


def test_what_a_build_left_behind_is_found(tmp_path: Path) -> None:
    for left in ("root/.cache/uv", "app/tests", "app/functions"):
        (tmp_path / left).mkdir(parents=True)
    (tmp_path / "app/functions/a.py").touch()
    contents = look_at(tmp_path)
    assert (contents.leftovers, contents.uncompiled) == (["root/.cache", "app/tests"], ["functions/a.py"])
