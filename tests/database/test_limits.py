"""Limits: how much one job type or one organisation may take up at once, counted from live leases."""

from __future__ import annotations

import psycopg
import pytest

from tests.database.backlog import crash, fill, numbered, organisations
from tests.database.limits import finish, limit_org, limit_type, reached, usage
from tests.database.queue import Queue, at_once


def test_without_limits_nothing_is_counted(queue: Queue) -> None:
    fill(queue, 5, "acme")
    finish(queue, queue.claim(10))

    assert usage(queue) == []
    assert reached(queue) is None


def test_of_a_limited_type_only_so_many_run_at_once_whoever_owns_them(queue: Queue) -> None:
    limit_type(queue, max_concurrency=2)
    fill(queue, 3, "acme", "globex")
    fill(queue, 3, "acme", job_type="render")

    running = queue.claim(10)
    assert sorted(job["type"] for job in running) == ["count_words"] * 2 + ["render"] * 3
    assert queue.claim(10) == []
    assert reached(queue) == "as many count_words jobs run as may run at once"

    finish(queue, [job for job in running if job["type"] == "count_words"][:1])
    assert len(queue.claim(10)) == 1


def test_a_type_with_no_room_at_all_is_stopped(queue: Queue) -> None:
    limit_type(queue, max_concurrency=0)
    queue.enqueue()

    assert queue.claim() == []


def test_of_one_organisation_only_so_many_run_at_once_and_its_own_limit_wins(queue: Queue) -> None:
    limit_org(queue, max_concurrency=1)
    limit_org(queue, "acme", max_concurrency=3)
    fill(queue, 5, "acme", "globex")
    fill(queue, 5, "acme", "globex", job_type="render")

    running = queue.claim(20)

    assert organisations(running) == {"acme": 3, "globex": 1}
    assert queue.claim(20) == []
    assert reached(queue) == "as many jobs of this organisation run as may run at once"


@pytest.mark.parametrize("limited", ["count_words", "*"])
def test_of_one_type_and_organisation_only_so_many_run_at_once(queue: Queue, limited: str) -> None:
    limit_type(queue, limited, max_concurrency_per_org=2)
    fill(queue, 5, "acme", "globex")

    assert organisations(queue.claim(20)) == {"acme": 2, "globex": 2}
    assert reached(queue) == "as many count_words jobs of this organisation run as may run at once"
    assert reached(queue, "initech") is None


def test_the_narrowest_limit_holds(queue: Queue) -> None:
    limit_type(queue, max_concurrency=3, max_concurrency_per_org=2)
    limit_org(queue, "acme", max_concurrency=1)
    fill(queue, 5, "acme", "globex", "initech")

    running = organisations(queue.claim(20))

    assert (running["acme"] <= 1, max(running.values()) <= 2, sum(running.values())) == (True, True, 3)


def test_an_expired_lease_takes_up_no_room(queue: Queue, other_worker: Queue) -> None:
    limit_org(queue, max_concurrency=1)
    fill(queue, 2, "acme")
    crash(queue, queue.claim(1))

    assert reached(queue) is None
    assert len(other_worker.claim(5)) == 1
    assert other_worker.claim(5) == []


def test_organisations_at_their_limit_do_not_hold_up_the_others(queue: Queue) -> None:
    limit_org(queue, max_concurrency=1)
    fill(queue, 100, *numbered(60))
    assert len(queue.claim(100)) == 60

    fill(queue, 1, "new")
    assert [job["org_id"] for _ in range(20) for job in queue.claim(10)] == ["new"]


def test_a_suspect_at_its_limit_does_not_hold_up_the_other_suspects(queue: Queue) -> None:
    fill(queue, 1, "acme", "globex")
    crash(queue, queue.claim(2))
    limit_org(queue, "acme", max_concurrency=0)

    assert [job["org_id"] for _ in range(3) for job in queue.claim(5)] == ["globex"]


def test_claims_at_the_same_moment_never_fill_the_same_room(queue: Queue, workers: list[Queue]) -> None:
    limit_org(queue, max_concurrency=3)
    fill(queue, 100, "acme")
    for _ in range(5):
        claims = at_once(workers, lambda worker: worker.claim(10))

        assert sum(len(claim) for claim in claims) == 3
        for worker, claim in zip(workers, claims, strict=True):
            finish(worker, claim)


def test_a_job_that_reached_a_limit_is_not_started_but_waits_with_the_reason(queue: Queue) -> None:
    limit_org(queue, max_concurrency=1)
    job = {"org_id": "acme", "type": "count_words", "payload": {"n": 1}}
    first = queue.call("start_job", worker_id=queue.worker_id, job=job)

    second = queue.call("start_job", worker_id=queue.worker_id, job={**job, "payload": {"n": 2}})

    assert first["job"]["job_id"] == first["job_id"]
    assert (second["status"], second["job"]) == ("queued", None)
    assert second["waits_for"] == "as many jobs of this organisation run as may run at once"


def test_no_call_is_made_while_everything_is_at_its_limit(queue: Queue) -> None:
    limit_org(queue, max_concurrency=1)
    fill(queue, 50, "acme", "globex")
    assert queue.call("count_claimable_jobs", up_to=1) == 1
    running = queue.claim(10)
    assert len(running) == 2

    assert [queue.call("count_claimable_jobs", up_to=n) for n in (1, 100)] == [0, 0]
    finish(queue, running[:1])
    assert [queue.call("count_claimable_jobs", up_to=n) for n in (1, 100)] == [1, 1]


def test_a_due_job_is_seen_behind_those_of_an_organisation_at_its_limit(queue: Queue) -> None:
    limit_org(queue, "acme", max_concurrency=0)
    fill(queue, 20, "acme")
    fill(queue, 1, "globex")
    queue.rows("update public.jobs set turn = 'later' where true")

    assert queue.call("count_claimable_jobs", up_to=1) == 1


def test_limits_are_an_operators_to_set_over_the_api(queue: Queue) -> None:
    with queue.connection.transaction():
        queue.connection.execute("set local role service_role")
        queue.connection.execute("update public.org_limits set max_concurrency = 0 where org_id = '*'")
    queue.enqueue()

    assert queue.claim() == []
    with pytest.raises(psycopg.errors.CheckViolation):
        limit_org(queue, max_concurrency=-1)
