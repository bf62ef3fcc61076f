"""What workers report wrongly: each mistake is the verdict of its own element, and costs no other job its result."""

from __future__ import annotations

import json
import uuid
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row, call_with_json, result_of

MEGABYTE = 1_000_000
WRONG_FIELDS: list[tuple[str, Any, str]] = [
    ("job_id", None, "job_id: expected a job's number"),
    ("job_id", 1.5, "job_id: expected a job's number"),
    ("job_id", -1, "job_id: expected a job's number"),
    ("job_id", 10**30, "job_id: expected a job's number"),
    ("lease_token", 5, "lease_token: expected a uuid"),
    ("outcome", 5, "outcome: expected done, retry, failed, snooze or release"),
    ("outcome", None, "outcome: expected done, retry, failed, snooze or release"),
    ("outcome", "finished", "outcome: expected done, retry, failed, snooze or release"),
    ("retry_in", "5", "retry_in: expected seconds"),
    ("retry_in", [], "retry_in: expected seconds"),
    ("duration_ms", "fast", "duration_ms: expected milliseconds"),
    ("cost", "5 EUR", "cost: expected a number"),
    ("cost", {}, "cost: expected a number"),
    ("content_sha256", "abc", "content_sha256: expected 64"),
    ("content_sha256", 5, "content_sha256: expected 64"),
    ("handler_version", "v" * 201, "at most 200 characters"),
    ("reused_from", "x", "reused_from: expected a job's number"),
    ("reused_from", -1, "reused_from: expected a job's number"),
]


def nested(levels: int) -> str:
    """An object so many levels deep, as JSON."""
    return '{"a":' * levels + "1" + "}" * levels


def two_claimed(queue: Queue) -> tuple[Row, Row]:
    queue.enqueue_many(*({"payload": {"n": str(uuid.uuid4())}} for _ in range(2)))
    first, second = queue.claim(2)
    return first, second


def test_a_wrong_field_of_a_result_is_its_own_verdict_and_spoils_no_other(
    queue: Queue, subtests: pytest.Subtests
) -> None:
    for field, value, message in WRONG_FIELDS:
        with subtests.test(field=field, value=repr(value)[:50]):
            bad, good = two_claimed(queue)

            bad_answer, good_answer = queue.resolve({**result_of(bad), field: value}, result_of(good))

            assert (bad_answer["verdict"], message in bad_answer["error"]) == ("error", True), bad_answer
            assert queue.runs(bad["job_id"]) == []
            assert (good_answer["verdict"], good_answer["status"]) == ("ok", "done")
            queue.resolve_one(bad)


def test_a_result_of_a_job_that_does_not_exist_is_lost_and_spoils_no_other(queue: Queue) -> None:
    first, second = two_claimed(queue)
    unknown = {"job_id": 4711, "lease_token": str(uuid.uuid4())}

    verdicts = [a["verdict"] for a in queue.resolve(result_of(first), result_of(unknown), result_of(second))]

    assert verdicts == ["ok", "lost", "ok"]


def test_numbers_beyond_all_measure_are_kept_within_bounds(queue: Queue) -> None:
    first, second = two_claimed(queue)

    answers = queue.resolve(
        result_of(first, duration_ms=1e300, cost=1e300),
        result_of(second, "retry", retry_in=1e300, duration_ms=-5, cost=-5),
    )

    assert [answer["verdict"] for answer in answers] == ["ok", "ok"]
    runs = queue.rows("select duration_ms, cost::float from public.job_runs order by job_id")
    assert runs == [{"duration_ms": 2**31 - 1, "cost": 1e9}, {"duration_ms": 0, "cost": 0.0}]
    (delay,) = queue.rows(
        "select extract(day from run_at - now()) as days from public.jobs where status = 'queued'"
    )
    assert 29 <= delay["days"] <= 30


def test_an_output_of_ten_megabytes_is_refused_and_the_rest_of_the_call_is_kept(queue: Queue) -> None:
    bad, good = two_claimed(queue)

    bad_answer, good_answer = queue.resolve(
        result_of(bad, output={"text": "x" * 10 * MEGABYTE}), result_of(good, output={"text": "x" * MEGABYTE})
    )

    assert (bad_answer["verdict"], bad_answer["status"]) == ("error", "queued")
    assert "10.0 MB" in bad_answer["error"]
    assert "put more into Storage and name its path" in bad_answer["error"]
    assert queue.job(bad["job_id"])["output"] is None
    assert (good_answer["verdict"], good_answer["status"]) == ("ok", "done")


