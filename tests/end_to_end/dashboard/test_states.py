"""The states that are rare, or that only a fault brings about: empty, offline, ended sessions, a tick's report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Route, expect

from tests.end_to_end.dashboard import nasty, stand_in
from tests.end_to_end.dashboard.browser import keep_screenshot
from tests.end_to_end.dashboard.conftest import OpenPage
from tests.end_to_end.dashboard.pages import fits, go_to, tile
from tests.end_to_end.dashboard.stand_in import JobsApiStandIn

WIDTHS = {"desk": 1280, "phone": 360}


def test_a_new_project_shows_calm_sentences_instead_of_empty_tables(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    api.overview, api.empty = nasty.empty_overview, True
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        for text in ("Nothing due", "Nothing runs", "Nobody waits", "Nothing is scheduled", "No tick yet"):
            expect(page.locator("main")).to_contain_text(text)
        keep_screenshot(page, "empty")
        for view, text in (
            ("jobs", "No dead letters"),
            ("files", "No files yet"),
            ("audit", "Nobody changed anything"),
        ):
            go_to(page, view)
            expect(page.locator("main")).to_contain_text(text)


def test_when_nothing_answers_the_last_numbers_stay_and_their_age_is_told(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        expect(tile(page, "Failed")).to_have_text("37")

        api.down = True

        expect(page.locator(".banner.is-bad")).to_contain_text("the database cannot be reached")
        expect(page.locator(".live")).to_contain_text("Offline")
        expect(tile(page, "Failed")).to_have_text("37")
        keep_screenshot(page, "offline", whole=False)

        api.down = False

        expect(page.locator(".live")).to_have_text("Live")
        expect(page.locator(".banner.is-bad")).to_have_count(0)


def test_it_asks_less_and_less_often_while_nothing_answers(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.clock.install()
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.clock.run_for(100)
        tile(page, "Failed").wait_for()
        api.down = True
        api.asked.clear()

        for _ in range(120):
            page.clock.run_for(1000)

        assert 3 <= api.asked.count("GET /overview") <= 8  # every 3 s it would be 40


def test_a_hidden_page_asks_nothing(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.clock.install()
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.clock.run_for(100)
        tile(page, "Failed").wait_for()
        page.evaluate(
            "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden', configurable: true })"
        )
        page.clock.run_for(4000)
        page.wait_for_timeout(100)
        api.asked.clear()

        page.clock.run_for(600_000)
        under_way = 1  # a question that was asked before and is heard only now; a visible page asks 200
        assert api.asked.count("GET /overview") <= under_way

        api.asked.clear()
        page.evaluate(
            "delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange'))"
        )
        page.wait_for_timeout(300)
        assert api.asked.count("GET /overview") >= 1


def test_a_token_leaves_the_address_before_anything_is_asked(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.route("**/config.json", lambda _route: None)  # never answered
        with page.expect_request("**/config.json"):
            page.goto(f"{api.url}/dashboard{api.fragment()}")

        assert page.url == f"{api.url}/dashboard"


def test_a_token_is_renewed_before_it_ends(visit: OpenPage, api: JobsApiStandIn) -> None:
    api.token_life = 60  # less than what is left when a token counts as ending
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment().replace('expires_in=3600', 'expires_in=60')}")
        expect(tile(page, "Failed")).to_have_text("37")

        assert api.refreshes >= 1


def test_a_session_that_was_ended_elsewhere_leads_back_to_the_sign_in(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment().replace('refresh_token=again', 'refresh_token=used')}")
        expect(tile(page, "Failed")).to_have_text("37")
        go_to(page, "jobs?view=failed&job=8001")
        page.get_by_role("dialog").wait_for()

        api.tokens.clear()

        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("Your session ended")
        assert page.locator("dialog").count() == 0
        page.get_by_label("E-mail").fill("admin@example.com")
        page.get_by_label("Password").fill(stand_in.PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("dialog", name="Job 8001")).to_be_visible()  # where one was


def test_a_deployment_without_a_public_key_says_which_variables_are_missing(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    api.settings = {"SUPABASE_PUBLISHABLE_KEY": ""}
    with visit() as page:
        page.goto(f"{api.url}/dashboard")

        expect(page.locator("pre")).to_contain_text("SUPABASE_PUBLISHABLE_KEY=")
        assert page.get_by_label("Password").count() == 0


def test_a_tick_by_hand_shows_what_it_did(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_role("button", name="Tick now").click()

        dialog = page.get_by_role("dialog", name="A tick by hand")
        expect(dialog.locator(".figures")).to_contain_text("Worked off1Succeeded0Failed1")
        expect(dialog.get_by_role("table")).to_contain_text(nasty.MARKUP)
        assert ("tick", {}) in api.changes


def test_a_change_that_is_refused_stays_in_its_dialog_with_the_reason(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    api.failures_left = 1
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog", name="Pause processing")
        dialog.get_by_label("Reason").fill("typed once")
        dialog.get_by_role("button", name="Pause").click()
        expect(dialog.get_by_role("alert")).to_contain_text(nasty.MARKUP)
        expect(dialog.get_by_label("Reason")).to_have_value("typed once")

        dialog.get_by_role("button", name="Pause").click()

        expect(page.locator(".banner.is-paused")).to_contain_text("typed once")


def test_pictures_come_with_the_token_and_go_with_the_session(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        go_to(page, "files")
        picture = page.locator(".file-card img").first
        expect(picture).to_have_js_property("naturalWidth", 256)
        address = picture.get_attribute("src")
        assert address is not None
        assert address.startswith(f"blob:{api.url}/")

        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="Sign in").wait_for()

        shows = """(address) => new Promise((told) => {
            const picture = new Image();
            picture.onload = () => told(true);
            picture.onerror = () => told(false);
            picture.src = address;
        })"""
        assert page.evaluate(shows, address) is False


def test_a_file_opens_with_its_cards_and_leads_to_its_jobs(visit: OpenPage, api: JobsApiStandIn) -> None:
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        go_to(page, "files")
        page.get_by_role("link", name="A lake at dawn").click()
        dialog = page.get_by_role("dialog", name="File 2")
        answer = dialog.locator(".card p").first
        expect(answer).to_be_hidden()
        dialog.locator(".card summary").first.click()
        expect(answer).to_be_visible()

        dialog.get_by_role("link", name="#8001 create_cards").click()

        expect(page.get_by_role("dialog", name="Job 8001")).to_be_visible()
        page.go_back()
        expect(dialog).to_be_visible()


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_view_fits_the_screen_in_either_colour(
    visit: OpenPage, api: JobsApiStandIn, device: str, colours: str
) -> None:
    with visit(width=WIDTHS[device], height=800, colours=colours) as page:
        page.goto(f"{api.url}/dashboard")
        page.get_by_role("heading", name="Sign in").wait_for()
        keep_screenshot(page, f"sign-in-{device}-{colours}")
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()
        for name, view in (
            ("overview", "overview"), ("failed", "jobs?view=failed"), ("pending", "jobs?view=pending"),
            ("active", "jobs?view=active"), ("all", "jobs?view=all"), ("job", "jobs?view=all&job=8001"),
            ("files", "files"), ("file", "files?file=2"), ("audit", "audit"),
        ):  # fmt: skip
            go_to(page, view)
            expect(page.locator(".skeleton")).to_have_count(0)
            page.wait_for_load_state("networkidle")
            keep_screenshot(page, f"{name}-{device}-{colours}", whole=not page.locator("dialog").count())
            assert fits(page), view


def test_the_times_below_a_plot_are_whole_wherever_the_hour_falls(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    cut = """() => [...document.querySelectorAll('.times text')]
        .filter((text) => { const box = text.getBBox(); const svg = text.ownerSVGElement.viewBox.baseVal;
                            return box.x < 0 || box.x + box.width > svg.width + 1; })
        .map((text) => text.textContent)"""
    overview = api.overview()
    for steps_ago, bucket in enumerate(reversed(overview["history"]["buckets"])):
        bucket["at"] = (datetime(2026, 11, 22, 23, tzinfo=UTC) - timedelta(minutes=5 * steps_ago)).isoformat()
    api.overview = lambda _hours: overview
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        expect(page.locator(".times").first).to_contain_text("23:00")

        assert page.evaluate(cut) == []


def test_a_duration_with_no_neighbour_is_a_point_that_can_be_seen(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    overview = api.overview()
    buckets = overview["history"]["buckets"]
    for bucket in buckets:
        bucket["p50_ms"] = bucket["p95_ms"] = None
    buckets[40]["p50_ms"] = 800
    api.overview = lambda _hours: overview
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        expect(page.locator(".line.is-p50_ms circle")).to_have_count(1)

        box = page.locator(".line.is-p50_ms circle").bounding_box()
        assert box is not None
        assert box["width"] >= 5


def test_the_switch_of_colours_wins_over_the_system_and_is_kept(visit: OpenPage, api: JobsApiStandIn) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with visit(colours="light") as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()
        light = page.evaluate(ground)
        page.get_by_role("button", name="Colours: system").click()
        page.get_by_role("button", name="Colours: light").click()
        expect(page.get_by_role("button", name="Colours: dark")).to_be_visible()
        dark = page.evaluate(ground)
        assert dark != light

        page.reload()
        page.get_by_text("Live", exact=True).wait_for()

        assert page.evaluate(ground) == dark


def test_a_button_stays_itself_and_in_its_place_when_the_first_numbers_arrive(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    with visit() as page:
        held: list[Route] = []
        page.route("**/overview?*", lambda route: held.append(route) if not held else route.continue_())
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        button = page.get_by_role("button", name="Sign out")
        button.evaluate("(button) => { window.before = button }")
        place = button.bounding_box()
        pause = page.get_by_role("button", name="Pause")
        expect(pause).to_be_disabled()

        held[0].continue_()

        expect(pause).to_be_enabled()
        assert button.evaluate("(button) => window.before === button") is True
        assert button.bounding_box() == place
