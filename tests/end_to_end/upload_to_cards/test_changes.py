"""Files that change while they are worked on, through the real Storage calls and PostgREST."""

from __future__ import annotations

import uuid

from tests.end_to_end.upload_to_cards.project import Function, Project, Row

DELTA = b"# Rivers\n\nDelta: the land that forms where a river meets the sea.\n\n"
FIRST = DELTA + b"Source: the place where a river begins.\n"
SECOND = DELTA + b"Estuary: the tidal mouth of a river.\n"


def claim(project: Project, worker_id: str) -> list[Row]:
    jobs: list[Row] = project.rpc("claim_jobs", worker_id=worker_id, batch_size=10)
    return jobs


def resolve(project: Project, worker_id: str, job: Row, **result: object) -> Row:
    element = {"job_id": job["job_id"], "lease_token": job["lease_token"], "outcome": "done", **result}
    (answer,) = project.rpc("resolve_jobs", worker_id=worker_id, results=[element])
    verdict: Row = answer
    return verdict


def fronts(project: Project) -> list[str]:
    return [row["front"] for row in project.rows("select front from public.cards order by front")]


def test_the_late_result_of_an_overwritten_file_is_refused_and_the_new_one_stands(
    project: Project, function: Function
) -> None:
    worker_id = str(uuid.uuid4())
    project.upload("acme/rivers.md", FIRST, "text/markdown")
    late = claim(project, worker_id)
    project.upload("acme/rivers.md", SECOND, "text/markdown")

    assert function.tick().json()["succeeded"] == 3
    verdicts = [
        resolve(project, worker_id, job, output={"kind": "text", "title": "late"})["verdict"] for job in late
    ]

    assert verdicts == ["superseded"] * len(late)
    assert [row["title"] for row in project.rows("select title from public.file_analyses")] == ["Rivers"]
    assert any("estuary" in front.lower() for front in fronts(project))
    assert not any("source" in front.lower() for front in fronts(project))


def test_one_set_of_cards_remains_after_an_overwrite(project: Project, function: Function) -> None:
    project.upload("acme/rivers.md", FIRST, "text/markdown")
    function.tick()
    before = {row["front"]: row["id"] for row in project.rows("select id, front from public.cards")}

    project.upload("acme/rivers.md", SECOND, "text/markdown")
    function.tick()

    after = {row["front"]: row["id"] for row in project.rows("select id, front from public.cards")}
    kept = before.keys() & after.keys()
    assert len(after) == len(set(after.values()))
    assert kept, (before, after)
    assert {front: after[front] for front in kept} == {front: before[front] for front in kept}
    assert not any("source" in front.lower() for front in after)


def test_deleting_a_file_cancels_its_jobs(project: Project, function: Function) -> None:
    project.upload("acme/rivers.md", FIRST, "text/markdown")
    project.client.storage.from_("ingest").remove(["acme/rivers.md"])

    assert set(project.statuses("acme/rivers.md").values()) == {"cancelled"}
    assert function.tick().json() == {
        "status": "ok",
        "processed": 0,
        "succeeded": 0,
        "failed": 0,
        "results": [],
    }


def test_a_moved_file_is_processed_under_its_new_path(project: Project, function: Function) -> None:
    project.upload("acme/rivers.md", FIRST, "text/markdown")
    project.client.storage.from_("ingest").move("acme/rivers.md", "globex/rivers.md")

    function.tick()

    assert set(project.statuses("globex/rivers.md").values()) == {"done"}
    assert {row["org_id"] for row in project.rows("select org_id from public.cards")} == {"globex"}
