"""A job in the body of a call: read, enqueued, run at once, and why it sometimes is not."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import UUID

import pytest

from functions.dispatch import Dispatch, parse_dispatch
from functions.errors import ConfigurationError, QueueUnavailable
from functions.queue_rows import ClaimedJob, NewJob, Started
from functions.repetition import TimeLeft
from functions.settings import Settings
from functions.tick_options import BadRequest, TickOptions
from functions.worker import Worker
from handlers.contract import Retry
from tests.unit.fakes import FakeQueue
from tests.unit.support import claimed, doing, tick

JOB: NewJob = {"type": "work", "org_id": "acme", "payload": {"week": 46}}


def parse(backend: str = "cron", **body: Any) -> Dispatch | None:
    return parse_dispatch(json.dumps(body).encode(), backend=backend)


def test_a_job_is_read_under_either_of_its_names() -> None:
    assert parse(type="work", org_id="acme", payload={"week": 46}) == Dispatch(JOB)
    assert parse(type="work", orgId="acme", data={"week": 46}) == Dispatch(JOB)


def test_key_and_force_are_optional() -> None:
    assert parse(type="work", orgId="acme", idempotency_key="k", force=True) == Dispatch(
        {"type": "work", "org_id": "acme", "payload": {}, "idempotency_key": "k"}, force=True
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"limit": 3}', b'{"force": true}', b"\xff", b"[" * 60_000]
)
@pytest.mark.parametrize("backend", ["table", "cron"])
def test_the_body_of_a_tick_is_no_job(body: bytes, backend: str) -> None:
    assert parse_dispatch(body, backend=backend) is None


def test_where_the_table_is_the_queue_a_job_in_a_call_is_refused_with_the_setting_to_change() -> None:
    with pytest.raises(BadRequest, match="JOB_QUEUE_BACKEND=cron"):
        parse(backend="table", type="work", org_id="acme")


@pytest.mark.parametrize(
    "org", [{}, {"org_id": ""}, {"orgId": "  "}, {"org_id": None}, {"org_id": 7}], ids=str
)
def test_a_job_without_an_organisation_is_refused(org: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"^org_id: every job belongs to an organisation"):
        parse(type="work", **org)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"type": "Bad-Type"}, "type"),
        ({"type": None}, "type"),
        ({"payload": [1]}, "payload"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"force": "yes"}, "force"),
        ({"limit": 3}, "limit: there is no such field"),
        ({"org_id": "acme", "orgId": "globex"}, "orgId: it means the same as org_id"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match=f"^{field}"):
        parse(**{"type": "work", "org_id": "acme", **wrong})


class StartingQueue(FakeQueue):
    """Answers `start_job`, and remembers what it was asked."""

    def __init__(self, job: ClaimedJob | None, **answer: Any) -> None:
        super().__init__([claimed(99)])
        self.answer = Started.model_validate(
            {"job_id": 17, "created": True, "status": "processing", "job": job, **answer}
        )
        self.asked: list[tuple[NewJob, bool]] = []

    def start_job(
        self,
        worker_id: UUID,  # noqa: ARG002
        job: NewJob,
        *,
        lease_seconds: int,
        force: bool = False,
        time_left: TimeLeft | None = None,
    ) -> Started:
        self._called("start_job", time_left)
        self.asked.append((job, force))
        assert lease_seconds == 120
        return self.answer


def test_the_job_is_run_within_the_call_and_nothing_else_is() -> None:
    queue = StartingQueue(claimed(17))
    report = tick(queue, doing(lambda: 1), options=TickOptions(start=JOB))
    assert report.as_json() == {
        "status": "ok",
        "processed": 1,
        "succeeded": 1,
        "failed": 0,
        "results": [{"id": 17, "status": "done", "attempts": 1, "lastError": None}],
        "job": {"id": 17, "created": True},
    }
    assert (queue.asked, queue.claims) == ([(JOB, False)], [])


def test_a_job_that_fails_is_left_to_later_ticks() -> None:
    def busy() -> None:
        raise Retry("busy", after=60)

    queue = StartingQueue(claimed(17))
    tick(queue, doing(busy), options=TickOptions(start=JOB))
    assert (queue.outcomes(), queue.claims) == ({17: "retry"}, [])


@pytest.mark.parametrize(
    ("status", "waits_for"),
    [("processing", None), ("done", None), ("waiting", None), ("queued", "the budget of today is used")],
)
def test_a_job_that_is_not_to_be_had_is_no_error_and_says_why(status: str, waits_for: str | None) -> None:
    queue = StartingQueue(None, status=status, created=False, waits_for=waits_for)
    answer = tick(queue, doing(lambda: 1), options=TickOptions(start=JOB)).as_json()
    assert (answer["status"], answer["processed"]) == ("ok", 0)
    assert answer["job"] == {"id": 17, "created": False, "status": status, "waitsFor": waits_for}


def test_a_pause_is_said_as_a_tick_says_it() -> None:
    queue = StartingQueue(None, status="queued", waits_for="processing is paused")
    queue.paused = True
    assert tick(queue, doing(lambda: 1), options=TickOptions(start=JOB)).status == "paused"


def test_an_instance_that_is_stopping_says_that_it_has_not_taken_the_job() -> None:
    stop = threading.Event()
    stop.set()
    queue = StartingQueue(claimed(17))
    with pytest.raises(QueueUnavailable, match="call again"):
        tick(queue, doing(lambda: 1), options=TickOptions(start=JOB), stop=stop)
    assert queue.asked == []


def test_a_database_that_is_down_is_the_callers_business() -> None:
    queue = StartingQueue(claimed(17))
    queue.errors["start_job"] = [QueueUnavailable("down")]
    with pytest.raises(QueueUnavailable):
        tick(queue, doing(lambda: 1), options=TickOptions(start=JOB))


class DispatchingWorker(Worker):
    """Keeps what it would run."""

    def tick(self, options: TickOptions, **_: Any) -> Any:
        self.asked = options


def worker(**settings: str) -> DispatchingWorker:
    values = {"SUPABASE_URL": "http://supabase.test", "SUPABASE_SECRET_KEY": "sb_secret_x", **settings}
    return DispatchingWorker(Settings.model_validate(values))


def test_the_setting_limits_the_attempts_of_a_dispatched_job_unless_the_caller_does() -> None:
    made = worker(JOB_QUEUE_BACKEND="cron", JOB_MAX_ATTEMPTS="3")
    made.dispatch(JOB, stop=threading.Event(), force=True)
    assert made.asked == TickOptions(start={**JOB, "max_attempts": 3}, force=True)
    made.dispatch({**JOB, "max_attempts": 1}, stop=threading.Event())
    assert made.asked.start == {**JOB, "max_attempts": 1}


def test_a_worker_of_the_table_dispatches_nothing() -> None:
    with pytest.raises(ConfigurationError, match="JOB_QUEUE_BACKEND=cron"):
        worker().dispatch(JOB, stop=threading.Event())
