"""The page follows the real queue by itself, and does not get into the way of whoever reads it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.end_to_end.dashboard.conftest import OpenPage
from tests.end_to_end.dashboard.pages import go_to, row, signed_in, tile
from tests.end_to_end.dashboard.queue import Queue
from tests.end_to_end.jobs_api import JobsApi


def test_a_job_that_is_enqueued_shows_without_a_reload(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    with visit_real() as page:
        signed_in(page, jobs_api)
        expect(tile(page, "Queued")).to_have_text("0")

        queue.enqueue(org_id="a new organisation")

        expect(tile(page, "Queued")).to_have_text("1")
        expect(page.get_by_role("table", name="Backlog by organisation")).to_contain_text(
            "a new organisation"
        )
        expect(page.locator(".tile.first")).not_to_contain_text("Nothing due")


def test_a_running_job_shows_its_progress_and_a_lease_that_ran_out(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    job_id = queue.enqueue("analyze_file")
    queue.report(queue.claim("analyze_file"), {"done": 0.25, "note": "page 1 of 4"})
    with visit_real() as page:
        signed_in(page, jobs_api)
        expect(row(page, job_id)).to_contain_text("25 %")
        expect(row(page, job_id)).to_contain_text("page 1 of 4")
        expect(row(page, job_id)).to_contain_text("left")

        queue.value(
            "update public.jobs set lease_expires_at = now() - interval '70 seconds' where id = %s returning id",
            job_id,
        )

        expect(row(page, job_id).locator("strong.bad")).to_contain_text("1 min 1")


def test_a_list_gets_new_rows_while_focus_scroll_and_open_parts_stay(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    jobs = [queue.fail(f"reason {number}") for number in range(30)]
    with visit_real(height=500) as page:
        signed_in(page, jobs_api, "jobs?view=failed")
        button = row(page, jobs[10]).get_by_role("button", name=f"Retry job {jobs[10]}")
        button.focus()
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(200)
        before = page.evaluate("window.scrollY")
        assert before > 0

        queue.value("select public.retry_job(%s)", jobs[5])

        expect(row(page, jobs[5])).to_have_count(0)
        expect(button).to_be_focused()
        assert abs(page.evaluate("window.scrollY") - before) < 120  # a row went, and nothing else moved


def test_the_plots_have_a_table_that_stays_open_and_says_the_same(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    queue.fail()
    with visit_real() as page:
        signed_in(page, jobs_api)
        page.get_by_role("button", name="1 h", exact=True).click()
        page.get_by_text("The same as a table").click()
        numbers = page.get_by_role("table", name="The plots as numbers")
        expect(numbers.get_by_role("row")).to_have_count(2)
        expect(page.get_by_role("button", name="1 h", exact=True)).to_have_attribute("aria-pressed", "true")

        job_id = queue.enqueue("analyze_file")

        expect(tile(page, "Queued")).to_have_text("1")
        expect(numbers).to_be_visible()
        go_to(page, f"overview?job={job_id}")
        expect(page.get_by_role("dialog", name=f"Job {job_id}")).to_contain_text("None has ended yet")
