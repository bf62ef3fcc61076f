"""One browser for all of these tests; the real jobs API with its queue, or a stand-in for its rare states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.end_to_end.dashboard import stand_in
from tests.end_to_end.dashboard.browser import CHROMIUM, PATIENCE_MS, open_page, running_browser
from tests.end_to_end.dashboard.queue import Queue
from tests.end_to_end.dashboard.stand_in import JobsApiStandIn
from tests.end_to_end.jobs_api import JobsApi

OpenPage = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="package")
def browser(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if leg != "debian":
        pytest.skip("the dashboard is driven on leg debian, whose packages include a browser")
    assert CHROMIUM.exists(), "apt-get install chromium, as scripts/test.sh does"
    expect.set_options(timeout=PATIENCE_MS)
    with (
        sync_playwright() as playwright,
        running_browser(playwright, tmp_path_factory.mktemp("chromium")) as running,
    ):
        yield running


@pytest.fixture
def api() -> Iterator[JobsApiStandIn]:
    with stand_in.running() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, api: JobsApiStandIn) -> OpenPage:
    """Opens a page that may talk to the stand-in alone."""
    return partial(open_page, browser, [api.url])


@pytest.fixture
def queue(jobs_api: JobsApi, postgres: psycopg.Connection[Any]) -> Iterator[Queue]:
    """The real queue, emptied before and after, and not paused."""
    queue = Queue(postgres)
    queue.clear()
    yield queue
    queue.clear()


@pytest.fixture
def visit_real(browser: Browser, jobs_api: JobsApi, queue: Queue) -> OpenPage:
    """Opens a page that may talk to the jobs API and the project's Auth, and to nobody else."""
    return partial(open_page, browser, [jobs_api.url, jobs_api.supabase.url])
