"""Failures arrive at Sentry: what is told, what is never told, and that nobody waits for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import BaseModel

from functions.errors import ConfigurationError
from functions.observer import Observer
from functions.queue_rows import ClaimedJob, DeadLetter, ResolveVerdict
from functions.reports import observer_for
from functions.settings import load_settings
from handlers.contract import Context, Handler, Job, Reject, Retry, Snooze
from tests.unit.fakes import FakeClock, FakeQueue, HeldThreads
from tests.unit.receivers import Receiver, receiver
from tests.unit.support import Output, claimed, doing, handler_of, tick

PAYLOAD = {"question": "a-very-private-question"}


@contextmanager
def reporting(to: Receiver, **settings: str) -> Iterator[Observer]:
    observer = observer_for(load_settings({"K_SERVICE": "x", "SENTRY_DSN": to.dsn, **settings}))
    try:
        yield observer
        observer.flush(5)
    finally:
        observer.close()


def reported(handler: Handler, *jobs: ClaimedJob, dead: bool = False) -> list[dict[str, Any]]:
    """The events of one tick over these jobs."""
    queue = FakeQueue(list(jobs))
    if dead:
        queue.verdicts = {
            job.job_id: ResolveVerdict(job_id=job.job_id, verdict="ok", status="failed", attempts=5)
            for job in jobs
        }
    with receiver() as to:
        with reporting(to, CRONTICK_ENVIRONMENT="staging") as observer:
            tick(queue, handler, observer=observer)
        assert "a-very-private-question" not in to.raw()
        return to.sentry_events()


def raising(error: BaseException) -> Handler:
    def handle(job: Job[Any], _ctx: Context) -> Output:
        kept_in_memory = f"{job.payload} of a frame"
        assert kept_in_memory
        raise error

    return handler_of(handle)


def test_an_attempt_that_will_be_repeated_is_a_warning_with_its_job_and_its_stack() -> None:
    job = claimed(17, org_id="acme", attempts=2, max_attempts=5, payload=PAYLOAD)
    (event,) = reported(raising(ValueError("no such page")), job)
    assert event["level"] == "warning"
    assert event["tags"] == {"jobId": "17", "taskType": "work"}
    assert event["extra"]["attempts"] == 1, "the database counts, as its verdict says"
    assert event["extra"]["maxAttempts"] == 5
    assert event["fingerprint"] == ["work", "ValueError"]
    assert event["environment"] == "staging"
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "no such page")
    assert exception["stacktrace"]["frames"][-1]["function"] == "handle"
    assert exception["stacktrace"]["frames"][-1]["context_line"] == "raise error"
    assert not {"request", "breadcrumbs", "modules", "server_name"} & event.keys()


def test_a_dead_letter_is_an_error() -> None:
    (event,) = reported(raising(ValueError("no such page")), claimed(17, attempts=5), dead=True)
    assert (event["level"], event["extra"]["attempts"]) == ("error", 5)


def test_a_job_that_its_workers_died_of_is_reported_by_whoever_claims_next() -> None:
    queue = FakeQueue([])
    queue.dead_letters = [
        DeadLetter(
            job_id=17,
            org_id="acme",
            type="ocr",
            attempts=0,
            max_attempts=5,
            crashes=3,
            error="the lease ran out",
        )
    ]
    with receiver() as to:
        with reporting(to) as observer:
            tick(queue, doing(lambda: 1), observer=observer)
        (event,) = to.sentry_events()
    assert (event["level"], event["message"]) == ("error", "ocr: the lease ran out")
    assert event["tags"] == {"jobId": "17", "taskType": "ocr"}
    assert (event["extra"]["crashes"], event["extra"]["status"]) == (3, "failed")
    assert event["fingerprint"] == ["ocr", "crash"]
    assert "acme" not in str(event)


def test_a_rejected_job_is_an_error_without_a_stack_and_groups_with_its_like() -> None:
    handler = handler_of(rejects)
    events = reported(handler, claimed(1), claimed(2), dead=True)
    assert [event["message"] for event in events] == ["work: page 1 is empty", "work: page 2 is empty"]
    assert {tuple(event["fingerprint"]) for event in events} == {("work", "page # is empty")}
    assert all("exception" not in event for event in events)


def rejects(job: Job[Any], _ctx: Context) -> Output:
    raise Reject(f"page {job.id} is empty")


@pytest.mark.parametrize("outcome", [Snooze("not yet", seconds=60), None])
def test_what_is_no_failure_is_not_reported(outcome: Snooze | None) -> None:
    assert reported(raising(outcome) if outcome else doing(lambda: 1), claimed(1)) == []


def test_a_lost_lease_is_not_reported_for_the_job_is_somebody_elses() -> None:
    queue = FakeQueue([claimed(1)])
    queue.verdicts = {1: ResolveVerdict(job_id=1, verdict="lost")}
    with receiver() as to:
        with reporting(to) as observer:
            tick(queue, raising(Retry("again")), observer=observer)
        assert to.requests == []


def test_a_result_that_the_database_could_not_apply_is_reported_with_its_error() -> None:
    queue = FakeQueue([claimed(1)])
    queue.verdicts = {1: ResolveVerdict(job_id=1, verdict="error", status="queued", error="cards: bad")}
    with receiver() as to:
        with reporting(to) as observer:
            tick(queue, doing(lambda: 1), observer=observer)
        (event,) = to.sentry_events()
    assert (event["level"], event["message"]) == ("warning", "work: cards: bad")


class Patient(BaseModel):
    age: int


def test_neither_secrets_nor_values_that_a_model_refused_are_told() -> None:
    def handle(_job: Job[Any], _ctx: Context) -> Output:
        try:
            Patient.model_validate({"age": PAYLOAD["question"]})  # the lines of the source are told
        except ValueError as error:
            raise LookupError("https://a.supabase.co/x?token=hidden-hidden sb_secret_hidden") from error
        return Output()

    (event,) = reported(handler_of(handle), claimed(1, payload=PAYLOAD))
    first, last = event["exception"]["values"]
    assert first["value"].startswith("age: Input should be a valid integer")
    assert last["value"] == "https://a.supabase.co/x?... sb_secret_..."


def test_an_organisation_is_told_as_a_hash() -> None:
    (event,) = reported(raising(ValueError("x")), claimed(1, org_id="acme-the-customer"))
    assert re.fullmatch(r"[0-9a-f]{16}", event["user"]["id"])
    assert "acme-the-customer" not in str(event)


def test_a_handler_that_hangs_is_reported_with_its_timeout() -> None:
    queue, clock = FakeQueue([claimed(1)]), FakeClock()
    with receiver() as to:
        with reporting(to) as observer:
            tick(queue, handler_of(rejects, timeout=5), clock=clock, start=HeldThreads(), observer=observer)
        (event,) = to.sentry_events()
    assert event["message"] == "work: timed out after 5 s"


def test_a_misconfigured_function_is_an_error() -> None:
    with receiver() as to:
        with reporting(to) as observer:
            observer.trouble(ConfigurationError("SUPABASE_URL is not set"))
        (event,) = to.sentry_events()
    assert event["level"] == "error"
    assert event["exception"]["values"][0]["value"] == "SUPABASE_URL is not set"
