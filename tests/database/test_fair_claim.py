"""Whose job is next: nobody waits behind another organisation's backlog, nothing starves, suspects run alone."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.database.backlog import crash, fill, numbered, organisations
from tests.database.queue import Queue, Row, result_of


def age(queue: Queue, job_id: int, minutes: int) -> None:
    """Moves time on for one job."""
    queue.rows(
        "update public.jobs set run_at = run_at - make_interval(mins => %s) where id = %s", minutes, job_id
    )


@pytest.mark.parametrize("job_type", ["count_words", "render"], ids=["same-type", "another-type"])
def test_ten_jobs_behind_another_organisations_ten_thousand_are_claimed_within_two_batches(
    queue: Queue, job_type: str
) -> None:
    fill(queue, 10_000, "hot")
    mine = [queue.enqueue(job_type, "small", payload={"n": n})["job_id"] for n in range(10)]

    claimed = queue.claim(100) + queue.claim(100)

    assert len(claimed) == 200, "the rest of the batches is not left empty"
    assert {job["job_id"] for job in claimed} >= set(mine)


def test_small_batches_are_as_fair_as_large_ones(queue: Queue) -> None:
    fill(queue, 1_000, "hot")
    fill(queue, 10, "small")

    claimed = [job for _ in range(40) for job in queue.claim(5)]

    assert organisations(claimed)["small"] == 10


def test_every_one_of_forty_organisations_gets_its_share_beside_a_hot_one(queue: Queue) -> None:
    fill(queue, 5_000, "hot")
    fill(queue, 90, *numbered(40))

    batches = [organisations(queue.claim(100)) for _ in range(30)]

    assert all(sum(batch.values()) == 100 for batch in batches)
    assert max(batch["hot"] for batch in batches) <= 50, "no organisation takes most of a batch"
    total = sum(batches, Counter[str]())
    shares = [total[name] for name in numbered(40)]
    assert min(shares) >= 3, shares


def test_nothing_starves_among_a_thousand_organisations(queue: Queue) -> None:
    fill(queue, 500, "hot")
    fill(queue, 2, *numbered(1_000))
    claimed: list[Row] = []
    sizes: list[int] = []
    while batch := queue.claim(100):
        claimed += batch
        sizes.append(len(batch))

    assert len(claimed) == len({job["job_id"] for job in claimed}) == 2_500
    assert len(sizes) <= 30, "batches stay full to the end"


def test_a_higher_priority_goes_first_and_a_lower_one_ages(queue: Queue) -> None:
    low = queue.enqueue(payload={"n": 0}, priority=-10)["job_id"]
    high = [queue.enqueue(payload={"n": n}, priority=10)["job_id"] for n in (1, 2, 3)]
    first = queue.claim_one()
    assert first["job_id"] == high[0]

    age(queue, low, minutes=19)
    assert queue.claim_one()["job_id"] == high[1], "twenty points are a head start of twenty minutes"
    age(queue, low, minutes=2)
    assert queue.claim_one()["job_id"] == low
    assert queue.claim_one()["job_id"] == high[2]


def test_a_low_priority_is_claimed_from_behind_an_endless_stream_of_high_ones_once_it_has_aged(
    queue: Queue,
) -> None:
    low = queue.enqueue(payload={"n": 0}, priority=-1000)["job_id"]
    fill(queue, 300, "acme", job_type="urgent")
    queue.rows("update public.jobs set priority = 1000 where type = 'urgent'")
    assert low not in {job["job_id"] for job in queue.claim(20, types=["count_words", "urgent"])}

    age(queue, low, minutes=2001 + 60)
    assert low in {job["job_id"] for job in queue.claim(20)}


def test_an_urgent_job_of_a_new_organisation_is_in_the_next_batch(queue: Queue) -> None:
    fill(queue, 5, *numbered(300))
    urgent = queue.enqueue(org_id="new", priority=100)["job_id"]

    assert urgent in {job["job_id"] for job in queue.claim(20)}


def test_jobs_for_later_become_ready_when_their_time_has_come(queue: Queue) -> None:
    fill(queue, 2_500, "acme")
    queue.rows("update public.jobs set turn = 'later', run_at = run_at + interval '1 day' where true")
    assert queue.claim(1000) == []

    queue.rows("update public.jobs set run_at = run_at - interval '2 days' where true")
    sizes = [len(queue.claim(1000)) for _ in range(4)]

    assert sizes == [1000, 1000, 500, 0]


def test_what_is_not_due_yet_does_not_hold_up_what_is(queue: Queue) -> None:
    later = [
        queue.enqueue(payload={"n": n}, priority=1000, run_at="2999-01-01T00:00:00Z")["job_id"]
        for n in range(5)
    ]
    now = queue.enqueue(payload={"n": 5})["job_id"]

    assert [job["job_id"] for job in queue.claim(10)] == [now]
    queue.make_due(later[0])
    assert [job["job_id"] for job in queue.claim(10)] == [later[0]]


def test_after_a_crash_each_job_of_the_batch_runs_alone_and_only_the_poison_one_is_given_up(
    queue: Queue,
) -> None:
    fill(queue, 5, "acme")
    batch = queue.claim(5)
    assert [job["alone"] for job in batch] == [False] * 5
    poison = batch[2]["job_id"]
    crash(queue, batch)
    fill(queue, 10, "globex")

    ordinary_while_suspects_wait = 0
    for _ in range(40):
        claimed = queue.claim(5)
        suspects = [job for job in claimed if job["alone"]]
        assert not suspects or len(claimed) == 1, "a suspect is a batch of one"
        ordinary_while_suspects_wait += len(claimed) - len(suspects)
        if [job["job_id"] for job in claimed] == [poison]:
            crash(queue, claimed)
        else:
            queue.resolve(*(result_of(job) for job in claimed))

    neighbours = [queue.job(job["job_id"]) for job in batch if job["job_id"] != poison]
    assert [(job["status"], job["crashes"], job["attempts"]) for job in neighbours] == [("done", 1, 1)] * 4
    dead = queue.job(poison)
    assert (dead["status"], dead["crashes"]) == ("failed", 3)
    assert queue.runs(poison) == ["crash"] * 3
    assert ordinary_while_suspects_wait == 10
    assert queue.rows("select 1 from public.jobs where org_id = 'globex' and status <> 'done'") == []


def test_suspects_and_ordinary_jobs_do_not_hold_each_other_up(queue: Queue) -> None:
    fill(queue, 30, "acme")
    suspects = queue.claim(30)
    crash(queue, suspects)
    fill(queue, 30, "globex")

    order = [queue.claim_one()["alone"] for _ in range(60)]

    assert sum(order) == 30
    assert True in order[:30]
    assert False in order[:30]


def test_a_suspect_that_is_given_back_unstarted_still_runs_alone(queue: Queue) -> None:
    queue.enqueue()
    crash(queue, queue.claim(1))
    suspect = queue.claim_one()
    queue.resolve_one(suspect, "release")

    assert queue.claim_one()["alone"] is True


def test_a_suspect_that_ends_well_enough_is_no_suspect_any_more(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]
    crash(queue, queue.claim(1))
    queue.resolve_one(queue.claim_one(), "retry", retry_in=0, error="not yet")
    queue.make_due(job_id)

    assert queue.claim_one()["alone"] is False


def test_a_suspect_of_another_type_is_left_to_those_who_take_it(queue: Queue) -> None:
    queue.enqueue("render")
    crash(queue, queue.claim(1))
    mine = queue.enqueue("count_words")["job_id"]

    assert [job["job_id"] for job in queue.claim(5, types=["count_words"])] == [mine]
    assert queue.claim(5, types=["count_words"]) == []
    assert queue.claim(5, types=["render"])[0]["alone"] is True


def test_work_that_does_not_fit_is_left_to_a_claim_with_more_time(queue: Queue) -> None:
    for job_type, milliseconds in (("film", 90_000), ("film", 80_000), ("picture", 900), ("picture", 800)):
        queue.enqueue(job_type, payload={"ms": milliseconds, "n": 1})
        queue.resolve_one(queue.claim_one(), duration_ms=milliseconds)
    ids = {name: queue.enqueue(name)["job_id"] for name in ("film", "picture", "never_seen")}

    fitting = {job["type"] for job in queue.claim(10, fits_in=30)}
    assert fitting == {"picture", "never_seen"}
    assert queue.claim(10, fits_in=30) == []
    assert [job["job_id"] for job in queue.claim(10, fits_in=90)] == [ids["film"]]


def test_one_slow_run_among_many_does_not_keep_a_type_out(queue: Queue) -> None:
    fill(queue, 20, "acme")
    jobs = queue.claim(20)
    queue.resolve(*(result_of(job, duration_ms=600_000 if job is jobs[0] else 500) for job in jobs))
    queue.enqueue()

    assert len(queue.claim(10, fits_in=5)) == 1


def test_failed_attempts_say_nothing_about_how_long_the_work_takes(queue: Queue) -> None:
    queue.enqueue()
    queue.resolve_one(queue.claim_one(), "failed", duration_ms=600_000)
    queue.enqueue()

    assert len(queue.claim(10, fits_in=5)) == 1
