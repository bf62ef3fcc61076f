"""Who gets into the dashboard, by the real jobs API and the Auth stand-in, and what the others read."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from scripts.local_supabase import Leg
from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL, MEMBER_EMAIL
from scripts.local_supabase.state import LegFolder
from tests.end_to_end.dashboard.browser import keep_screenshot
from tests.end_to_end.dashboard.conftest import OpenPage
from tests.end_to_end.dashboard.pages import last_link, sign_in, tile
from tests.end_to_end.jobs_api import JobsApi


@pytest.fixture
def mails(jobs_api: JobsApi) -> Path:
    return LegFolder(Path(jobs_api.supabase.directory), Leg(jobs_api.supabase.leg)).mail


def test_an_admin_gets_in_by_password_and_says_whose_project_it_is(
    visit_real: OpenPage, jobs_api: JobsApi
) -> None:
    with visit_real() as page:
        sign_in(page, jobs_api)

        expect(tile(page, "Queued")).to_have_text("0")
        expect(page.locator(".pill.is-local")).to_have_text("Local")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_wrong_password_is_refused_in_auths_own_words(visit_real: OpenPage, jobs_api: JobsApi) -> None:
    with visit_real() as page:
        sign_in(page, jobs_api, password="not this one")

        expect(page.get_by_role("alert")).to_have_text("Invalid login credentials")
        expect(page.get_by_label("E-mail")).to_have_value(ADMIN_EMAIL)
        assert page.locator(".tile").count() == 0


def test_somebody_who_is_no_admin_reads_how_one_becomes_one(visit_real: OpenPage, jobs_api: JobsApi) -> None:
    with visit_real() as page:
        sign_in(page, jobs_api, MEMBER_EMAIL)

        expect(page.get_by_role("heading", name="This account is no admin")).to_be_visible()
        expect(page.locator("pre")).to_contain_text(f"where email = '{MEMBER_EMAIL}';")
        keep_screenshot(page, "no-admin")
        page.get_by_role("button", name="Sign in again").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_link_from_a_mail_opens_it_signed_in_and_leaves_no_token_in_the_address(
    visit_real: OpenPage, jobs_api: JobsApi, mails: Path
) -> None:
    with visit_real() as page:
        page.goto(f"{jobs_api.url}/dashboard")
        page.get_by_role("button", name="Send me a link").click()
        page.get_by_label("E-mail").fill(ADMIN_EMAIL)
        page.get_by_role("button", name="Send me a link").click()
        expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

        page.goto(last_link(mails))

        expect(tile(page, "Queued")).to_have_text("0")
        assert page.url == f"{jobs_api.url}/dashboard"
        assert "token" not in page.evaluate("history.state + location.href")


def test_a_link_that_was_used_before_says_so(visit_real: OpenPage, jobs_api: JobsApi, mails: Path) -> None:
    with visit_real() as page:
        page.goto(f"{jobs_api.url}/dashboard")
        page.get_by_role("button", name="Send me a link").click()
        page.get_by_label("E-mail").fill(ADMIN_EMAIL)
        page.get_by_role("button", name="Send me a link").click()
        page.get_by_role("heading", name="Look into your mail").wait_for()
        link = last_link(mails)
        page.goto(link)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="Sign in").wait_for()

        page.goto(link)

        expect(page.get_by_role("alert")).to_contain_text("expired")
        assert page.url == f"{jobs_api.url}/dashboard"


def test_whether_an_address_has_an_account_stays_untold(visit_real: OpenPage, jobs_api: JobsApi) -> None:
    with visit_real() as page:
        page.goto(f"{jobs_api.url}/dashboard")
        page.get_by_role("button", name="Send me a link").click()
        page.get_by_label("E-mail").fill("nobody@example.com")
        page.get_by_role("button", name="Send me a link").click()

        expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()


def test_whoever_signed_out_is_out_after_a_reload_too(visit_real: OpenPage, jobs_api: JobsApi) -> None:
    with visit_real() as page:
        sign_in(page, jobs_api)
        tile(page, "Queued").wait_for()
        page.reload()
        tile(page, "Queued").wait_for()

        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="Sign in").wait_for()
        page.reload()

        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert page.evaluate("sessionStorage.length + document.cookie.length") == 0
