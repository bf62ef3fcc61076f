"""An upload described by an AI provider: a fake one on loopback, everything else as deployed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_supabase.function_process import REPOSITORY
from tests.end_to_end.upload_to_cards.project import Project
from tests.fixtures.fake_openai import FakeProvider, status

KEY = "sk-test-0123456789abcdefghij"
NOTE = b"""A ribosome is a machine that makes proteins from amino acids. The nucleus is the part that holds the DNA.
Cells were first described by Robert Hooke in 1665, when he looked at thin slices of cork through a microscope."""
SETTINGS = {
    "AI_PROVIDER": "openai",
    "AI_MODEL": "small",
    "AI_API_KEY": KEY,
    "AI_PRICE_INPUT": "10",
}  # of a million tokens


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


def analysis(project: Project, path: str) -> dict[str, object]:
    (row,) = project.rows(
        "select a.provider, a.degraded, a.title, a.notes, a.requests, a.cost, "
        "(select count(*) from public.cards c where c.file_id = a.file_id) as cards "
        "from public.file_analyses a join public.ingested_files f on f.id = a.file_id where f.path = %s",
        path,
    )
    return row


def test_a_model_describes_an_upload_and_writes_its_cards_and_is_paid_once_for_a_copy(
    project: Project, fake: FakeProvider
) -> None:
    with project.function(REPOSITORY, **SETTINGS, AI_BASE_URL=fake.base_url) as function:
        for name in ("cells", "copy-of-cells"):
            project.upload(f"acme/{name}.txt", NOTE, "text/plain")
            assert function.tick().json()["succeeded"] == 3
        assert len(fake.requests) == 2  # one about the file, one for its cards
    first, second = analysis(project, "acme/cells.txt"), analysis(project, "acme/copy-of-cells.txt")
    assert (first["provider"], first["title"], first["requests"]) == ("openai/small", "About a ribosome", 1)
    assert (second["title"], second["requests"], second["cost"]) == ("About a ribosome", 0, None)
    assert first["cards"] == second["cards"] == 2
    (spent,) = project.rows("select sum(cost)::float8 as cost from public.job_runs")
    assert spent["cost"] == pytest.approx(2 * 100 * 10 / 1e6)


def test_a_rejected_key_is_an_error_that_names_the_setting_and_nowhere_shows_the_key(
    project: Project, fake: FakeProvider
) -> None:
    fake.will(
        status(401, f"Incorrect API key provided: {KEY}"), status(401, f"Incorrect API key provided: {KEY}")
    )
    with project.function(REPOSITORY, **SETTINGS, AI_BASE_URL=fake.base_url) as function:
        project.upload("acme/cells.txt", NOTE, "text/plain")
        answer = function.tick()
        job = project.jobs("acme/cells.txt")["analyze_file"]
        assert (job["status"], job["attempts"]) == ("queued", 1)
        assert job["last_error"] == "ai: the provider rejects the key (401); check AI_API_KEY"
    with project.function(
        REPOSITORY, **SETTINGS, AI_BASE_URL=fake.base_url, AI_FALLBACK="offline"
    ) as function:
        project.rows("update public.jobs set run_at = now() where status = 'queued'")
        function.tick()
    found = analysis(project, "acme/cells.txt")
    assert (found["provider"], found["degraded"]) == ("offline", True)
    assert found["notes"] == ["ai: offline rules instead, AI_API_KEY has to be corrected"]
    assert found["cards"]
    logs = "".join(log.read_text() for log in Path(project.supabase.log_directory).glob("function-*.log"))
    assert KEY not in logs + answer.text + str(project.rows("select * from public.job_runs"))
