"""Finding a handler by the job's type."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.errors import HandlerUnavailable
from functions.registry import Registry
from handlers.contract import FilePayload
from tests.unit.team import handler_text, importable

TEAM = {
    "team_handlers.__init__": "",
    "team_handlers.good": handler_text("good"),
    "team_handlers.plain": "def plain(): ...",
    "team_handlers.broken": "import a_library_that_is_not_installed",
    "team_handlers._private": handler_text("_private"),
    "team_handlers.test_good": "raise AssertionError('a test is no handler')",
    "team_handlers.media.__init__": "",
    "team_more.__init__": "",
    "team_more.several": handler_text("send_digest", "render", "settings"),
    "team_more.again": "from team_more.several import send_digest",
    "team_more.rival": handler_text("good", "create_cards"),
    "team_more.twice": handler_text("pay") + "first = pay\n" + handler_text("pay"),
    "team_more.exits": "raise SystemExit(1)",
}


@pytest.fixture(autouse=True)
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with importable(tmp_path, TEAM, monkeypatch):
        yield


@pytest.fixture
def registry() -> Registry:
    return Registry("team_handlers")


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


def test_a_module_outside_may_hold_several_handlers() -> None:
    registry = Registry("team_handlers", more=["team_more.several"])

    assert registry.names() == ["good", "render", "send_digest", "settings"]
    assert registry.registered("send_digest").where == "team_more.several:send_digest"
    assert registry.registered("good").where == "team_handlers/good.py"


def test_a_package_outside_is_searched_like_the_first_one() -> None:
    registry = Registry(more=["team_handlers"])

    assert registry.find("good").timeout == 7
    assert {"good", "create_cards"} <= set(registry.names())
    assert "team_handlers.good" in sys.modules


def test_places_outside_are_opened_only_when_they_are_needed() -> None:
    Registry(more=["team_more.several"])
    assert "team_more" not in sys.modules


def test_a_file_without_a_handler_is_in_nobodys_way() -> None:
    registry = Registry(more=["team_more.several"])  # handlers/settings.py is about something else

    assert registry.registered("settings").where == "team_more.several:settings"
    assert registry.problems() == []


def test_one_handler_that_is_found_twice_is_one_handler() -> None:
    registry = Registry("team_handlers", more=["team_more.several", "team_more.again", "team_more.several"])

    assert registry.find("send_digest").timeout == 7
    assert registry.problems() == []


@pytest.mark.parametrize("more", [["team_more.rival"], ["team_more.rival", "team_more.several"]])
def test_two_handlers_of_one_name_are_both_refused_by_where_they_are(more: list[str]) -> None:
    registry = Registry("team_handlers", more=more)
    reason = "good has two handlers, team_handlers/good.py and team_more.rival:good: rename or remove one"

    with pytest.raises(HandlerUnavailable, match=reason):
        registry.find("good")
    assert registry.problems() == [f"{reason} and deploy again"]
    assert "create_cards" in registry.names()
    assert "good" not in registry.names()


def test_two_handlers_of_one_name_in_one_module_are_refused_too() -> None:
    with pytest.raises(HandlerUnavailable, match="pay has two handlers"):
        Registry("team_handlers", more=["team_more.twice"]).find("pay")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("team_absent", "No module named 'team_absent'; put the folder that holds team_absent on PYTHONPATH"),
        ("team_more.absent", "No module named 'team_more.absent'; fix it"),
        ("team_handlers.broken", "No module named 'a_library_that_is_not_installed'; fix it"),
        ("team_more.exits", "SystemExit: 1; fix it"),
        ("team_more/several.py", "is not the name of a module; write package.module, without .py"),
        ("..team_more", "is not the name of a module"),
    ],
)
def test_a_place_that_cannot_be_imported_is_told_and_takes_nothing_else_down(name: str, reason: str) -> None:
    registry = Registry("team_handlers", more=[name, "team_more.several"])

    (problem,) = registry.problems()
    assert problem.startswith(f"CRONTICK_HANDLERS: {name} ")
    assert reason in problem
    assert (registry.find("good").timeout, registry.find("render").timeout) == (7, 7)
    with pytest.raises(HandlerUnavailable) as unavailable:
        registry.find("only_there")
    assert "no handler named only_there" in str(unavailable.value)
    assert problem in str(unavailable.value)


def test_a_place_that_can_be_imported_again_is_used_again(tmp_path: Path) -> None:
    registry = Registry("team_handlers", more=["team_more.late"])
    assert registry.problems()

    (tmp_path / "team_more" / "late.py").write_text(handler_text("arrives"))
    importlib.invalidate_caches()

    assert registry.find("arrives").timeout == 7


def test_the_listing_names_what_cannot_be_imported_and_goes_on() -> None:
    found, problems = Registry("team_handlers", more=["team_absent"]).listing()

    assert [one.handler.job_type for one in found] == ["good"]
    assert [problem.split(" cannot")[0] for problem in problems] == [
        "CRONTICK_HANDLERS: team_absent",
        "team_handlers/broken.py",
    ]
