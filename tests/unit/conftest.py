"""What every unit test starts with: none of the developer's settings, and logging as Python left it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from functions.settings import variables


@pytest.fixture(autouse=True)
def no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables():
        monkeypatch.delenv(variable.name, raising=False)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("functions", "handlers")]
    before = [(logger.propagate, list(logger.handlers), logger.level) for logger in loggers]
    yield
    for logger, (propagate, handlers, level) in zip(loggers, before, strict=True):
        logger.propagate = propagate
        logger.handlers[:] = handlers
        logger.setLevel(level)
