"""What every unit test starts with: none of the developer's settings, and logging as Python left it.

Also what many of them ask for: the queue's client, and a project that the command line is configured for.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import functions_framework
import pytest
import respx
from werkzeug.test import Client

from functions.admin import desk
from functions.cli import connection
from functions.operators_queue import OperatorsQueue
from functions.settings import variables
from handlers.ai.models.ladder import forget_places
from handlers.ai.reading import recognition
from tests.fixtures.fake_openai import FakeProvider
from tests.unit import admin_calls, cli_calls
from tests.unit.admin_calls import Api
from tests.unit.ai_support import PROTOCOLS, Protocol
from tests.unit.fakes import KEY, URL, client


@pytest.fixture(autouse=True)
def no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables():
        monkeypatch.delenv(variable.name, raising=False)


@pytest.fixture(autouse=True)
def the_same_recognition_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed here; what the decoders answer is given, or the test says what it needs."""
    monkeypatch.setattr(recognition, "has_rapidocr", lambda: True)
    monkeypatch.setattr(recognition, "find_tesseract", lambda: None)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("functions", "handlers")]
    before = [(logger.propagate, list(logger.handlers), logger.level) for logger in loggers]
    yield
    for logger, (propagate, handlers, level) in zip(loggers, before, strict=True):
        logger.propagate = propagate
        logger.handlers[:] = handlers
        logger.setLevel(level)


@pytest.fixture
def rest() -> Iterator[respx.MockRouter]:
    """What Supabase answers; every answer that a test prepares has to be asked for."""
    with respx.mock(base_url=URL, assert_all_called=True, assert_all_mocked=True) as router:
        yield router


@pytest.fixture
def queue() -> Iterator[OperatorsQueue]:
    """The real client of the queue, which waits for nothing before it tries again."""
    with client() as supabase:
        yield OperatorsQueue(supabase, sleep=lambda _: None)


@pytest.fixture
def configured_function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command line knows a function and nothing else, whatever this repository's folder holds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connection, "REPOSITORY", tmp_path)  # the real one may have a local Supabase running
    monkeypatch.setenv("JOB_QUEUE_WORKER_ENDPOINT", cli_calls.FUNCTION)
    monkeypatch.setenv("JOB_QUEUE_RUNNER_SECRET", "open sesame")


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, configured_function: None) -> None:
    """The command line knows a project and a function."""
    monkeypatch.setenv("SUPABASE_URL", cli_calls.URL)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", KEY)


@pytest.fixture
def http() -> Iterator[respx.MockRouter]:
    """What any server answers; every answer that a test prepares has to be asked for."""
    with respx.mock(assert_all_called=True) as router:
        yield router


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Which of the providers' protocols is spoken."""
    chosen: Protocol = request.param
    return chosen


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    """A provider on loopback, and nothing known yet about what providers understand."""
    forget_places()
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The jobs API with a desk of its own, which asks once and does not wait before it gives up."""
    for name, value in admin_calls.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(desk, "_made", [])
    monkeypatch.setattr(desk, "_PATIENCE_SECONDS", 0.0)
    yield Api(Client(functions_framework.create_app(target="jobs_admin", source=str(admin_calls.SOURCE))))
    sys.modules.pop("main", None)
    for one in desk._made:
        one.close()