def test_an_endless_error_is_cut(queue: Queue) -> None:
    job, _ = two_claimed(queue)
    endless = "x" * MEGABYTE

    assert queue.resolve_one(job, "failed", error=endless, public_error=endless)["verdict"] == "ok"

    row = queue.job(job["job_id"])
    assert (len(row["last_error"]), len(row["public_error"])) == (4000, 1000)


def test_a_nul_in_a_text_refuses_the_call_and_changes_nothing(queue: Queue) -> None:
    """Postgres cannot read such JSON at all: the worker halves the batch until the bad result stands alone."""
    bad, good = two_claimed(queue)

    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        queue.resolve(result_of(bad, output={"text": "a\0b"}), result_of(good))
    assert [queue.job(job["job_id"])["status"] for job in (bad, good)] == ["processing", "processing"]

    assert queue.resolve_one(good)["verdict"] == "ok"
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        queue.enqueue(payload={"text": "a\0b", "n": 3})


def test_json_of_five_thousand_levels_passes_through_the_queue(queue: Queue) -> None:
    deep = nested(5000)
    call_with_json(
        queue, "enqueue_jobs", f'[{{"org_id": "acme", "type": "count_words", "payload": {{"deep": {deep}}}}}]'
    )
    (claimed,) = queue.rows(
        "select (j ->> 'job_id')::bigint as job_id, j ->> 'lease_token' as lease_token, "
        "length(j #>> '{payload,deep}') as length "
        "from jsonb_array_elements(public.claim_jobs(%s)) j",
        queue.worker_id,
    )
    assert claimed["length"] >= len(deep)

    result = json.dumps(result_of(claimed))[:-1] + f', "output": {deep}}}'
    (answer,) = call_with_json(queue, "resolve_jobs", queue.worker_id, f"[{result}]")

    assert (answer["verdict"], answer["status"]) == ("ok", "done")


def test_json_too_deep_for_the_server_is_an_error_of_its_own_and_the_next_call_works(queue: Queue) -> None:
    job, _ = two_claimed(queue)
    result = json.dumps(result_of(job))[:-1] + f', "output": {nested(200_000)}}}'

    with pytest.raises(psycopg.errors.StatementTooComplex, match="stack depth"):
        call_with_json(queue, "resolve_jobs", queue.worker_id, f"[{result}]")
    assert queue.resolve_one(job)["verdict"] == "ok"


def test_progress_beyond_all_measure_is_not_stored_but_the_lease_is_extended(queue: Queue) -> None:
    job, _ = two_claimed(queue)
    queue.extend(job | {"progress": {"done": 0.5}})

    assert queue.extend(job | {"progress": {"text": "x" * MEGABYTE}}) == ["ok"]
    assert queue.job(job["job_id"])["progress"] == {"done": 0.5}


def test_malformed_leases_are_lost_and_the_others_are_extended(queue: Queue) -> None:
    malformed: list[Any] = [None, 5, "text", [], {}, {"job_id": {}, "lease_token": {}}]
    first, second = two_claimed(queue)
    leases = [{key: job[key] for key in ("job_id", "lease_token")} for job in (first, second)]

    answers = queue.call("extend_leases", worker_id=queue.worker_id, leases=[leases[0], *malformed, *leases])

    assert [answer["verdict"] for answer in answers] == ["ok", *["lost"] * 6, "ok", "ok"]


def test_content_that_nobody_can_have_stored_is_not_found(queue: Queue) -> None:
    job, _ = two_claimed(queue)
    queue.resolve_one(job, content_sha256="a" * 64, handler_version="1")

    found = [
        queue.call(
            "find_content_result",
            org_id="acme",
            type="count_words",
            content_sha256=content,
            handler_version="1",
        )
        for content in (None, "", "abc", "Z" * 64)
    ]

    assert found == [None] * 4
