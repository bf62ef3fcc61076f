"""The page without a mouse, and for those who hear it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.end_to_end.dashboard.conftest import OpenPage
from tests.end_to_end.dashboard.pages import go_to
from tests.end_to_end.dashboard.stand_in import JobsApiStandIn

FOCUS = "document.activeElement?.textContent?.trim().slice(0, 60) || document.activeElement?.getAttribute('aria-label')"
MOST_STEPS = 80


def walk_to(page: Page, wanted: str) -> None:
    """By Tab alone, seeing where the focus is on the way."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if wanted in str(page.evaluate(FOCUS)):
            return
    raise AssertionError(f"{MOST_STEPS} steps did not lead to {wanted}")


def test_a_dead_letter_is_found_opened_and_retried_by_the_keyboard_alone(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        walk_to(page, "Jobs")
        page.keyboard.press("Enter")
        page.locator("tbody tr").first.wait_for()

        page.keyboard.press("/")
        expect(page.get_by_label("Organisation")).to_be_focused()
        page.keyboard.type("acme")
        page.keyboard.press("Enter")
        expect(page.locator("tbody tr")).to_have_count(20)
        walk_to(page, "#8005")
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Job 8005")
        dialog.get_by_role("button", name="Retry job 8005").wait_for()
        walk_to(page, "Retry")
        page.keyboard.press("Enter")
        expect(page.locator("#toasts")).to_contain_text("Job 8005 is queued again.")
        page.keyboard.press("Escape")

        expect(dialog).to_have_count(0)
        assert "#8005" in str(page.evaluate(FOCUS))
        assert ("jobs/8005/retry", {}) in api.changes


def test_the_focus_leaves_the_page_at_its_end_instead_of_being_trapped(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()
        seen = []
        for _ in range(MOST_STEPS):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement === document.body"))
        assert any(seen), "Tab never came out of the page"


def test_the_plots_are_read_by_arrow_keys(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        plot = page.get_by_role("group", name="Jobs over time")
        plot.focus()
        page.keyboard.press("End")

        expect(page.locator("[data-plot=throughput] [role=status]")).to_contain_text("Done")
        expect(page.locator("[data-plot=throughput] .plot-tip")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("[data-plot=throughput] .plot-tip")).to_be_hidden()


def test_the_numbers_are_read_out_once_in_a_while(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")

        expect(page.locator("#announcer")).to_have_text(
            "12,269 due, the oldest for 6 min 52 s; 4 processing; 37 failed."
        )


def test_nothing_moves_for_those_who_asked_for_that(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit(reduced_motion="reduce") as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()

        duration = page.evaluate("getComputedStyle(document.querySelector('.live-dot')).animationDuration")
        assert float(duration.removesuffix("s")) < 0.001


def test_every_control_has_a_name_and_every_text_enough_contrast(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    nameless = """[...document.querySelectorAll('button, a, input, select, textarea, [role=group]')]
        .filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length || e.title))
        .map((e) => e.outerHTML.slice(0, 120))"""
    for colours in ("light", "dark"):
        with visit(colours=colours) as page:
            page.goto(f"{api.url}/dashboard{api.fragment()}")
            page.get_by_text("Live", exact=True).wait_for()
            for view in (
                "overview",
                "jobs?view=failed&job=8001",
                "jobs?view=active",
                "files?file=2",
                "audit",
            ):
                go_to(page, view)
                expect(page.locator(".skeleton")).to_have_count(0)
                assert page.evaluate(nameless) == [], view
                assert page.evaluate(TOO_PALE) == [], (view, colours)


@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_that_keeps_anybody_out(visit: OpenPage, api: JobsApiStandIn, width: int) -> None:
    api.paused = "a reason that somebody gave"
    with visit(width=width) as page:
        page.goto(f"{api.url}/dashboard")
        page.get_by_role("heading", name="Sign in").wait_for()
        assert violations(page) == []
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()
        for view in (
            "overview",
            "jobs?view=failed",
            "jobs?view=all&job=8001",
            "files",
            "files?file=2",
            "audit",
        ):
            go_to(page, view)
            expect(page.locator(".skeleton")).to_have_count(0)
            page.wait_for_load_state("networkidle")
            assert violations(page) == [], view
        go_to(page, "jobs?view=failed")
        page.get_by_role("button", name="Retry all…").click()
        page.get_by_role("dialog").get_by_role("button", name="Retry 24 jobs").wait_for()
        assert violations(page) == []


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """Axe's rules that are broken, each with the elements that break them."""
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]


# WCAG's formula over every element that has text of its own, against the nearest ground that is painted.
TOO_PALE = """() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const pale = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const box = element.getBoundingClientRect();
    if (!own || element.closest("svg, option, datalist, .unseen, .skip, :disabled") || box.width < 2) continue;
    const grounds = [];
    for (let e = element; e; e = e.parentElement) grounds.unshift(getComputedStyle(e).backgroundColor);
    const ground = paint(grounds);
    const ink = paint([...grounds, getComputedStyle(element).color]);
    const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) pale.push(`${ratio.toFixed(2)} ${element.className} ${element.textContent.slice(0, 30)}`);
  }
  return [...new Set(pale)];
}"""
