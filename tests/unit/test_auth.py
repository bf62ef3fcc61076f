"""Who may start a tick."""

from __future__ import annotations

import hmac

import pytest
from werkzeug.datastructures import Headers

from functions import log
from functions.auth import is_authorized
from functions.settings import load_settings

SECRETS = {
    "CRON_SECRET": "cron-now",
    "CRON_SECRET_PREVIOUS": "cron-before",
    "JOB_QUEUE_RUNNER_SECRET": "runner-now",
    "JOB_QUEUE_RUNNER_SECRET_PREVIOUS": "runner-before",
}
ON_CLOUD_RUN = {"K_SERVICE": "test"}  # so that no .env of the developer is read
SETTINGS = load_settings(SECRETS | ON_CLOUD_RUN)


@pytest.mark.parametrize("secret", SECRETS.values())
@pytest.mark.parametrize("header", ["bearer", "runner"])
def test_either_header_may_carry_any_live_secret(secret: str, header: str) -> None:
    headers = {"bearer": ("Authorization", f"Bearer {secret}"), "runner": ("X-Job-Runner-Secret", secret)}
    assert is_authorized(Headers([headers[header]]), SETTINGS)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_is_bearer_in_any_case(scheme: str) -> None:
    assert is_authorized(Headers([("Authorization", f"{scheme} cron-now")]), SETTINGS)


def test_blanks_around_a_secret_do_not_count() -> None:
    assert is_authorized(Headers([("Authorization", "Bearer  cron-now \t")]), SETTINGS)
    assert is_authorized(Headers([("X-Job-Runner-Secret", " cron-now\t")]), SETTINGS)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer wrong")],
        [("Authorization", "cron-now")],
        [("Authorization", "Basic cron-now")],
        [("Authorization", "Bearer cron-no")],
        [("Authorization", "Bearer cron-now-and-more")],
        [("X-Job-Runner-Secret", "")],
        [("X-Job-Runner-Secret", "Runner-Now")],
        [("X-Job-Runner-Secret", "über")],
    ],
    ids=str,
)
def test_everything_else_is_refused(headers: list[tuple[str, str]]) -> None:
    assert not is_authorized(Headers(headers), SETTINGS)


def test_one_right_header_is_enough_beside_a_wrong_one() -> None:
    headers = Headers([("Authorization", "Bearer wrong"), ("X-Job-Runner-Secret", "runner-now")])
    assert is_authorized(headers, SETTINGS)


@pytest.mark.parametrize("secret", ["schlüssel", "voilà"])  # à ends in a byte that Latin-1 calls a space
def test_a_secret_beyond_ascii_is_compared_by_its_bytes(secret: str) -> None:
    settings = load_settings({"CRON_SECRET": secret} | ON_CLOUD_RUN)
    as_wsgi_gives_it = secret.encode().decode("latin-1")
    assert is_authorized(Headers([("Authorization", f"Bearer {as_wsgi_gives_it}")]), settings)
    assert is_authorized(Headers([("X-Job-Runner-Secret", as_wsgi_gives_it)]), settings)


def test_without_a_configured_secret_everybody_is_refused_and_the_log_says_what_to_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure()
    assert not is_authorized(Headers([("Authorization", "Bearer anything")]), load_settings(ON_CLOUD_RUN))
    assert "CRON_SECRET" in capsys.readouterr().out


def test_every_secret_is_compared_even_after_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(presented: bytes, secret: bytes) -> bool:
        compared.append(secret)
        return presented == secret

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert is_authorized(Headers([("Authorization", "Bearer cron-now")]), SETTINGS)
    assert len(compared) == len(SECRETS)
