"""What an operator changes on the page changes the real queue, and stands in the audit trail with who it was."""

from __future__ import annotations

from playwright.sync_api import expect

from scripts.local_supabase.auth_stand_in.users import ADMIN_EMAIL
from tests.end_to_end.dashboard.conftest import OpenPage
from tests.end_to_end.dashboard.pages import go_to, row, signed_in
from tests.end_to_end.dashboard.queue import Queue
from tests.end_to_end.dashboard.stand_in import JobsApiStandIn
from tests.end_to_end.jobs_api import JobsApi


def test_pausing_asks_for_a_reason_and_everybody_sees_it_until_it_is_resumed(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    with visit_real() as page:
        signed_in(page, jobs_api)
        page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog", name="Pause processing")
        expect(dialog.get_by_label("Reason")).to_be_focused()
        dialog.get_by_label("Reason").fill("moving the bucket")
        page.wait_for_timeout(3500)  # a live update must not take away what was typed
        dialog.get_by_role("button", name="Pause").click()

        expect(page.locator(".banner.is-paused")).to_contain_text("moving the bucket")
        assert queue.paused_reason() == "moving the bucket"

        page.get_by_role("button", name="Resume").first.click()

        expect(page.locator(".banner.is-paused")).to_have_count(0)
        assert queue.value("select processing_enabled from public.job_queue_settings") is True
        go_to(page, "audit")
        expect(page.get_by_role("table", name="Audit trail")).to_contain_text("moving the bucket")
        assert [action for _, action in queue.audit()] == ["pause", "resume"]
        assert all(ADMIN_EMAIL in actor for actor, _ in queue.audit())


def test_one_dead_letter_goes_back_to_the_queue(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    first, second = queue.fail(), queue.fail()
    with visit_real() as page:
        signed_in(page, jobs_api, "jobs?view=failed")

        page.get_by_role("button", name=f"Retry job {first}").click()

        expect(page.locator("#toasts")).to_contain_text(f"Job {first} is queued again.")
        expect(row(page, first)).to_have_count(0)
        expect(row(page, second)).to_be_visible()
        assert (queue.status(first), queue.status(second)) == ("queued", "failed")


def test_the_filtered_dead_letters_are_retried_and_the_question_says_how_many(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    for number in range(3):
        queue.fail(org_id="acme", error=f"reason {number}")
    other = queue.fail(job_type="analyze_file", org_id="other")
    with visit_real() as page:
        signed_in(page, jobs_api, "jobs?view=failed")
        expect(page.locator("tbody tr")).to_have_count(4)
        page.get_by_label("Job type").select_option("create_cards")
        expect(page.locator("tbody tr")).to_have_count(3)

        page.get_by_role("button", name="Retry these…").click()
        dialog = page.get_by_role("dialog", name="Retry dead letters")
        expect(dialog).to_contain_text("3 dead letters will be queued again")
        assert queue.statuses() == {"failed": 4}  # asking changes nothing
        dialog.get_by_role("button", name="Retry 3 jobs").click()

        expect(page.locator("#toasts")).to_contain_text("3 jobs queued again.")
        assert queue.statuses() == {"queued": 3, "failed": 1}
        assert queue.status(other) == "failed"
        expect(page.locator(".content")).to_contain_text("Nothing matches")


def test_all_dead_letters_are_retried_even_more_than_one_call_moves(
    visit: OpenPage, api: JobsApiStandIn
) -> None:
    api.dead_letters = 2203
    with visit() as page:
        page.goto(f"{api.url}/dashboard{api.fragment()}")
        page.get_by_text("Live", exact=True).wait_for()
        go_to(page, "jobs?view=failed")

        page.get_by_role("button", name="Retry all…").click()
        page.get_by_role("button", name="Retry 2,203 jobs").click()

        expect(page.locator("#toasts")).to_contain_text("2,203 jobs queued again.")
        calls = [body for path, body in api.changes if path == "jobs/retry-failed"]
        assert calls == [{"dry_run": True}, {}, {}, {}]


def test_a_job_is_cancelled_after_a_question(visit_real: OpenPage, jobs_api: JobsApi, queue: Queue) -> None:
    job_id = queue.enqueue()
    with visit_real() as page:
        signed_in(page, jobs_api, "jobs?view=pending")
        page.get_by_role("button", name=f"Cancel job {job_id}").click()
        dialog = page.get_by_role("dialog", name=f"Cancel job {job_id}?")
        dialog.get_by_role("button", name="Not now").click()
        expect(dialog).to_have_count(0)
        assert queue.status(job_id) == "queued"

        page.get_by_role("button", name=f"Cancel job {job_id}").click()
        dialog.get_by_role("button", name="Cancel the job").click()

        expect(page.locator("#toasts")).to_contain_text(f"Job {job_id} is cancelled.")
        assert queue.status(job_id) == "cancelled"


def test_the_jobs_of_an_organisation_are_cancelled_at_once(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    for _ in range(4):
        queue.enqueue(org_id="noisy neighbour")
    queue.enqueue(org_id="acme")
    with visit_real() as page:
        signed_in(page, jobs_api, "jobs?view=pending")
        page.get_by_label("Organisation").fill("noisy neighbour")
        page.keyboard.press("Enter")
        expect(page.locator("tbody tr")).to_have_count(4)

        page.get_by_role("button", name="Cancel these…").click()
        page.get_by_role("button", name="Cancel 4 jobs").click()

        expect(page.locator("#toasts")).to_contain_text("4 jobs cancelled.")
        assert queue.statuses() == {"cancelled": 4, "queued": 1}


def test_what_the_queue_refuses_is_told_and_nothing_is_pretended(
    visit_real: OpenPage, jobs_api: JobsApi, queue: Queue
) -> None:
    job_id = queue.fail()
    with visit_real() as page:
        signed_in(page, jobs_api, f"jobs?view=failed&job={job_id}")
        retry = page.get_by_role("dialog").get_by_role("button", name=f"Retry job {job_id}")
        retry.wait_for()
        queue.value(
            "with gone as (delete from public.jobs where id = %s returning id) select id from gone", job_id
        )

        retry.click()

        expect(page.locator("#toasts [role=alert]")).to_contain_text(str(job_id))
        expect(page.get_by_role("dialog")).to_contain_text("No such job")
