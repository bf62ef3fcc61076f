"""The dashboard's files and how they are served: nothing of anybody else's, nothing that reads text as markup."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import flask
import pytest
from pydantic import SecretStr

from functions.admin import assets
from functions.settings import Settings

FOLDER = Path(assets.__file__).parents[1] / "dashboard"
SCRIPTS = sorted(FOLDER.glob("*.js"))
PROJECT = "https://abcdefgh.supabase.co"
READS_TEXT_AS_CODE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|setHTML"
    r"|srcdoc|\beval\b|new Function|javascript:|setTimeout\(\s*[\"'`]|import\("
)
Fetch = Callable[..., flask.Response | None]


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate(
        {
            "SUPABASE_URL": PROJECT,
            "SUPABASE_SECRET_KEY": "sb_secret_never",
            "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_fine",
            "CRON_SECRET": "cron-never",
            "JOB_QUEUE_RUNNER_SECRET": "runner-never",
            "SUPABASE_JWT_SECRET": "jwt-never-" * 4,
            "CRONTICK_ENVIRONMENT": "production",
        }
    )


@pytest.fixture
def fetch(settings: Settings) -> Fetch:
    def fetch(name: str, **headers: str) -> flask.Response | None:
        application = flask.Flask("test", static_folder=None)
        with application.test_request_context(
            headers={key.replace("_", "-"): each for key, each in headers.items()}
        ):
            return assets.asset(name, settings)

    return fetch


def page_of(response: flask.Response | None) -> tuple[str, dict[str, str]]:
    assert response is not None
    return response.get_data(as_text=True), dict(response.headers)


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_no_script_reads_text_as_markup_or_code(file: Path) -> None:
    assert READS_TEXT_AS_CODE.findall(file.read_text("utf-8")) == []


def test_the_page_has_no_script_or_style_of_its_own_and_loads_nothing_from_elsewhere() -> None:
    page = (FOLDER / "index.html").read_text("utf-8")

    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=", page) == []
    for file in FOLDER.iterdir():
        addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"//\s.*", "", file.read_text("utf-8")))
        assert [each for each in addresses if "www.w3.org" not in each and "example.com" not in each] == [], (
            file.name
        )


def test_every_script_is_asked_for_at_once_and_every_style_is_used() -> None:
    page = (FOLDER / "index.html").read_text("utf-8")

    loaded = re.findall(r'(?:src|href)="dashboard/([\w.]+)"', page)
    assert sorted(loaded) == sorted(file.name for file in FOLDER.iterdir() if file.name != "index.html")


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_what_a_script_imports_is_there(file: Path) -> None:
    for names, source in re.findall(
        r'import (?:\* as \w+|\{([^}]*)\}) from "\./([\w.]+)"', file.read_text("utf-8")
    ):
        exported = (FOLDER / source).read_text("utf-8")
        for name in filter(None, (name.strip() for name in names.split(","))):
            assert re.search(rf"export (?:async )?(?:function|const|class) {name}\b", exported), (
                source,
                name,
            )


def test_the_page_may_talk_to_this_function_and_the_projects_auth_alone(fetch: Fetch) -> None:
    _, headers = page_of(fetch(""))

    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": f"'self' {PROJECT}",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_without_a_project_the_policy_allows_this_function_alone(settings: Settings) -> None:
    policy = assets.content_security_policy(settings.model_copy(update={"supabase_url": None}))

    assert "connect-src 'self'; " in policy


def test_no_secret_is_in_anything_that_is_served(fetch: Fetch, settings: Settings) -> None:
    secrets = [value.get_secret_value() for value in dict(settings).values() if isinstance(value, SecretStr)]
    assert len(secrets) == 4

    for name in ("", assets.CONFIG, *assets.files()):
        content, headers = page_of(fetch(name))
        assert [secret for secret in secrets if secret in content + json.dumps(headers)] == [], name


def test_config_says_where_to_sign_in_and_whose_deployment_this_is(fetch: Fetch) -> None:
    content, headers = page_of(fetch("config.json"))

    assert json.loads(content) == {
        "supabase_url": PROJECT,
        "publishable_key": "sb_publishable_fine",
        "local": False,
        "environment": "production",
    }
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("url", ["http://127.0.0.1:54321", "http://localhost:8000"])
def test_a_supabase_on_this_machine_is_said_to_be_local(settings: Settings, url: str) -> None:
    with flask.Flask("test", static_folder=None).test_request_context():
        response = assets.asset("config.json", settings.model_copy(update={"supabase_url": url}))

    assert json.loads(page_of(response)[0])["local"] is True


@pytest.mark.parametrize(
    "name",
    ["../main.py", "..%2fmain.py", "/etc/passwd", "main.py", "theme", "INDEX.HTML", "main.js/", ".", ".."],
)
def test_what_is_no_file_of_the_dashboard_is_not_there(fetch: Fetch, name: str) -> None:
    assert fetch(name) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("theme.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_has_its_kind_and_is_asked_for_again_by_its_tag(fetch: Fetch, name: str, kind: str) -> None:
    content, headers = page_of(fetch(name))
    assert content == (FOLDER / name).read_text("utf-8")
    assert headers["Content-Type"] == kind
    assert headers["Cache-Control"] == "no-cache"

    again = fetch(name, If_None_Match=headers["ETag"])

    assert again is not None
    body, status, _ = again.get_wsgi_response({"REQUEST_METHOD": "GET"})
    assert (status, b"".join(body)) == ("304 NOT MODIFIED", b"")


def test_a_browser_that_understands_gzip_gets_less(fetch: Fetch) -> None:
    response = fetch("app.js", Accept_Encoding="gzip, br")

    assert response is not None
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.get_data()) == (FOLDER / "app.js").read_bytes()
    assert int(response.headers["Content-Length"]) == len(response.get_data())
    assert "Accept-Encoding" in response.headers["Vary"]
