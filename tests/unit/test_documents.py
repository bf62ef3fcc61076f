"""README, .env.example and CONTRIBUTING are held against the code: what they say can be run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from functions.cli import app
from functions.settings import variables
from handlers.contract import Handler, Reject
from handlers.testing import FakeContext, file_job

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)


@pytest.fixture
def example() -> Iterator[Handler]:
    """README's own handler, loaded as the file that it says it is."""
    source = re.search(r"```python\n(# handlers/count_words\.py\n.*?)```", README, re.DOTALL)
    assert source is not None
    module = ModuleType("handlers.count_words")
    sys.modules[module.__name__] = module
    exec(source[1], module.__dict__)
    yield module.__dict__["count_words"]
    del sys.modules[module.__name__]


def test_the_readmes_handler_works(example: Handler, tmp_path: Path) -> None:
    context = FakeContext(tmp_path, objects={"ingest/acme/a.txt": b"one two three"})

    output = example(file_job("count_words", "acme/a.txt"), context)

    assert output.model_dump() == {"words": 3}
    assert example.job_type == "count_words"


def test_the_readmes_handler_rejects_what_can_never_succeed(example: Handler, tmp_path: Path) -> None:
    context = FakeContext(tmp_path, objects={"ingest/acme/a.txt": b" \n"})

    with pytest.raises(Reject, match="no text to count"):
        example(file_job("count_words", "acme/a.txt"), context)


def test_the_readme_says_in_one_line_each_what_the_settings_are() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\| (.+) \|$", README, re.MULTILINE)

    assert rows == [(one.name, one.default, one.description) for one in variables()]


def test_the_scripts_that_the_readme_shows_can_be_run() -> None:
    for script in re.findall(r"\./(scripts/[a-z-]+\.sh)", README):
        assert (ROOT / script).stat().st_mode & 0o111, script


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub links to them."""
    return {
        re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]

    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_a_page_shows_exists(page: Path) -> None:
    shown = set(re.findall(r"^[ A-Z_=\"$/a-z0-9.:]*\bcrontick ([a-z][a-z-]*)", code_of(page), re.MULTILINE))

    assert shown <= set(getattr(get_command(app), "commands", {}))


def code_of(page: Path) -> str:
    return "\n".join(re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL))


def test_every_page_of_docs_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[a-z-]+\.md)", README))

    assert {f"docs/{page.name}" for page in PAGES if page.parent == ROOT / "docs"} == linked


def test_the_contract_in_contributing_names_functions_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    contract = text.partition("## The contract")[2].partition("## The local Supabase")[0]
    named = set(re.findall(r"`([a-z_]+)\(", contract))
    migrations = "\n".join(path.read_text() for path in sorted((ROOT / "supabase/migrations").glob("*.sql")))

    assert len(named) > 10
    assert named <= set(re.findall(r"create function public\.([a-z_]+)\(", migrations))


def test_no_requirements_file_shadows_the_lock() -> None:
    assert not (ROOT / "requirements.txt").exists()
    assert not (ROOT / "supabase/__init__.py").exists()
