"""Which of the two legs the tests run on, and which tests only one of them can run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from handlers.settings import HandlerSettings

LEGS = ("wheel", "debian")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--leg", choices=LEGS, default="wheel", help="which Postgres the tests meet")
    parser.addoption("--state-machine-minutes", type=float, help="how long the state machine looks (45 s)")
    parser.addoption("--state-machine-seed", type=int, help="run one round of the state machine, by its seed")
    parser.addoption("--fuzz-seconds", type=float, default=5.0, help="how long each fuzzing test looks (5 s)")
    parser.addoption("--fuzz-seed", type=int, help="run one round of the fuzzing tests, by its seed")


@pytest.fixture(scope="session", autouse=True)
def no_provider_of_the_developers_own() -> Iterator[None]:
    """What is set in the shell, or in `.env`, neither changes a test nor is paid for by one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in HandlerSettings.model_fields:
            patch.delenv(name.upper(), raising=False)
        patch.setenv("AI_PROVIDER", "offline")
        yield


@pytest.fixture(scope="session")
def leg(pytestconfig: pytest.Config) -> str:
    chosen: str = pytestconfig.getoption("--leg")
    return chosen


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("--leg")
    for item in items:
        wanted = {leg for leg in LEGS if item.get_closest_marker(f"leg_{leg}")}
        if wanted and chosen not in wanted:
            item.add_marker(pytest.mark.skip(reason=f"needs --leg {wanted.pop()}"))
