"""The Dockerfile's steps, run in an empty root, and what comes of them at work. For root, on Debian or Ubuntu."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.deploy.built_image import Image, build
from scripts.deploy.empty_root import NoMirrorError, make_base, why_not
from scripts.deploy.image_contents import Contents, look_at
from scripts.deploy.run_image_steps import BASE, REPOSITORY, uv_cache, wait_for_answer
from scripts.local_supabase.ports import free_port
from tests.end_to_end.upload_to_cards.project import Project

PICTURE = Path(__file__).parents[2] / "fixtures" / "pictures" / "turned-p3.heic"
pytestmark = pytest.mark.leg_wheel  # the image is the same on both


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    if reason := why_not():
        pytest.skip(f"no empty root here: {reason}")
    try:
        base = make_base(BASE)
    except NoMirrorError as error:
        pytest.skip(f"no empty root here: {error}")
    return build(REPOSITORY, base, tmp_path_factory.mktemp("image"), {}, cache=uv_cache())


@pytest.fixture(scope="module")
def contents(image: Image) -> Contents:
    return look_at(image.root.folder)


@pytest.fixture
def url(image: Image, project: Project, tmp_path: Path) -> Iterator[str]:
    """The image's function, working for the project."""
    port = free_port()
    settings = {
        "SUPABASE_URL": project.supabase.url,
        "SUPABASE_SECRET_KEY": project.supabase.secret_key,
        "JOB_QUEUE_RUNNER_SECRET": project.supabase.runner_secret,
        "PORT": str(port),
        "BIND": "127.0.0.1",
    }
    with image.running(settings, tmp_path / "image.log"):
        url = f"http://127.0.0.1:{port}/"
        assert wait_for_answer(url) == 401, (tmp_path / "image.log").read_text()
        yield url


def test_the_image_is_small_and_holds_no_gpl_part(contents: Contents) -> None:
    assert contents.copyleft == []
    assert contents.application_mb < 200
    assert contents.packages > 30


def test_nothing_of_the_build_and_of_the_tests_is_left_in_it(contents: Contents) -> None:
    assert contents.leftovers == []


def test_everything_of_ours_is_compiled_since_a_read_only_root_keeps_no_bytecode(contents: Contents) -> None:
    assert contents.uncompiled == []


def test_files_are_worked_off_by_the_image_as_its_user_in_a_read_only_root(
    url: str, project: Project
) -> None:
    project.upload("acme/a.heic", PICTURE, "image/heic")
    project.upload(
        "acme/a.md", b"# Rivers\n\nDelta: the land that forms where a river meets the sea.\n", "text/markdown"
    )

    headers = {"Authorization": f"Bearer {project.supabase.runner_secret}"}
    answer = httpx.post(url, headers=headers, json={}, timeout=60, trust_env=False)

    assert answer.status_code == 200, answer.text
    assert answer.json()["failed"] == 0, answer.text
    for path in ("acme/a.heic", "acme/a.md"):
        assert set(project.statuses(path).values()) == {"done"}


def test_it_ends_in_time_when_the_engine_asks_it_to(image: Image, tmp_path: Path) -> None:
    port = free_port()
    with image.running({"PORT": str(port), "BIND": "127.0.0.1"}, tmp_path / "log") as running:
        assert wait_for_answer(f"http://127.0.0.1:{port}/") == 401
        assert running.stop(seconds=10) == 0


def test_the_same_image_is_the_jobs_api_when_told_so(image: Image, tmp_path: Path) -> None:
    port = free_port()
    settings = {"FUNCTION_TARGET": "jobs_admin", "PORT": str(port), "BIND": "127.0.0.1"}
    with image.running(settings, tmp_path / "log"):
        assert wait_for_answer(f"http://127.0.0.1:{port}/health?live", "GET") == 200


def test_the_same_image_has_the_commands(image: Image, tmp_path: Path) -> None:
    with image.running({}, tmp_path / "log", ("crontick", "--help")) as running:
        assert running.process.wait(60) == 0
    assert "retry" in (tmp_path / "log").read_text()


def test_the_same_image_is_a_worker_that_polls_until_it_is_asked_to_stop(
    image: Image, project: Project, tmp_path: Path
) -> None:
    settings = {
        "SUPABASE_URL": project.supabase.url,
        "SUPABASE_SECRET_KEY": project.supabase.secret_key,
        "JOB_POLL_INTERVAL_MS": "200",
        "ENABLE_HEALTH_CHECK": "true",
        "HEALTH_CHECK_PORT": str(free_port()),
    }
    project.upload("acme/a.md", b"# Rivers\n\nDelta: where a river meets the sea.\n", "text/markdown")
    with image.running(settings, tmp_path / "log", ("crontick", "run")) as running:
        assert wait_for_answer(f"http://127.0.0.1:{settings['HEALTH_CHECK_PORT']}/health", "GET") == 200
        project.wait_for("select 1 where not exists (select from public.jobs where status not in ('done'))")
        assert running.stop(seconds=12) == 0, (tmp_path / "log").read_text()
    assert set(project.statuses("acme/a.md").values()) == {"done"}


def test_its_healthcheck_says_whether_anybody_answers(image: Image, tmp_path: Path) -> None:
    settings = {"PORT": str(free_port()), "BIND": "127.0.0.1"}
    with image.running(settings, tmp_path / "nobody", image.stage.healthcheck) as check:
        assert check.process.wait(30) != 0
    with image.running(settings, tmp_path / "log"):
        assert wait_for_answer(f"http://127.0.0.1:{settings['PORT']}/") == 401
        with image.running(settings, tmp_path / "somebody", image.stage.healthcheck) as check:
            assert check.process.wait(30) == 0, (tmp_path / "somebody").read_text()
