"""Who is told when the queue needs a person: once an hour and condition, and never a word about the webhook's URL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from scripts.local_supabase.ports import free_port
from tests.database.queue import Queue, Row


@dataclass
class Webhook:
    """Somebody's chat: what it was sent, and what it answers."""

    url: str = ""
    status: int = 200
    received: list[Row] = field(default_factory=list)
    answers: Event = field(default_factory=Event)

    def conditions(self) -> list[list[str]]:
        return [[problem["condition"] for problem in post["problems"]] for post in self.received]


@pytest.fixture
def webhook(queue: Queue) -> Iterator[Webhook]:
    hook = Webhook()
    hook.answers.set()

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.received.append(json.loads(body))
            hook.answers.wait(10)
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    Thread(target=server.serve_forever, daemon=True).start()
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/services/T0/B0/s3cret"
    queue.rows("select vault.create_secret(%s, 'job_queue_alert_webhook')", hook.url)
    yield hook
    hook.answers.set()
    server.shutdown()
    server.server_close()


def problems(queue: Queue) -> dict[str, str]:
    return {row["condition"]: row["text"] for row in queue.rows("select * from public.find_problems()")}


def leave_stuck(queue: Queue, **job: Any) -> None:
    job_id = queue.enqueue(**job)["job_id"]
    queue.rows("update public.jobs set run_at = now() - interval '16 minutes' where id = %s", job_id)


def an_hour_later(queue: Queue) -> None:
    queue.rows("update public.alerts set last_sent_at = last_sent_at - interval '61 minutes' where true")


def ran(admin: psycopg.Connection[Any], *runs: tuple[str, int], schedule: str = "* * * * *") -> None:
    """A schedule of the tick that ended so, so many minutes ago."""
    row = admin.execute(
        "select cron.schedule('process-flashcard-jobs', %s, 'select public.invoke_cron_tick()')", (schedule,)
    ).fetchone()
    assert row is not None
    for number, (status, minutes) in enumerate(runs):
        admin.execute(
            "insert into cron.job_run_details (jobid, runid, command, status, return_message, start_time, "
            "end_time) values (%s, %s, 'select public.invoke_cron_tick()', %s, 'the worker answered 500', "
            "now() - make_interval(mins => %s), now() - make_interval(mins => %s))",
            (row[0], number + 1, status, minutes, minutes),
        )


def test_an_idle_queue_has_no_problems(queue: Queue) -> None:
    queue.enqueue(run_at="2999-01-01T00:00:00Z")
    queue.enqueue()

    assert problems(queue) == {}


def test_a_due_job_that_nobody_takes_is_a_problem(queue: Queue) -> None:
    leave_stuck(queue)

    assert problems(queue)["stuck"].startswith(
        "1 job(s) have been due for more than 15 minutes, the oldest (count_words) for 16 minutes"
    )


def test_a_job_that_waits_for_a_limit_or_a_resume_is_no_problem(queue: Queue) -> None:
    leave_stuck(queue)
    queue.rows("insert into public.org_limits (org_id, max_concurrency) values ('acme', 0)")
    assert problems(queue) == {}

    queue.rows("delete from public.org_limits where org_id = 'acme'")
    queue.call("pause_processing")
    assert problems(queue) == {}


def test_a_lease_that_nobody_takes_back_is_a_problem(queue: Queue) -> None:
    queue.enqueue()
    queue.claim_one()
    queue.rows("update public.jobs set lease_expires_at = now() - interval '16 minutes' where true")

    assert problems(queue)["expired_leases"].startswith("1 lease(s) ran out")


@pytest.mark.parametrize(("minutes", "told"), [(5, False), (15, True), (25 * 60, False)])
def test_dead_letters_of_the_last_day_are_a_problem_after_ten_minutes(
    queue: Queue, minutes: int, told: bool
) -> None:
    queue.enqueue()
    queue.resolve_one(queue.claim_one(), "failed", error="password=hunter2")
    queue.rows("update public.jobs set completed_at = now() - make_interval(mins => %s) where true", minutes)

    found = problems(queue)

    assert ("failed" in found) is told
    assert "1 count_words" in found.get("failed", "1 count_words")
    assert "hunter2" not in str(found)


def test_uploads_that_were_not_enqueued_are_a_problem_for_an_hour(queue: Queue) -> None:
    queue.rows(
        "insert into public.ingest_failures (operation, error, created_at) "
        "select 'insert', 'x', now() - make_interval(mins => m) from unnest(array[10, 70]) m"
    )

    assert problems(queue)["ingest_failures"].startswith("1 upload(s)")


@pytest.mark.parametrize(
    ("schedule", "minutes", "told"),
    [
        ("* * * * *", 9, False),
        ("* * * * *", 11, True),
        ("*/30 * * * *", 59, False),
        ("*/30 * * * *", 91, True),
        ("0 3 29 2 *", 3000, False),
    ],
)
def test_a_schedule_that_missed_three_of_its_times_is_a_problem(
    queue: Queue, admin: psycopg.Connection[Any], schedule: str, minutes: int, told: bool
) -> None:
    ran(admin, ("succeeded", minutes), schedule=schedule)

    assert ("schedule" in problems(queue)) is told


