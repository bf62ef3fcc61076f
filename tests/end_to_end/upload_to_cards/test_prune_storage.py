"""Pictures go with the version of the file that they show, from the bucket and from the table."""

from __future__ import annotations

from tests.end_to_end.upload_to_cards.project import Function, Project

FIRST = b"# Rivers\n\nDelta: the land that forms where a river meets the sea.\n"
SECOND = b"# Rivers\n\nEstuary: the tidal mouth of a river.\n"


def stored(project: Project) -> list[str]:
    rows = project.rows("select name from storage.objects where bucket_id = 'thumbnails' order by name")
    return [row["name"] for row in rows]


def recorded(project: Project) -> list[str]:
    return [row["path"] for row in project.rows("select path from public.thumbnails order by path")]


def prune(project: Project, function: Function) -> None:
    project.rpc("enqueue_prune_storage")
    assert function.tick().json()["failed"] == 0


def test_an_overwritten_versions_pictures_go_and_the_current_ones_can_be_read(
    project: Project, function: Function
) -> None:
    project.upload("acme/rivers.md", FIRST, "text/markdown")
    project.upload("globex/rivers.md", FIRST, "text/markdown")
    function.tick()
    before = stored(project)
    project.upload("acme/rivers.md", SECOND, "text/markdown")
    function.tick()
    outlived = [path for path in before if path.startswith("acme/")]
    current = sorted(set(stored(project)) - set(outlived))
    assert (len(before), len(current)) == (4, 4)

    prune(project, function)

    assert stored(project) == recorded(project) == current
    bucket = project.client.storage.from_("thumbnails")
    assert all(bucket.download(path)[:4] == b"RIFF" for path in current)


def test_a_deleted_files_pictures_go_and_asking_again_finds_nothing(
    project: Project, function: Function
) -> None:
    project.upload("acme/rivers.md", FIRST, "text/markdown")
    function.tick()
    assert len(stored(project)) == 2
    project.client.storage.from_("ingest").remove(["acme/rivers.md"])

    prune(project, function)

    assert stored(project) == recorded(project) == []
    assert project.rpc("enqueue_prune_storage")["enqueued"] == 0
    statuses = project.rows("select status, output from public.jobs where type = 'prune_storage'")
    assert statuses == [{"status": "done", "output": {"removed": 2}}]
