"""Files that no trigger or no route saw when they came, through the real Storage calls and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from functions.cli import app
from tests.end_to_end.upload_to_cards.project import Function, Project, Row

RIVERS = b"# Rivers\n\nDelta: the land that forms where a river meets the sea.\n"


@pytest.fixture(autouse=True)
def environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", project.supabase.url)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", project.supabase.secret_key)


@pytest.fixture
def flow(project: Project) -> Iterator[list[Row]]:
    """The steps of the route `uploads`, as they were and will be."""
    (route,) = project.rows("select flow from public.ingest_routes where name = 'uploads'")
    yield route["flow"]
    project.rows(
        "update public.ingest_routes set active = true, flow = %s where name = 'uploads'",
        json.dumps(route["flow"]),
    )


def crontick(*arguments: str) -> Row:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    answer: Row = json.loads(done.stdout)
    return answer


def test_a_file_that_was_stored_while_its_route_was_off_is_found_and_processed(
    project: Project, function: Function, flow: list[Row]
) -> None:
    project.rows("update public.ingest_routes set active = false where name = 'uploads'")
    project.upload("acme/rivers.md", RIVERS, "text/markdown")
    project.rows("update public.ingest_routes set active = true where name = 'uploads'")
    assert project.files() == []

    assert crontick("reconcile")["enqueued"] == 1
    function.tick()

    assert set(project.statuses("acme/rivers.md").values()) == {"done"}
    assert project.rows("select title from public.file_analyses") == [{"title": "Rivers"}]
    assert crontick("reconcile")["enqueued"] == 0


def test_files_that_are_older_than_a_step_get_it_on_top_of_what_was_done(
    project: Project, function: Function, flow: list[Row]
) -> None:
    first = [step for step in flow if step["type"] == "analyze_file"]
    project.rows("update public.ingest_routes set flow = %s where name = 'uploads'", json.dumps(first))
    project.upload("acme/rivers.md", RIVERS, "text/markdown")
    function.tick()
    assert project.statuses("acme/rivers.md") == {"analyze_file": "done"}

    project.rows("update public.ingest_routes set flow = %s where name = 'uploads'", json.dumps(flow))
    assert crontick("backfill", "uploads")["enqueued"] == 1
    function.tick()

    assert set(project.statuses("acme/rivers.md").values()) == {"done"}
    assert len(project.rows("select 1 from public.jobs where type = 'analyze_file'")) == 1
    assert any("delta" in row["front"].lower() for row in project.rows("select front from public.cards"))
