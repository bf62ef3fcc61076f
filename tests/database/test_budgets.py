"""Budgets: how many jobs and how much money an organisation has a day; reserved while jobs run, settled at the end."""

from __future__ import annotations

import pytest

from tests.database.backlog import crash, fill, organisations
from tests.database.limits import finish, limit_org, limit_type, next_day, reached, usage
from tests.database.queue import Queue


def test_an_organisation_has_so_many_jobs_a_day_and_a_new_day_brings_new_ones(queue: Queue) -> None:
    limit_org(queue, jobs_per_day=3)
    fill(queue, 10, "acme", "globex")
    finish(queue, queue.claim(2, types=["count_words"]), "retry", retry_in=0)
    while jobs := queue.claim(20):
        finish(queue, jobs)

    assert usage(queue) == [("acme", 3, 0.0), ("globex", 3, 0.0)]
    assert reached(queue) == "the organisation has used its jobs of today (UTC)"

    next_day(queue)
    assert reached(queue) is None
    assert organisations(queue.claim(20)) == {"acme": 3, "globex": 3}


def test_what_runs_already_counts_as_used_today(queue: Queue) -> None:
    limit_org(queue, jobs_per_day=3)
    fill(queue, 10, "acme")

    assert [len(queue.claim(2)) for _ in range(3)] == [2, 1, 0]


@pytest.mark.parametrize("ending", ["release", "snooze", "crash"])
def test_an_attempt_that_was_given_back_is_not_used(queue: Queue, ending: str) -> None:
    limit_org(queue, jobs_per_day=1)
    job_id = queue.enqueue()["job_id"]
    if ending == "crash":
        crash(queue, queue.claim(1))
    else:
        finish(queue, queue.claim(1), ending, retry_in=0)
        queue.make_due(job_id)

    assert [job["job_id"] for job in queue.claim(5)] == [job_id]


def test_money_is_reserved_while_jobs_run_and_settled_when_they_end(queue: Queue) -> None:
    limit_type(queue, usual_cost=2)
    limit_org(queue, "acme", spend_per_day=5)
    fill(queue, 10, "acme")

    running = queue.claim(10)
    assert len(running) == 2, "a third one might cost more than is left"
    assert reached(queue) == "the organisation has used its budget of today (UTC)"

    finish(queue, running, cost=0.5)
    assert usage(queue) == [("acme", 2, 1.0)]
    assert len(queue.claim(10)) == 2, "they cost less than usual, so there is room again"


def test_a_job_that_cost_more_than_expected_ends_the_day_early(queue: Queue) -> None:
    limit_type(queue, usual_cost=1)
    limit_org(queue, "acme", spend_per_day=5)
    fill(queue, 10, "acme", "globex")
    finish(queue, [job for job in queue.claim(2) if job["org_id"] == "acme"][:1], "failed", cost=7)

    assert organisations(queue.claim(20))["acme"] == 0
    assert usage(queue)[0] == ("acme", 1, 7.0)

    next_day(queue)
    assert organisations(queue.claim(20))["acme"] == 5


def test_money_of_a_crashed_job_is_not_reserved_any_more(queue: Queue) -> None:
    limit_type(queue, usual_cost=3)
    limit_org(queue, spend_per_day=5)
    fill(queue, 2, "acme")
    crash(queue, queue.claim(2))

    assert reached(queue) is None
    assert len(queue.claim(2)) == 1


def test_costs_are_kept_even_while_nothing_is_limited(queue: Queue) -> None:
    fill(queue, 2, "acme")
    first, second = queue.claim(2)
    finish(queue, [first], cost=0.25)
    finish(queue, [second])

    assert usage(queue) == [("acme", 1, 0.25)]
    costs = queue.rows("select cost::float from public.job_runs order by id")
    assert costs == [{"cost": 0.25}, {"cost": None}], "what nobody reported is unknown, not free"


def test_a_cancelled_attempt_is_used_and_its_money_counts_when_the_worker_says_so_once(queue: Queue) -> None:
    limit_org(queue, jobs_per_day=5)
    job_id = queue.enqueue()["job_id"]
    job = queue.claim_one()
    queue.call("cancel_job", job_id=job_id)

    for _ in range(2):
        assert queue.resolve_one(job, "release", cost=0.5)["verdict"] == "lost"

    assert usage(queue) == [("acme", 1, 0.5)]


def test_a_job_that_costs_more_than_a_day_may_says_so(queue: Queue) -> None:
    limit_type(queue, usual_cost=10)
    limit_org(queue, spend_per_day=5)

    assert reached(queue) == "a count_words job usually costs more than the organisation may spend in a day"