def test_a_schedule_that_failed_three_times_is_a_problem_and_a_paused_one_is_not(
    queue: Queue, admin: psycopg.Connection[Any]
) -> None:
    ran(admin, ("succeeded", 4), ("failed", 3), ("failed", 2), ("failed", 1))
    assert problems(queue)["schedule"] == (
        "schedule process-flashcard-jobs: its last 3 runs failed: see select * from cron.job_run_details"
    )

    admin.execute("select cron.alter_job(jobid, active := false) from cron.job")
    assert problems(queue) == {}


def test_a_schedule_without_a_name_that_fails_is_a_problem_all_the_same(
    queue: Queue, admin: psycopg.Connection[Any]
) -> None:
    ran(admin, ("failed", 3), ("failed", 2), ("failed", 1))
    admin.execute("update cron.job set jobname = null")

    assert re.match(r"schedule job \d+: its last 3 runs failed", problems(queue)["schedule"])


def test_a_schedule_whose_runs_cannot_even_be_started_is_a_problem(
    queue: Queue, admin: psycopg.Connection[Any]
) -> None:
    ran(admin, ("failed", 3), ("failed", 2), ("failed", 1))
    admin.execute("update cron.job_run_details set start_time = null where status = 'failed'")

    assert "its last 3 runs failed" in problems(queue)["schedule"]


def test_a_schedule_that_recovered_is_no_problem(queue: Queue, admin: psycopg.Connection[Any]) -> None:
    ran(admin, ("failed", 3), ("failed", 2), ("succeeded", 1))

    assert problems(queue) == {}


def test_nothing_is_checked_without_a_webhook(queue: Queue) -> None:
    leave_stuck(queue)

    assert queue.call("check_alerts") == "not checked: Vault has no secret named job_queue_alert_webhook"
    assert queue.rows("select 1 from public.alerts") == []


def test_nobody_is_told_that_all_is_well(queue: Queue, webhook: Webhook) -> None:
    assert queue.call("check_alerts") == "nothing to tell"
    assert webhook.received == []


def test_all_problems_go_in_one_post_that_a_chat_can_show(queue: Queue, webhook: Webhook) -> None:
    leave_stuck(queue)
    queue.rows("insert into public.ingest_failures (operation, error) values ('insert', 'x')")

    assert queue.call("check_alerts") == "told: ingest_failures, stuck"

    (post,) = webhook.received
    assert post["text"].startswith("The job queue needs a look:\n• 1 upload(s)")
    assert webhook.conditions() == [["ingest_failures", "stuck"]]


def test_a_problem_that_lasts_is_told_once_an_hour(queue: Queue, webhook: Webhook) -> None:
    leave_stuck(queue)
    assert [queue.call("check_alerts") for _ in range(2)] == ["told: stuck", "nothing to tell"]

    an_hour_later(queue)

    assert queue.call("check_alerts") == "told: stuck"
    assert webhook.conditions() == [["stuck"], ["stuck"]]


def test_a_problem_that_comes_and_goes_is_not_told_twice_within_the_hour(
    queue: Queue, webhook: Webhook
) -> None:
    leave_stuck(queue)
    queue.call("check_alerts")
    queue.resolve_one(queue.claim_one())
    assert queue.call("check_alerts") == "nothing to tell"
    leave_stuck(queue, payload={"n": 2})
    assert queue.call("check_alerts") == "nothing to tell"

    queue.resolve_one(queue.claim_one())
    an_hour_later(queue)
    queue.call("check_alerts")

    assert queue.rows("select 1 from public.alerts") == []


def test_a_post_that_fails_raises_and_is_tried_again(queue: Queue, webhook: Webhook) -> None:
    leave_stuck(queue)
    webhook.status = 500
    with pytest.raises(psycopg.Error, match="the alert webhook answered 500"):
        queue.call("check_alerts")

    webhook.status = 204

    assert queue.call("check_alerts") == "told: stuck"
    assert webhook.conditions() == [["stuck"], ["stuck"]]


@pytest.mark.parametrize("path", ["/services/T0/B0/s3cret", " /not a url"])
def test_no_error_names_the_webhook(queue: Queue, path: str) -> None:
    leave_stuck(queue)
    url = f"http://nowhere.invalid:{free_port()}{path}"
    queue.rows("select vault.create_secret(%s, 'job_queue_alert_webhook')", url)

    with pytest.raises(psycopg.Error, match="the alert webhook did not answer") as raised:
        queue.call("check_alerts")

    everything = f"{raised.value} {raised.value.diag.context} {raised.value.diag.message_detail}"
    assert "nowhere.invalid" not in everything
    assert "s3cret" not in everything


def test_two_checks_at_once_tell_once(queue: Queue, other_worker: Queue, webhook: Webhook) -> None:
    leave_stuck(queue)
    webhook.answers.clear()
    answers: list[str] = []
    first = Thread(target=lambda: answers.append(queue.call("check_alerts")))
    first.start()
    while not webhook.received:
        pass

    answers.append(other_worker.call("check_alerts"))
    webhook.answers.set()
    first.join(10)

    assert answers == ["not checked: another call is at it", "told: stuck"]
    assert webhook.conditions() == [["stuck"]]
