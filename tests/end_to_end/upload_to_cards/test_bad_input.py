"""Whatever is dropped into the bucket ends as its own clear error on its own job; its neighbours are done."""

from __future__ import annotations

import pytest

from tests.end_to_end.upload_to_cards.project import Function, Project
from tests.fixtures import broken_files

GOOD = b"# Rivers\n\nDelta: the land that forms where a river meets the sea.\n"
BAD = {
    "empty.txt": (broken_files.zero_bytes, "empty"),
    "half.jpg": (broken_files.truncated_jpeg, "damaged|truncated|incomplete"),
    "locked.pdf": (broken_files.encrypted_pdf, "password"),
    "film.mp4": (broken_files.plain_text, "contains plain text"),
    "playlist.mp4": (broken_files.ffconcat, "contains plain text"),
    "bomb.png": (broken_files.huge_png, "megapixel|too large|too many pixels"),
    "page.html": (broken_files.html, "HTML|web page"),
}


@pytest.fixture
def one_batch(project: Project, function: Function) -> Project:
    """Good and bad files together, in one tick."""
    for name, (make, _) in BAD.items():
        project.upload(f"acme/{name}", make())
    project.upload("acme/good.md", GOOD)
    answer = function.tick(limit=50)
    assert answer.status_code == 200, answer.text
    return project


def test_each_bad_file_ends_with_its_own_sentence_and_the_good_one_is_done(one_batch: Project) -> None:
    assert set(one_batch.statuses("acme/good.md").values()) == {"done"}
    for name, (_, expected) in BAD.items():
        jobs = one_batch.jobs(f"acme/{name}")
        failed = [job for job in jobs.values() if job["status"] == "failed"]
        assert failed, (name, one_batch.statuses(f"acme/{name}"))
        for job in failed:
            assert one_batch.rows("select %s ~* %s as found", job["last_error"], expected)[0]["found"], (
                name,
                job["last_error"],
            )
            assert job["attempts"] == 1, "a file that can never succeed is not tried again"
        assert jobs["create_cards"]["status"] in {"failed", "cancelled", "done"}


def test_an_unknown_job_type_is_put_back_with_a_delay_and_charges_nothing(
    project: Project, function: Function
) -> None:
    job_id = project.rpc("enqueue_job", org_id="acme", type="not_deployed_yet")["job_id"]

    function.tick()

    (job,) = project.rows(
        "select status, attempts, last_error, run_at > now() + interval '30 seconds' as later "
        "from public.jobs where id = %s",
        job_id,
    )
    assert (job["status"], job["attempts"], job["later"]) == ("queued", 0, True)
    assert "not_deployed_yet" in job["last_error"]


def test_a_payload_that_does_not_validate_fails_its_job_and_names_the_field(
    project: Project, function: Function
) -> None:
    bad = project.rpc("enqueue_job", org_id="acme", type="analyze_file", payload={"file_id": "x"})["job_id"]
    project.upload("acme/good.md", GOOD)

    function.tick(limit=50)

    (job,) = project.rows("select status, last_error from public.jobs where id = %s", bad)
    assert job["status"] == "failed"
    assert "file_id" in job["last_error"]
    assert "bucket" in job["last_error"]
    assert set(project.statuses("acme/good.md").values()) == {"done"}


def test_a_job_without_an_organisation_is_refused_at_the_door(project: Project) -> None:
    with pytest.raises(Exception, match="every job belongs to an organisation"):
        project.rpc("enqueue_job", org_id="", type="analyze_file")


def test_an_upload_outside_of_any_organisation_is_stored_and_reported(project: Project) -> None:
    project.upload("orphan.md", GOOD)

    (failure,) = project.rpc("queue_health")["ingest_failures"]
    assert failure["path"] == "orphan.md"
    assert "no organisation" in failure["error"]
