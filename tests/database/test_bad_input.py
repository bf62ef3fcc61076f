"""What callers ask for wrongly: each mistake has its own clear error or is kept within bounds; nothing is half done."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, call_with_json

MEGABYTE = 1_000_000
WRONG_FIELDS: list[tuple[str, Any, str]] = [
    ("type", 5, "type 5 is not a job type"),
    ("type", None, "type null is not a job type"),
    ("type", "t" * 64, "is not a job type"),
    ("org_id", "o" * 257, "org_id may have 256 characters"),
    ("org_id", {"a": 1}, "org_id, idempotency_key and ref: expected strings"),
    ("idempotency_key", 5, "org_id, idempotency_key and ref: expected strings"),
    ("ref", ["a"], "org_id, idempotency_key and ref: expected strings"),
    ("payload", "text", "payload: expected an object"),
    ("payload", 5, "payload: expected an object"),
    (
        "payload",
        {"text": "x" * MEGABYTE},
        "payload: at most 1 MB; put more into Storage and name its path",
    ),
    ("run_at", 5, "run_at: expected a time such as 2030-01-31T12:00:00Z"),
    ("run_at", "2030-02-30", "run_at: expected a time such as"),
    ("run_at", "infinity", "run_at: expected a time between the years 1970 and 9999"),
    ("run_at", "1969-12-31T23:59:59Z", "run_at: expected a time between the years 1970 and 9999"),
    ("run_at", "10000-01-01T00:00:00Z", "run_at: expected a time between the years 1970 and 9999"),
    ("priority", 1001, "priority: expected a whole number from -1000 to 1000"),
    ("priority", -1001, "priority: expected a whole number from -1000 to 1000"),
    ("priority", 1.5, "priority: expected a whole number from -1000 to 1000"),
    ("priority", True, "priority: expected a whole number from -1000 to 1000"),
    ("priority", 10**30, "priority: expected a whole number from -1000 to 1000"),
    ("max_attempts", 101, "max_attempts: expected a whole number from 1 to 100"),
    ("max_attempts", {}, "max_attempts: expected a whole number from 1 to 100"),
    ("unique_for", "a day", "unique_for: expected unfinished or ever"),
    ("unique_for", {}, "unique_for: expected unfinished or ever"),
    ("on_conflict", "ignore", "on_conflict: expected return, replace or debounce"),
    ("on_conflict", 5, "on_conflict: expected return, replace or debounce"),
    ("after", 5, "after: expected an array of refs and job ids"),
    ("after", [None], "after: null is neither a ref nor the number of a job"),
    ("after", [1.5], "after: 1.5 is neither a ref nor the number of a job"),
    ("after", [-1], "after: -1 is neither a ref nor the number of a job"),
    ("after", [10**30], "is neither a ref nor the number of a job"),
    ("after", [4711], "after: organisation acme has no job 4711"),
    ("after", ["nowhere"], 'after names "nowhere", but no job of this flow has that ref'),
    ("file_id", -1, "file_id: expected the number of a file"),
    ("file_id", 1.5, "file_id: expected the number of a file"),
]


def test_a_claim_of_an_impossible_size_is_kept_within_bounds(queue: Queue) -> None:
    queue.enqueue_many(*({"payload": {"n": n}} for n in range(1020)))

    given = [len(queue.call("claim_jobs", worker_id=queue.worker_id, batch_size=n)) for n in (0, -1, None)]

    assert given == [1, 1, 5]
    assert len(queue.claim(10**6)) == 1000


def test_a_lease_of_an_impossible_length_is_kept_within_bounds(queue: Queue) -> None:
    length = "select extract(epoch from lease_expires_at - now()) as seconds from public.jobs where id = %s"
    for asked, given in ((0, 10), (-5, 10), (2**31 - 1, 3600), (None, 120)):
        queue.enqueue(payload={"asked": asked})
        (job,) = queue.claim(1, lease_seconds=asked)
        claimed = queue.rows(length, job["job_id"])[0]["seconds"]
        assert queue.extend(job, lease_seconds=asked) == ["ok"]
        extended = queue.rows(length, job["job_id"])[0]["seconds"]

        assert given - 5 <= claimed <= given
        assert given - 5 <= extended <= given


def test_a_claim_of_nothing_gets_nothing_and_costs_nothing(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]

    for types in ([], ["no_such_type", None], [None]):
        assert queue.claim(types=types) == []
    assert queue.claim(fits_in=-1) == []
    assert queue.job(job_id)["attempts"] == 0


@pytest.mark.parametrize("function", ["claim_jobs", "start_job"])
def test_a_worker_without_a_name_gets_no_job(queue: Queue, function: str) -> None:
    arguments = {"job": {"org_id": "acme", "type": "count_words"}} if function == "start_job" else {}

    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match="worker_id is missing: a worker names itself"
    ):
        queue.call(function, worker_id=None, **arguments)
    assert queue.rows("select 1 from public.jobs") == []


def test_a_wrong_field_refuses_the_whole_batch_and_says_where_and_what_is_allowed(
    queue: Queue, subtests: pytest.Subtests
) -> None:
    for field, value, message in WRONG_FIELDS:
        with subtests.test(field=field, value=repr(value)[:50]):
            with pytest.raises(psycopg.errors.InvalidParameterValue) as refusal:
                queue.enqueue_many(
                    {"payload": {"n": 0}}, {"payload": {"n": 1}, field: value}, {"payload": {"n": 2}}
                )

            said = refusal.value.diag.message_primary or ""
            assert (said.partition(":")[0].split()[0], message in said) == ("jobs[1]", True), said
            assert queue.rows("select 1 from public.jobs") == []


def test_an_element_that_is_no_object_refuses_the_batch_by_its_number(queue: Queue) -> None:
    good = {"org_id": "acme", "type": "count_words"}
    elements: list[Any] = [None, 5, "text", [], True]
    for element in elements:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"jobs\[1\]: expected an object"):
            queue.call("enqueue_jobs", jobs=[good, element])

    assert queue.rows("select 1 from public.jobs") == []


@pytest.mark.parametrize(
    ("function", "name", "message"),
    [
        ("enqueue_jobs", "jobs", "jobs: expected a JSON array of jobs"),
        ("extend_leases", "leases", "leases: expected a JSON array"),
        ("resolve_jobs", "results", "results: expected a JSON array"),
    ],
)
def test_a_batch_that_is_no_array_is_refused_by_its_name(
    queue: Queue, function: str, name: str, message: str
) -> None:
    arguments: dict[str, Any] = {} if name == "jobs" else {"worker_id": queue.worker_id}

    values: list[Any] = [None, 5, "text", {}]
    for value in values:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=message):
            queue.call(function, **arguments, **{name: value})


def test_the_earliest_and_the_latest_time_are_jobs_like_others(queue: Queue) -> None:
    now, last = queue.enqueue_many(
        {"payload": {"n": 1}, "run_at": "1970-01-01T00:00:00Z"},
        {"payload": {"n": 2}, "run_at": "9999-12-31T23:59:59Z"},
    )

    assert [job["job_id"] for job in queue.claim()] == [now["job_id"]]
    assert queue.job(last["job_id"])["turn"] == "later"


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({}, "org_id is missing: every job belongs to an organisation"),
        ({"org_id": "acme"}, "type null is not a job type"),
        ({"org_id": "acme", "type": "count_words", "priority": 9999}, "priority: expected a whole number"),
        ({"org_id": "acme", "type": "count_words", "after": ["x"]}, 'after names "x"'),
    ],
)
def test_a_job_that_cannot_be_enqueued_is_not_started_either(
    queue: Queue, job: dict[str, Any], message: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message):
        queue.call("start_job", worker_id=queue.worker_id, job=job)
    assert queue.rows("select 1 from public.jobs") == []


def test_a_job_to_start_that_is_no_object_is_refused(queue: Queue) -> None:
    for element in ("null", "5", '"text"', "[]"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="expected an object"):
            call_with_json(queue, "start_job", queue.worker_id, element)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pipeline": None, "org_id": "acme"}, "there is no pipeline"),
        ({"pipeline": "no_such", "org_id": "acme"}, 'there is no pipeline "no_such"'),
        ({"pipeline": "advert", "org_id": None}, r"jobs\[0\]: org_id is missing"),
        ({"pipeline": "advert", "org_id": "acme", "idempotency_key": "k" * 600}, "idempotency_key 512"),
        ({"pipeline": "strings", "org_id": "acme"}, r"jobs\[0\]: expected an object"),
        ({"pipeline": "typeless", "org_id": "acme"}, r"jobs\[1\]: type null is not a job type"),
    ],
)
def test_a_pipeline_that_cannot_start_says_why_and_enqueues_nothing(
    queue: Queue, arguments: dict[str, Any], message: str
) -> None:
    queue.rows(
        """
        insert into public.pipelines (name, steps) values
          ('advert', '[{"type": "render"}]'), ('strings', '["render"]'),
          ('typeless', '[{"type": "render"}, {"ref": "a"}]')
        """
    )

    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message):
        queue.call("start_pipeline", **arguments)
    assert queue.rows("select 1 from public.jobs") == []


def test_a_pipelines_payload_is_an_object(queue: Queue) -> None:
    queue.rows("insert into public.pipelines (name, steps) values ('advert', '[{\"type\": \"render\"}]')")

    with pytest.raises(psycopg.errors.InvalidParameterValue, match="payload: expected an object"):
        call_with_json(queue, "start_pipeline", "advert", "acme", "[1]")
