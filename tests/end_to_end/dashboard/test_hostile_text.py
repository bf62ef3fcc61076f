"""Markup in whatever a queue holds stays text: nothing runs, nothing is fetched, and it can be read as it is.

`open_page` fails each of these tests if a dialog opened, a script failed or the page's policy had to step in.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.dashboard.conftest import OpenPage
from tests.end_to_end.dashboard.nasty import MARKUP, SCRIPT
from tests.end_to_end.dashboard.pages import go_to, row, signed_in
from tests.end_to_end.dashboard.queue import Queue
from tests.end_to_end.dashboard.stand_in import JobsApiStandIn
from tests.end_to_end.jobs_api import JobsApi

EVERY_VIEW = (
    "overview", "overview?job=8001", "jobs?view=failed", "jobs?view=failed&job=8001", "jobs?view=pending",
    "jobs?view=active&job=9001", "jobs?view=all", "files", "files?file=1", "audit",
)  # fmt: skip


def made_elements(page: Page) -> Any:
    """What markup would have made: pictures that are no thumbnails, and scripts that the page did not bring."""
    made = "img:not([src^=blob]), script:not([src]), [onerror], iframe, svg *[onload]"
    return page.evaluate("(made) => document.querySelectorAll(made).length", made)


def test_what_the_real_queue_holds_stays_text(visit_real: OpenPage, jobs_api: JobsApi, queue: Queue) -> None:
    payload = {"path": MARKUP, SCRIPT: [MARKUP]}
    failed = queue.fail(f"no: {MARKUP}", org_id=MARKUP, payload=payload)
    running = queue.enqueue("analyze_file", org_id=SCRIPT)
    queue.report(queue.claim("analyze_file"), {"done": 0.5, "note": MARKUP})
    queue.value("select public.pause_processing(%s)", f"because {MARKUP}")
    queue.value("select public.operate(%s, 'pause', jsonb_build_object('reason', %s::text))", MARKUP, SCRIPT)
    with visit_real() as page:
        signed_in(page, jobs_api)
        expect(page.locator(".banner.is-paused")).to_contain_text(SCRIPT)
        expect(row(page, running)).to_contain_text(MARKUP)
        go_to(page, f"jobs?view=failed&job={failed}")
        dialog = page.get_by_role("dialog")
        expect(dialog.locator(".error-box")).to_have_text(f"no: {MARKUP}")
        expect(dialog.locator("pre.json")).to_contain_text(SCRIPT)
        expect(row(page, failed)).to_contain_text(MARKUP)
        page.keyboard.press("Escape")
        go_to(page, "audit")
        expect(page.get_by_role("table", name="Audit trail")).to_contain_text(MARKUP)
        assert made_elements(page) == 0


@pytest.mark.parametrize("view", EVERY_VIEW)
def test_what_any_answer_could_hold_stays_text_in_every_view(
    visit: OpenPage, api: JobsApiStandIn, view: str
) -> None:
    api.paused = SCRIPT
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()
        go_to(page, view)
        page.locator(f"main[data-key=view-{view.partition('?')[0]}]").wait_for()
        expect(page.get_by_text(MARKUP).first).to_be_attached()
        page.wait_for_load_state("networkidle")

        assert made_elements(page) == 0


def test_an_error_in_the_address_stays_text(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard#error=access_denied&error_description={MARKUP}")

        expect(page.get_by_role("alert")).to_have_text(MARKUP)
        assert page.url == f"{api.url}/dashboard"
        assert made_elements(page) == 0


@pytest.mark.parametrize(
    "address", ["job=1%27--", "job=<b>", "view=__proto__", "view=constructor&type=%00", "file=-1"]
)
def test_an_address_made_by_somebody_else_shows_a_view_and_no_error(
    visit: OpenPage, api: JobsApiStandIn, address: str
) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()
        for view in ("jobs", "constructor", "files"):
            go_to(page, f"{view}?{address}")
            page.wait_for_timeout(100)

        expect(page.locator("main")).to_be_visible()
        assert page.locator("dialog").count() == 0
