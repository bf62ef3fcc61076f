"""What the function of a local Supabase is told by the environment of `crontick up` and `crontick demo`."""

from __future__ import annotations

import pytest

from functions.settings import variables
from handlers.settings import HandlerSettings
from scripts.local_supabase.function_process import inherited_environment

# Where the function is and what opens it: the local Supabase's own, whatever else the shell knows.
OF_THE_PROJECT = {
    "SUPABASE_URL",
    "SUPABASE_SECRET_KEY",
    "SUPABASE_SERVICE_ROLE_KEY",
    "CRON_SECRET",
    "CRON_SECRET_PREVIOUS",
    "JOB_QUEUE_RUNNER_SECRET",
    "JOB_QUEUE_RUNNER_SECRET_PREVIOUS",
    "JOB_QUEUE_WORKER_ENDPOINT",
    "JOB_POLL_INTERVAL_MS",
    "SUPABASE_PUBLISHABLE_KEY",
    "SUPABASE_ANON_KEY",
    "SUPABASE_JWT_SECRET",
    "ENABLE_HEALTH_CHECK",
    "HEALTH_CHECK_PORT",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "SENTRY_DSN",
    "GOOGLE_CLOUD_PROJECT",
    "BIND",
    "PORT",
}


def test_everything_that_handlers_are_told_reaches_the_local_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = {name.upper(): f"a value of {name}" for name in HandlerSettings.model_fields}
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)

    assert wanted.items() <= inherited_environment().items()


def test_of_the_worker_s_settings_only_those_of_the_project_stay_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {variable.name for variable in variables()}
    for name in (*names, "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "set")

    heard = {name for name, value in inherited_environment().items() if value == "set"}

    assert heard == names - OF_THE_PROJECT
