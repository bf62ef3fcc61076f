"""The same content twice: paid for once, and right for both files."""

from __future__ import annotations

from tests.end_to_end.upload_to_cards.project import Function, Project

RIVERS = b"# Rivers\n\nDelta: the land that forms where a river meets the sea.\n"
NO_HEADING = b"Delta: the land that forms where a river meets the sea.\n"


def reused(project: Project, path: str) -> dict[str, int | None]:
    """By job type: the job whose result the newest file at this path was given."""
    rows = project.rows(
        "select j.type, r.reused_from from public.jobs j join public.job_runs r on r.job_id = j.id "
        "where r.outcome = 'done' and j.file_id = (select max(f.id) from public.ingested_files f where f.path = %s)",
        path,
    )
    return {row["type"]: row["reused_from"] for row in rows}


def results_of(project: Project, path: str) -> tuple[str, list[str]]:
    """Title and card fronts of the newest file at this path."""
    (row,) = project.rows(
        "select a.title, array(select c.front from public.cards c where c.file_id = f.id order by 1) as fronts "
        "from public.ingested_files f join public.file_analyses a on a.file_id = f.id "
        "where f.path = %s order by f.id desc limit 1",
        path,
    )
    return row["title"], row["fronts"]


def test_a_copy_in_another_folder_gets_analysis_and_cards_of_its_own_without_a_second_run(
    project: Project, function: Function
) -> None:
    for folder in ("spring", "autumn"):
        project.upload(f"acme/{folder}/rivers.md", RIVERS, "text/markdown")
        answer = function.tick().json()
    first, second = (project.jobs(f"acme/{folder}/rivers.md") for folder in ("spring", "autumn"))

    assert answer["succeeded"] == 3
    assert reused(project, "acme/autumn/rivers.md") == {
        "analyze_file": first["analyze_file"]["id"],
        "create_cards": first["create_cards"]["id"],
        "create_thumbnail": None,
    }
    assert {one.get("reusedFrom") for one in answer["results"]} == {
        None,
        first["analyze_file"]["id"],
        first["create_cards"]["id"],
    }
    assert {job["status"] for job in second.values()} == {"done"}
    title, fronts = results_of(project, "acme/autumn/rivers.md")
    assert (title, fronts) == results_of(project, "acme/spring/rivers.md")
    assert fronts


def test_two_names_of_the_same_bytes_have_a_title_each(project: Project, function: Function) -> None:
    for name in ("first-lesson.md", "second-lesson.md"):
        project.upload(f"acme/{name}", NO_HEADING, "text/markdown")
        function.tick()

    titles = [results_of(project, f"acme/{name}-lesson.md")[0] for name in ("first", "second")]
    assert titles == ["First lesson", "Second lesson"]
    assert reused(project, "acme/second-lesson.md")["analyze_file"] is None


def test_another_organisation_pays_for_itself(project: Project, function: Function) -> None:
    for org in ("acme", "globex"):
        project.upload(f"{org}/rivers.md", RIVERS, "text/markdown")
        function.tick()

    assert set(reused(project, "globex/rivers.md").values()) == {None}
    assert results_of(project, "globex/rivers.md") == results_of(project, "acme/rivers.md")
