"""Flows: jobs that wait for each other, inherit outputs, and end together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue
from tests.database.storage import upload


def flow(queue: Queue) -> tuple[int, int, int]:
    """analysis → cards, and a thumbnail that waits for nothing."""
    analysis, thumbnail, cards = queue.enqueue_many(
        {"type": "analyze", "ref": "analysis"},
        {"type": "thumbnail"},
        {"type": "cards", "after": ["analysis"]},
    )
    return analysis["job_id"], thumbnail["job_id"], cards["job_id"]


def test_a_job_waits_until_its_parent_is_done_and_gets_its_output(queue: Queue) -> None:
    analysis, thumbnail, cards = flow(queue)
    assert queue.job(cards)["status"] == "waiting"

    claimed = {job["job_id"]: job for job in queue.claim()}
    assert set(claimed) == {analysis, thumbnail}
    queue.resolve_one(claimed[analysis], output={"title": "Rivers"})

    child = queue.claim_one()
    assert child["job_id"] == cards
    assert child["parents"] == {"analyze": {"title": "Rivers"}}


def test_a_join_waits_for_all_of_its_parents(queue: Queue) -> None:
    *parents, join = queue.enqueue_many(
        {"type": "part", "ref": "a", "payload": {"n": 1}},
        {"type": "part", "ref": "b", "payload": {"n": 2}},
        {"type": "join", "after": ["a", "b"]},
    )
    first, second = queue.claim()
    queue.resolve_one(first)
    assert queue.job(join["job_id"])["status"] == "waiting"

    queue.resolve_one(second)
    assert queue.job(join["job_id"])["status"] == "queued"
    assert len(parents) == 2


def test_a_dead_letter_cancels_everything_below_it_with_the_reason(queue: Queue) -> None:
    _, middle, last = queue.enqueue_many(
        {"type": "first", "ref": "1"},
        {"type": "second", "ref": "2", "after": ["1"]},
        {"type": "third", "after": ["2"]},
    )
    root = queue.claim_one()
    queue.resolve_one(root, "failed", error="no such page")

    assert queue.job(middle["job_id"])["status"] == "cancelled"
    assert queue.job(middle["job_id"])["last_error"] == (
        f"job {root['job_id']} (first), which this one waits for, ended as failed"
    )
    assert queue.job(last["job_id"])["status"] == "cancelled"


def test_retrying_the_dead_letter_revives_its_flow(queue: Queue) -> None:
    analysis, thumbnail, cards = flow(queue)
    for job in queue.claim():
        queue.resolve_one(job, "failed" if job["job_id"] == analysis else "done")
    assert queue.job(cards)["status"] == "cancelled"

    answer = queue.call("retry_job", job_id=analysis)

    assert answer == {"job_id": analysis, "status": "queued", "revived": 1}
    queue.resolve_one(queue.claim_one())
    assert queue.claim_one()["job_id"] == cards
    assert queue.job(thumbnail)["status"] == "done"


def test_a_child_of_a_dead_letter_cannot_come_back_before_it(queue: Queue) -> None:
    analysis, _, cards = flow(queue)
    queue.resolve(*({**job, "outcome": "failed"} for job in queue.claim()))

    with pytest.raises(psycopg.Error, match=f"waits for job {analysis}, which is failed: retry that one"):
        queue.call("retry_job", job_id=cards)


def test_a_retried_child_never_misses_that_its_parent_ends(
    queue: Queue, other_worker: Queue, admin: psycopg.Connection[Any]
) -> None:
    parent, child = queue.enqueue_many({"type": "a", "ref": "a"}, {"type": "b", "after": ["a"]})
    running = queue.claim_one()
    queue.call("cancel_job", job_id=child["job_id"])
    with ThreadPoolExecutor(1) as pool:
        with admin.transaction():
            admin.execute("select public.retry_job(%s)", (child["job_id"],))
            resolving = pool.submit(queue.resolve_one, running)
        assert resolving.result(timeout=30)["verdict"] == "ok"

    assert other_worker.claim_one()["job_id"] == child["job_id"]
    assert queue.job(parent["job_id"])["status"] == "done"


def test_overwriting_a_file_cancels_what_waits_for_its_jobs_in_other_flows(queue: Queue) -> None:
    upload(queue.connection, "acme/a.txt")
    (analysis,) = queue.rows("select payload from public.jobs where type = 'analyze_file'")
    _, notify = queue.enqueue_many(
        {"type": "analyze_file", "payload": analysis["payload"], "ref": "a"},
        {"type": "notify", "after": ["a"]},
    )
    upload(queue.connection, "acme/a.txt")

    job = queue.job(notify["job_id"])
    assert job["status"] == "cancelled"
    assert "which this one waits for, ended as cancelled" in job["last_error"]


def test_a_flow_may_be_listed_in_any_order(queue: Queue) -> None:
    cards, analysis = queue.enqueue_many(
        {"type": "cards", "after": ["analysis"]}, {"type": "analyze", "ref": "analysis"}
    )

    assert queue.claim_one()["job_id"] == analysis["job_id"]
    assert cards["status"] == "waiting"


def test_a_job_can_wait_for_one_that_is_running_already(queue: Queue) -> None:
    parent = queue.enqueue("analyze")
    running = queue.claim_one()
    same, child = queue.enqueue_many(
        {"type": "analyze", "ref": "a"}, {"type": "cards", "after": ["a"], "payload": {"n": 1}}
    )
    assert same == {"job_id": parent["job_id"], "created": False, "status": "processing"}
    assert child["status"] == "waiting"

    queue.resolve_one(running)
    assert queue.job(child["job_id"])["status"] == "queued"


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([{"after": ["nowhere"]}], 'after names "nowhere", but no job of this flow has that ref'),
        ([{"ref": "a"}, {"ref": "a", "payload": {"n": 1}}], 'ref "a" is used twice'),
        ([{"ref": "a", "after": ["a"]}], "wait for each other in a circle: a"),
        (
            [{"ref": "a"}, {"type": "b", "after": ["a"]}, {"type": "b"}],
            r"jobs\[2\] is the same work as jobs\[1\], but its after, unique_for or on_conflict differ",
        ),
        ([{"ref": "a"}, {"after": ["a"]}], r"jobs\[1\] is the same work as jobs\[0\]"),
        (
            [{"ref": "a"}, {"ref": "b", "after": ["a", "c"]}, {"ref": "c", "after": ["b"]}],
            "wait for each other in a circle: b, c",
        ),
    ],
)
def test_a_flow_that_can_never_run_is_refused(
    queue: Queue, jobs: list[dict[str, object]], message: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=message):
        queue.enqueue_many(*jobs)


def test_a_job_can_wait_for_one_that_was_enqueued_before_by_its_number(queue: Queue) -> None:
    parent = queue.enqueue("analyze")
    (child,) = queue.enqueue_many({"type": "cards", "after": [parent["job_id"]]})
    assert child["status"] == "waiting"

    (job,) = queue.claim()
    queue.resolve_one(job, output={"title": "Rivers"})

    assert queue.claim_one()["parents"] == {"analyze": {"title": "Rivers"}}


def test_a_job_after_one_that_is_done_is_due_at_once_and_inherits_its_output(queue: Queue) -> None:
    queue.enqueue("analyze")
    done = queue.claim_one()
    queue.resolve_one(done, output={"title": "Rivers"})

    (child,) = queue.enqueue_many({"type": "cards", "after": [done["job_id"]]})

    assert child["status"] == "queued"
    assert queue.claim_one()["parents"] == {"analyze": {"title": "Rivers"}}


def test_a_job_after_one_that_failed_is_cancelled_with_the_reason_and_comes_back_with_it(
    queue: Queue,
) -> None:
    queue.enqueue("analyze")
    dead = queue.claim_one()["job_id"]
    queue.rows("update public.jobs set lease_expires_at = now() - interval '1 second', crashes = 2")
    assert queue.claim() == []

    (child,) = queue.enqueue_many({"type": "cards", "after": [dead]})
    assert child["status"] == "cancelled"
    assert "ended as failed" in queue.job(child["job_id"])["last_error"]

    assert queue.call("retry_job", job_id=dead)["revived"] == 1
    assert queue.job(child["job_id"])["status"] == "waiting"


def test_refs_and_numbers_go_together_and_doubles_count_once(queue: Queue) -> None:
    old = queue.enqueue("analyze")["job_id"]
    fresh, child = queue.enqueue_many(
        {"type": "thumbnail", "ref": "t"}, {"type": "cards", "after": ["t", old, old, "t"]}
    )
    assert queue.job(child["job_id"])["waiting_for"] == 2

    for job in queue.claim():
        queue.resolve_one(job, output={"of": job["type"]})
    assert queue.claim_one()["parents"] == {"analyze": {"of": "analyze"}, "thumbnail": {"of": "thumbnail"}}
    assert fresh["created"]


def test_nobody_waits_for_a_job_of_another_organisation(queue: Queue) -> None:
    theirs = queue.enqueue("analyze", "globex")["job_id"]

    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match=rf"after: organisation acme has no job {theirs}"
    ):
        queue.enqueue_many({"type": "cards", "after": [theirs]})


def test_parents_of_one_type_go_by_their_refs_or_numbers(queue: Queue) -> None:
    old = queue.enqueue("part", payload={"n": 0})["job_id"]
    queue.enqueue_many(
        {"type": "part", "ref": "left", "payload": {"n": 1}}, {"type": "join", "after": ["left", old]}
    )
    for job in queue.claim():
        queue.resolve_one(job, output=job["payload"])

    assert queue.claim_one()["parents"] == {"left": {"n": 1}, str(old): {"n": 0}}


def test_a_chain_of_a_thousand_jobs_is_cancelled_with_its_head(queue: Queue) -> None:
    chain = queue.enqueue_many(
        {"ref": "0", "payload": {"n": 0}},
        *({"ref": str(n), "after": [str(n - 1)], "payload": {"n": n}} for n in range(1, 1000)),
    )

    queue.call("cancel_job", job_id=chain[0]["job_id"])

    assert queue.rows("select status, count(*) as jobs from public.jobs group by status") == [
        {"status": "cancelled", "jobs": 1000}
    ]


def test_a_ref_that_is_called_like_another_parents_type_loses_no_output(queue: Queue) -> None:
    queue.enqueue_many(
        {"type": "t", "ref": "b", "payload": {"n": 1}},
        {"type": "t", "ref": "c", "payload": {"n": 2}},
        {"type": "b", "ref": "x"},
        {"type": "joined", "after": ["b", "c", "x"]},
    )
    for job in queue.claim(3):
        queue.resolve_one(job, output={"of": [job["type"], job["payload"].get("n")]})

    (joined,) = queue.claim()

    assert joined["parents"] == {"b": {"of": ["t", 1]}, "c": {"of": ["t", 2]}, "x": {"of": ["b", None]}}
