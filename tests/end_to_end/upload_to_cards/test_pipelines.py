"""A pipeline of somebody else's job types, from its name to its last output."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from tests.end_to_end.upload_to_cards.project import Function, Project, deployment_with

HANDLERS = Path(__file__).parent / "video_handlers"
VIDEO = [
    {"ref": "analysis", "type": "analysis"},
    {"ref": "asset_prep", "type": "asset_prep", "after": ["analysis"]},
    {"ref": "video_generation", "type": "video_generation", "after": ["asset_prep"]},
    {"ref": "render", "type": "render", "after": ["asset_prep", "video_generation"]},
]
RIVERS = {"brief": "A video about rivers"}
PICTURES = {"pictures": ["rivers 1", "rivers 2"]}


@pytest.fixture(scope="module")
def studio(running_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    folder = deployment_with(HANDLERS, tmp_path_factory.mktemp("studio"))
    with running_project.function(folder) as function:
        yield function


def add_pipeline(project: Project) -> None:
    project.rows(
        "insert into public.pipelines (name, steps) values ('studio_video', %s) "
        "on conflict (name) do update set steps = excluded.steps",
        Jsonb(VIDEO),
    )


def test_each_step_of_the_video_pipeline_sees_what_the_ones_before_it_made(
    project: Project, studio: Function
) -> None:
    add_pipeline(project)
    steps = project.rpc("start_pipeline", pipeline="studio_video", org_id="acme", payload=RIVERS)

    answer = studio.tick().json()

    assert (answer["succeeded"], answer["failed"]) == (4, 0)
    rows = project.rows("select id, type, output from public.jobs where org_id = 'acme' order by id")
    assert [row["id"] for row in rows] == [step["job_id"] for step in steps]
    assert {row["type"]: row["output"] for row in rows} == {
        "analysis": {"topic": "rivers"},
        "asset_prep": PICTURES,
        "video_generation": {"scenes": ["scene of rivers 1", "scene of rivers 2"]},
        "render": {
            "frames": {
                "asset_prep": PICTURES,
                "video_generation": {"scenes": ["scene of rivers 1", "scene of rivers 2"]},
            }
        },
    }


def test_parents_of_one_type_are_seen_by_their_refs(project: Project, studio: Function) -> None:
    flow = [
        {"org_id": "acme", "ref": "opening", "type": "analysis", "payload": {"brief": "A video about ice"}},
        {"org_id": "acme", "ref": "ending", "type": "analysis", "payload": {"brief": "A video about steam"}},
        {"org_id": "acme", "type": "render", "payload": RIVERS, "after": ["opening", "ending"]},
    ]
    project.rpc("enqueue_jobs", jobs=flow)

    assert studio.tick().json()["succeeded"] == 3

    (render,) = project.rows("select output from public.jobs where type = 'render'")
    assert render["output"]["frames"] == {"opening": {"topic": "ice"}, "ending": {"topic": "steam"}}


def test_a_step_that_cannot_be_done_keeps_the_later_ones_from_running(
    project: Project, studio: Function
) -> None:
    add_pipeline(project)
    project.rpc("start_pipeline", pipeline="studio_video", org_id="acme", payload={"no brief": True})

    studio.tick()

    statuses = project.rows("select status, count(*) from public.jobs group by status order by status")
    assert statuses == [{"status": "cancelled", "count": 3}, {"status": "failed", "count": 1}]
