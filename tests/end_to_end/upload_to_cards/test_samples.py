"""Real files travel the whole path: upload, trigger, http call of the database, function, handlers, tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.upload_to_cards.project import Function, Project, Row

SAMPLES = Path(__file__).parents[3] / "scripts" / "samples" / "files"


@pytest.fixture
def processed(project: Project, function: Function) -> dict[str, Row]:
    """Every sample uploaded and processed by one call that the database makes; file_status by name."""
    for sample in sorted(SAMPLES.iterdir()):
        project.upload(f"acme/{sample.name}", sample)

    (answer,) = project.rows("select public.invoke_cron_tick(batch_size => 20) as sentence")

    assert answer["sentence"] == "called: the worker answered 200"
    return {Path(row["path"]).name: row for row in project.files()}


def test_every_sample_is_done_with_its_own_truth(project: Project, processed: dict[str, Row]) -> None:
    assert {name: row["status"] for name, row in processed.items()} == dict.fromkeys(
        (sample.name for sample in SAMPLES.iterdir()), "done"
    )
    analyses = {
        Path(row["path"]).suffix: row
        for row in project.rows(
            "select f.path, a.* from public.file_analyses a join public.ingested_files f on f.id = a.file_id"
        )
    }
    assert {suffix: row["kind"] for suffix, row in analyses.items()} == {
        ".jpg": "image",
        ".png": "image",
        ".pdf": "pdf",
        ".mp4": "video",
        ".md": "text",
    }
    assert analyses[".pdf"]["pages"] > 1
    assert analyses[".mp4"]["duration_seconds"] > 1
    assert "condensation" in str(analyses[".pdf"]["content"]).lower()
    assert "moon" in str(analyses[".mp4"]["content"]).lower()


def test_every_sample_has_two_pictures_that_can_be_downloaded(
    project: Project, processed: dict[str, Row]
) -> None:
    pictures = project.rows("select * from public.thumbnails order by file_id, size")

    assert len(pictures) == 2 * len(processed)
    for picture in pictures:
        content = project.client.storage.from_(picture["bucket_id"]).download(picture["path"])
        assert content[:4] == b"RIFF"
        assert content[8:12] == b"WEBP"
        assert len(content) == picture["bytes"]
        assert max(picture["width"], picture["height"]) <= picture["size"]


def test_texts_become_cards_that_stand_in_their_source(project: Project, processed: dict[str, Row]) -> None:
    cards = project.rows(
        "select f.path, c.*, a.content from public.cards c join public.ingested_files f on f.id = c.file_id "
        "join public.file_analyses a on a.file_id = c.file_id"
    )

    assert {Path(card["path"]).suffix for card in cards} >= {".pdf", ".md", ".mp4"}
    for card in cards:
        source = " ".join(" ".join(part["text"] for part in card["content"]).split())
        assert " ".join(card["source"]["quote"].split()) in source
        assert card["back"].lower() not in card["front"].lower()


def test_pictures_in_the_thumbnails_bucket_start_no_jobs(project: Project, processed: dict[str, Row]) -> None:
    assert len(project.rows("select 1 from public.jobs")) == 3 * len(processed)


def test_the_database_calls_nobody_when_everything_is_done(
    project: Project, processed: dict[str, Row], function: Function
) -> None:
    (answer,) = project.rows("select public.invoke_cron_tick() as sentence")

    assert answer["sentence"] == "not called: nothing is due for slot 1"
