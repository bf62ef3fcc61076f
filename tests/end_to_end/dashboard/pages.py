"""What people do on the page, in its own words."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Locator, Page

from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL
from tests.end_to_end.jobs_api import JobsApi


def sign_in(page: Page, api: JobsApi, email: str = ADMIN_EMAIL, password: str | None = None) -> None:
    page.goto(f"{api.url}/dashboard")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password or api.passwords[email])
    page.get_by_role("button", name="Sign in", exact=True).click()


def signed_in(page: Page, api: JobsApi, view: str = "overview") -> None:
    """By a token in the address, as a magic link brings one."""
    token = api.token_of(ADMIN_EMAIL)
    page.goto(f"{api.url}/dashboard#access_token={token}&expires_in=3600&refresh_token=none&type=magiclink")
    page.get_by_text("Live", exact=True).wait_for()
    go_to(page, view)


def go_to(page: Page, view: str) -> None:
    page.evaluate("(view) => { location.hash = `#/${view}` }", view)


def tile(page: Page, name: str) -> Locator:
    return page.locator(".tile", has=page.locator(".tile-name", has_text=name)).locator(".tile-value")


def row(page: Page, job_id: int) -> Locator:
    return page.locator(f'tr[data-key="{job_id}"]')


def last_link(mails: Path) -> str:
    link: str = json.loads(mails.read_text("utf-8").splitlines()[-1])["link"]
    return link


def fits(page: Page) -> bool:
    """Whether neither the page nor a dialog has to be scrolled sideways."""
    boxes = "[document.documentElement, ...document.querySelectorAll('dialog')]"
    return bool(page.evaluate(f"{boxes}.every((box) => box.scrollWidth <= box.clientWidth)"))
