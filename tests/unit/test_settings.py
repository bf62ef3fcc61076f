"""The environment: what is read, from where, and what is said about a wrong value."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from functions.errors import ConfigurationError
from functions.settings import Settings, load_settings, variables

ROOT = Path(__file__).parents[2]


def token(role: str) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"role": role}).encode()).decode().rstrip("=")
    return f"header.{body}.signature"


def load(tmp_path: Path, **environment: str) -> Settings:
    return load_settings(environment, tmp_path)


def test_an_empty_environment_gives_the_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.tick_budget_seconds, settings.tick_concurrency, settings.lease_seconds) == (45, 4, 120)
    assert settings.tick_secrets() == ()


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, TICK_CONCURRENCY="", CRON_SECRET="").cron_secret is None


def test_what_was_pasted_around_a_value_does_not_count(tmp_path: Path) -> None:
    url, key = " https://a.supabase.co/\n", "sb_secret_x\n"
    settings = load(tmp_path, SUPABASE_URL=url, SUPABASE_SECRET_KEY=key, CRON_SECRET=" ", PORT="\t90 ")
    assert settings.supabase() == ("https://a.supabase.co", "sb_secret_x")
    assert (settings.cron_secret, settings.port) == (None, 90)


def test_dotenv_fills_in_what_the_environment_lacks_and_never_overrides_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TICK_CONCURRENCY=2\nLEASE_SECONDS=30\n")
    settings = load(tmp_path, LEASE_SECONDS="60")
    assert (settings.tick_concurrency, settings.lease_seconds) == (2, 60)


def test_the_local_supabase_is_found_by_the_file_it_writes(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/env").write_text(
        "SUPABASE_URL=http://127.0.0.1:5\nSUPABASE_SECRET_KEY=sb_secret_local\n"
    )
    (tmp_path / ".env").write_text("LOG_LEVEL=DEBUG\n")
    assert load(tmp_path).supabase() == ("http://127.0.0.1:5", "sb_secret_local")


def test_one_projects_key_never_meets_anothers_url(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/env").write_text(
        "SUPABASE_URL=http://127.0.0.1:5\nSUPABASE_SECRET_KEY=sb_secret_local\n"
    )
    settings = load(tmp_path, SUPABASE_URL="https://a.supabase.co", SUPABASE_SERVICE_ROLE_KEY="legacy")
    assert settings.supabase() == ("https://a.supabase.co", "legacy")


def test_on_cloud_run_only_the_environment_counts(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TICK_CONCURRENCY=2\n")
    assert load(tmp_path, K_SERVICE="crontick").tick_concurrency == 4


def test_the_new_key_wins_over_the_legacy_one(tmp_path: Path) -> None:
    keys = {"SUPABASE_SECRET_KEY": "sb_secret_new", "SUPABASE_SERVICE_ROLE_KEY": token("service_role")}
    assert load(tmp_path, SUPABASE_URL="https://a.supabase.co/", **keys).supabase() == (
        "https://a.supabase.co",
        "sb_secret_new",
    )


@pytest.mark.parametrize("missing", ["SUPABASE_URL", "SUPABASE_SECRET_KEY"])
def test_a_missing_variable_is_named_with_a_remedy(tmp_path: Path, missing: str) -> None:
    values = {"SUPABASE_URL": "https://a.supabase.co", "SUPABASE_SECRET_KEY": "sb_secret_x"}
    del values[missing]
    with pytest.raises(ConfigurationError, match=rf"{missing} is not set: .*crontick up"):
        load(tmp_path, **values).supabase()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("SUPABASE_URL", "abcdefgh", "URL"),
        ("SUPABASE_URL", "https://a.supabase.co/rest/v1", "bare project URL"),
        ("SUPABASE_URL", "http://a.supabase.co", "https"),
        ("SUPABASE_URL", "https://a.supabase.co:port", "Port"),
        ("SUPABASE_URL", "https://a.supabase.co#x", "bare project URL"),
        ("SUPABASE_URL", "https://a.supabase.co?x", "bare project URL"),
        ("SUPABASE_URL", "https://user:word@a.supabase.co", "bare project URL"),
        ("SUPABASE_URL", "https://[::1", "IPv6"),
        ("SUPABASE_SECRET_KEY", "“sb_secret_x”", "copy it again"),
        ("SUPABASE_SERVICE_ROLE_KEY", "schlüssel", "copy it again"),
        ("SUPABASE_SECRET_KEY", "sb_publishable_x", "public key"),
        ("SUPABASE_SERVICE_ROLE_KEY", token("anon"), "public key"),
        ("JOB_QUEUE_WORKER_ENDPOINT", "localhost:8080", "URL"),
        ("TICK_CONCURRENCY", "many", "integer"),
        ("TICK_CONCURRENCY", "0", "greater than or equal to 1"),
        ("JOB_QUEUE_BACKEND", "redis", "'table' or 'cron'"),
        ("JOB_MAX_ATTEMPTS", "0", "greater than or equal to 1"),
        ("JOB_MAX_ATTEMPTS", "101", "less than or equal to 100"),
        ("LEASE_SECONDS", "5", "greater than or equal to 10"),
        ("LOG_LEVEL", "loud", "DEBUG"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_wrong(
    tmp_path: Path, name: str, value: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} .*{problem}"):
        load(tmp_path, **{name: value})


def test_all_wrong_values_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, PORT="x", LEASE_SECONDS="y")
    assert len(str(caught.value).splitlines()) == 2


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, SUPABASE_SECRET_KEY="sb_secret_hidden", CRON_SECRET="hidden")
    assert "hidden" not in repr(settings) + str(settings.model_dump())


def test_a_secret_is_not_repeated_in_the_error_about_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, SUPABASE_SECRET_KEY="sb_publishable_hidden", SUPABASE_URL="https://u:hidden@a.co")
    assert "hidden" not in str(caught.value)


def test_the_example_file_lists_exactly_the_settings_with_their_defaults() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    shown = [
        line.removeprefix("# ").split("=", 1)
        for line in lines
        if line.split("=")[0].removeprefix("# ").isupper()
    ]
    assert shown == [[one.name, one.default] for one in variables()]
    for variable in variables():
        assert f"# {variable.description}" in lines
