"""Finding a handler by the job's type."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.errors import HandlerUnavailable
from functions.registry import Registry
from handlers.contract import FilePayload

HANDLER = """
from handlers.contract import Context, FilePayload, Job, handler

@handler(timeout=7)
def good(job: Job[FilePayload], context: Context) -> FilePayload:
    return job.payload
"""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    package = tmp_path / "team_handlers"
    (package / "media").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "good": HANDLER,
        "plain": "def plain(): ...",
        "broken": "import a_library_that_is_not_installed",
        "_private": HANDLER,
        "media/__init__": "",
    }.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("team_handlers")
    for name in [name for name in sys.modules if name.startswith("team_handlers")]:
        del sys.modules[name]


def test_a_handler_is_found_by_its_files_name(registry: Registry) -> None:
    found = registry.find("good")
    assert (found.job_type, found.payload_model, found.timeout) == ("good", FilePayload, 7)


def test_it_is_imported_only_when_its_first_job_comes(registry: Registry) -> None:
    assert "team_handlers.good" not in sys.modules
    registry.find("good")
    assert "team_handlers.good" in sys.modules


@pytest.mark.parametrize(
    ("job_type", "reason"),
    [
        ("missing", "no handler named missing in this deployment; is a deploy under way"),
        ("plain", "no handler named plain; mark a function"),
        ("broken", "cannot be imported: ModuleNotFoundError"),
        ("media", "no handler named media"),
        ("_private", "no handler named _private"),
        ("media.good", "no handler named"),
        ("../good", "no handler named"),
        ("", "no handler named"),
    ],
)
def test_anything_else_is_unavailable_and_says_why(registry: Registry, job_type: str, reason: str) -> None:
    with pytest.raises(HandlerUnavailable, match=reason):
        registry.find(job_type)


def test_it_lists_the_job_types_that_have_a_handler(registry: Registry) -> None:
    assert registry.names() == ["good"]
