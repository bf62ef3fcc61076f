"""What a worker is put together from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from functions import log
from functions.settings import Settings
from functions.worker import Worker
from handlers.settings import HandlerSettings
from tests.unit.team import handler_text, importable

TEAM = {
    "team_work.__init__": "",
    "team_work.jobs": handler_text("send_digest"),
    "team_work.rival": handler_text("send_digest"),
    "team_work.decoders": """
def read(source, folder):
    return {"text": source.read_text()}
""",
}


@pytest.fixture(autouse=True)
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with importable(tmp_path, TEAM, monkeypatch):
        yield


def settings(**values: str) -> Settings:
    project = {"SUPABASE_URL": "http://supabase.test", "SUPABASE_SECRET_KEY": "sb_secret_for_tests"}
    return Settings.model_validate(project | values)


def logged(capsys: pytest.CaptureFixture[str], handlers: str) -> list[str]:
    log.configure()
    with closing(Worker(settings(CRONTICK_HANDLERS=handlers))):
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [
        line["error"]
        for line in lines
        if (line["severity"], line["message"]) == ("ERROR", "handlers_unusable")
    ]


def test_a_worker_says_at_its_start_which_handlers_it_cannot_use(capsys: pytest.CaptureFixture[str]) -> None:
    absent, rivals = logged(capsys, "team_absent, team_work.jobs, team_work.rival")

    assert absent.startswith("CRONTICK_HANDLERS: team_absent cannot be imported")
    assert rivals.startswith(
        "send_digest has two handlers, team_work.jobs:send_digest and team_work.rival:send_digest"
    )


def test_a_worker_with_good_handlers_has_nothing_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert logged(capsys, "team_work.jobs") == []


def test_decoders_beside_added_handlers_run_in_the_sandbox(tmp_path: Path) -> None:
    source = tmp_path / "note.txt"
    source.write_text("A note.")

    with closing(Worker(settings(CRONTICK_HANDLERS="team_work.jobs"))) as worker:
        decoded = worker.sandbox.run("team_work.decoders:read", source, timeout=30)

    assert decoded.facts == {"text": "A note."}


def test_other_modules_are_no_decoders(tmp_path: Path) -> None:
    with closing(Worker(settings())) as worker, pytest.raises(ValueError, match="expected 'module:function'"):
        worker.sandbox.run("team_work.decoders:read", tmp_path / "note.txt", timeout=30)


def test_handlers_see_no_key_of_the_project() -> None:
    seen = settings(CRON_SECRET="cron-hidden", WEBHOOK_SECRET="whsec_" + "c2VjcmV0" * 4).for_handlers()

    assert type(seen) is HandlerSettings
    assert set(seen.model_dump()) == set(HandlerSettings.model_fields)
    assert not {"supabase_url", "supabase_secret_key", "supabase_service_role_key", "cron_secret"} & set(
        dir(seen)
    )
    assert "hidden" not in str(vars(seen))


def test_handlers_see_what_the_environment_says_to_them() -> None:
    seen = settings(MAX_PDF_PAGES="7", AI_MODEL="some-model", THUMBNAIL_SIZES="64, 32,64").for_handlers()

    assert (seen.max_pdf_pages, seen.ai_model, seen.sizes()) == (7, "some-model", (32, 64))
