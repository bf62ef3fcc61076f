"""The trace context of the transaction that enqueued a job travels through its row."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.database.queue import Queue
from tests.database.storage import upload

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-00"


def say(connection: psycopg.Connection[Any], setting: str, value: str) -> None:
    """Sets it for the session, as a pooled connection would have it; transactions end after each call here."""
    connection.execute(sql.SQL("select set_config({}, {}, false)").format(setting, value))


def headers(**more: str) -> str:
    return json.dumps({"accept": "*/*", **more})


def test_a_job_carries_the_trace_of_the_http_request_that_enqueued_it(queue: Queue) -> None:
    say(queue.connection, "request.headers", headers(traceparent=TRACE))
    queue.enqueue()
    assert queue.claim_one()["trace_parent"] == TRACE


def test_a_transaction_may_name_its_trace_itself(queue: Queue) -> None:
    say(queue.connection, "request.headers", headers(traceparent=OTHER))
    say(queue.connection, "crontick.traceparent", TRACE)
    queue.enqueue()
    assert queue.claim_one()["trace_parent"] == TRACE


def test_an_upload_hands_its_trace_to_every_job_of_its_flow(queue: Queue, admin: Any) -> None:
    say(admin, "request.headers", headers(traceparent=TRACE))
    upload(admin, "acme/report.pdf")
    rows = queue.rows("select distinct trace_parent from public.jobs")
    assert rows == [{"trace_parent": TRACE}]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{}",
        "no json",
        "[1]",
        '"traceparent"',
        '{"traceparent"',
        headers(traceparent="'); drop table jobs; --"),
        headers(traceparent=TRACE.upper()),
        headers(traceparent="00-" + "0" * 32 + "-b7ad6b7169203331-01"),
        headers(traceparent="00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01"),
        headers(traceparent="ff" + TRACE[2:]),
        headers(traceparent=TRACE + "-more"),
        headers(traceparent=TRACE + "\n"),
        json.dumps({"traceparent": [TRACE]}),
    ],
)
def test_what_is_no_trace_is_none_and_keeps_no_job_out(queue: Queue, said: str) -> None:
    say(queue.connection, "request.headers", said)
    queue.enqueue()
    assert queue.claim_one()["trace_parent"] is None


def test_a_retried_job_stays_in_the_trace_that_enqueued_it(queue: Queue) -> None:
    say(queue.connection, "request.headers", headers(traceparent=TRACE))
    job_id = queue.enqueue()["job_id"]
    queue.resolve_one(queue.claim_one(), "failed", error="x")
    say(queue.connection, "request.headers", headers(traceparent=OTHER))
    queue.call("retry_job", job_id=job_id)
    assert queue.claim_one()["trace_parent"] == TRACE


def test_a_worker_is_told_which_file_a_job_is_about(queue: Queue, admin: Any) -> None:
    upload(admin, "acme/report.pdf")
    (file,) = queue.rows("select id from public.ingested_files")
    assert queue.claim_one()["file_id"] == file["id"]
