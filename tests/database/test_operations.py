"""What operators change: done and written down in one transaction, or, in a dry run, neither."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row, refusal

EVERYTHING = """
select md5(string_agg(t::text, '|' order by t::text)) as content from (
  select to_jsonb(j)::text as t from public.jobs j
  union all select to_jsonb(r)::text from public.job_runs r
  union all select to_jsonb(p)::text from public.job_parents p
  union all select to_jsonb(o)::text from public.operator_actions o
  union all select to_jsonb(s)::text from public.job_queue_settings s
  union all select to_jsonb(u)::text from public.org_usage u
) t
"""


WRONG: list[tuple[str | None, Row, str]] = [
    ("drop", {}, "action: expected enqueue, retry"),
    (None, {}, "action: expected enqueue, retry"),
    ("resume", {"reason": "x"}, "reason: resume does not take it"),
    ("cancel", {"job_id": 1, "and": 2}, "and: cancel does not take it; it takes job_id"),
    ("cancel", {}, "job_id: expected the number of a job"),
    ("cancel", {"job_id": "1; drop table"}, "job_id: expected the number of a job"),
    ("cancel", {"job_id": 1.5}, "job_id: expected the number of a job"),
    ("cancel", {"job_id": 10**30}, "job_id: expected the number of a job"),
    ("cancel", {"job_id": -1}, "job_id: expected the number of a job"),
    ("retry", {"job_id": 77}, "there is no job 77"),
    ("retry_failed", {"type": "Not A Type"}, "type: expected a job type"),
    ("retry_failed", {"org_id": 7}, "org_id: expected a string"),
    ("cancel_jobs", {"status": "done"}, "status: expected waiting, queued or processing"),
    ("pause", {"reason": ["x"]}, "reason: expected a string"),
    ("pause", {"reason": "x" * 1001}, "reason: at most 1,000 characters"),
    ("enqueue", {"type": "a"}, "org_id is missing"),
    ("enqueue", {"org_id": "acme", "type": "a", "payload": []}, "payload: expected an object"),
    ("enqueue", {"org_id": "acme", "type": "a", "colour": 1}, "colour: enqueue does not take it"),
]


def operate(queue: Queue, action: str, dry_run: bool = False, **parameters: Any) -> Row:
    answer: Row = queue.call("operate", actor="ann", action=action, parameters=parameters, dry_run=dry_run)
    return answer


def trail(queue: Queue) -> list[Row]:
    operations: list[Row] = queue.call("list_operations")["operations"]
    return operations


def dead_letter(queue: Queue, n: int = 0, **job: Any) -> int:
    job_id: int = queue.enqueue(payload={"n": n}, **job)["job_id"]
    (claimed,) = queue.claim(10)
    queue.resolve_one(claimed, "failed", error="broken")
    return job_id


def test_an_enqueue_is_written_down_with_everything_but_its_payload(queue: Queue) -> None:
    answer = operate(
        queue, "enqueue", org_id="acme", type="count_words", payload={"password": "hush"}, priority=3
    )

    (line,) = trail(queue)
    assert (line["actor"], line["action"], line["job_id"]) == ("ann", "enqueue", answer["job_id"])
    assert line["details"] == {
        "parameters": {"org_id": "acme", "type": "count_words", "priority": 3},
        "result": {"created": True, "status": "queued"},
    }
    assert queue.job(answer["job_id"])["payload"] == {"password": "hush"}


def test_a_job_is_cancelled_and_brought_back_and_both_are_written_down(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]

    assert operate(queue, "cancel", job_id=job_id) == {
        "job_id": job_id,
        "cancelled": True,
        "status": "cancelled",
    }
    assert operate(queue, "retry", job_id=job_id)["status"] == "queued"
    assert [(line["action"], line["job_id"]) for line in trail(queue)] == [
        ("retry", job_id),
        ("cancel", job_id),
    ]


def test_dead_letters_come_back_by_type_and_the_trail_keeps_the_numbers(queue: Queue) -> None:
    dead_letter(queue, job_type="a")
    other = dead_letter(queue, job_type="b")

    assert operate(queue, "retry_failed", type="a") == {"retried": 1, "skipped": [], "left": 0}
    assert queue.job(other)["status"] == "failed"
    assert trail(queue)[0]["details"] == {
        "parameters": {"type": "a"},
        "result": {"retried": 1, "skipped": 0, "left": 0},
    }


def test_those_that_could_not_come_back_are_counted_in_the_trail_and_named_in_the_answer(
    queue: Queue,
) -> None:
    job_id = dead_letter(queue)
    queue.enqueue(payload={"n": 0})

    answer = operate(queue, "retry_failed")

    assert [one["job_id"] for one in answer["skipped"]] == [job_id]
    assert trail(queue)[0]["details"]["result"] == {"retried": 0, "skipped": 1, "left": 1}


def test_pause_and_resume_are_written_down_with_the_reason(queue: Queue) -> None:
    operate(queue, "pause", reason="deploying")
    assert queue.call("queue_health")["paused_reason"] == "deploying"
    operate(queue, "resume")
    assert queue.call("queue_health")["processing_enabled"] is True

    assert [line["details"]["parameters"] for line in trail(queue)] == [{}, {"reason": "deploying"}]


def test_a_tick_by_hand_is_only_noted(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]

    assert operate(queue, "tick", limit=3) == {"noted": True}
    assert trail(queue)[0]["details"]["parameters"] == {"limit": 3}
    assert queue.job(job_id)["status"] == "queued"


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("enqueue", {"org_id": "acme", "type": "new_type"}),
        ("retry", {"job_id": 1}),
        ("cancel", {"job_id": 2}),
        ("retry_failed", {}),
        ("cancel_jobs", {}),
        ("pause", {"reason": "x"}),
        ("resume", {}),
        ("tick", {}),
    ],
)
def test_a_dry_run_answers_what_would_happen_and_leaves_no_trace(
    queue: Queue, second: psycopg.Connection[Any], action: str, parameters: Row
) -> None:
    dead_letter(queue)
    parent, _child = queue.enqueue_many({"type": "a", "ref": "a"}, {"type": "b", "after": ["a"]})
    (before,) = queue.rows(EVERYTHING)

    told = operate(queue, action, dry_run=True, **parameters)

    assert told.pop("dry_run") is True
    assert queue.rows(EVERYTHING) == [before]
    second.execute("select id from public.jobs where id = %s for update nowait", (parent["job_id"],))
    assert told.keys() == operate(queue, action, **parameters).keys()
    assert queue.rows(EVERYTHING) != [before]


def test_a_dry_run_is_refused_as_the_real_one_would_be(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]

    with pytest.raises(psycopg.Error, match="only a failed or cancelled job can be retried") as raised:
        operate(queue, "retry", dry_run=True, job_id=job_id)

    assert raised.value.sqlstate == "PT409"


def test_what_is_refused_is_not_written_down(queue: Queue) -> None:
    job_id = queue.enqueue()["job_id"]

    with pytest.raises(psycopg.Error, match="only a failed or cancelled job can be retried"):
        operate(queue, "retry", job_id=job_id)

    assert trail(queue) == []


def test_a_wrong_parameter_is_named(queue: Queue) -> None:
    for action, parameters, message in WRONG:
        refused = refusal(queue, "operate", actor="ann", action=action, parameters=parameters)
        assert refused.startswith(f"22023 {message}"), (action, parameters, refused)
    assert trail(queue) == []


def test_nobody_does_nothing(queue: Queue) -> None:
    for actor in (None, "", " ", "x" * 301):
        refused = refusal(queue, "operate", actor=actor, action="resume")
        assert refused.startswith("22023 actor: expected the name"), (actor, refused)


def test_the_trail_comes_in_pages(queue: Queue) -> None:
    for n in range(5):
        operate(queue, "tick", limit=n)

    seen: list[int] = []
    cursor = None
    while True:
        page = queue.call("list_operations", page_size=2, cursor=cursor)
        seen += [line["details"]["parameters"]["limit"] for line in page["operations"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [4, 3, 2, 1, 0]


def test_a_cursor_of_something_else_is_refused(queue: Queue) -> None:
    with pytest.raises(psycopg.Error, match="cursor: not one that this list gave out"):
        queue.call("list_operations", cursor="all_7")


def test_the_trail_is_kept_for_400_days(queue: Queue) -> None:
    for _ in range(2):
        operate(queue, "tick")
    queue.rows("update public.operator_actions set at = now() - interval '401 days' where id = 1")

    assert queue.call("prune_jobs")["operator_actions"] == 1
    assert [line["id"] for line in trail(queue)] == [2]


def test_many_jobs_are_cancelled_by_type_organisation_and_status(queue: Queue) -> None:
    jobs = queue.enqueue_many(
        {"type": "a"}, {"type": "b"}, {"type": "a", "org_id": "globex"}, {"type": "a", "payload": {"n": 2}}
    )
    running = queue.claim_one()
    others = {job["job_id"] for job in jobs if job["job_id"] != running["job_id"]}

    answer = operate(queue, "cancel_jobs", status="queued", type="a", org_id="acme")

    cancelled = {row["id"] for row in queue.rows("select id from public.jobs where status = 'cancelled'")}
    wanted = {
        row["id"]
        for row in queue.rows("select id from public.jobs where type = 'a' and org_id = 'acme'")
        if row["id"] in others
    }
    assert cancelled == wanted
    assert answer == {"cancelled": len(wanted), "descendants": 0, "left": 0}
    assert queue.job(running["job_id"])["status"] == "processing"


def test_a_running_job_that_is_cancelled_with_many_is_lost_to_its_worker(queue: Queue) -> None:
    queue.enqueue()
    job = queue.claim_one()

    operate(queue, "cancel_jobs")

    assert queue.extend(job) == ["cancelled"]
    assert queue.runs(job["job_id"]) == ["cancelled"]


def test_what_waits_for_cancelled_jobs_goes_with_them(queue: Queue) -> None:
    jobs = queue.enqueue_many(
        {"type": "a", "ref": "a"}, {"type": "b", "ref": "b", "after": ["a"]}, {"type": "c", "after": ["b"]}
    )

    answer = operate(queue, "cancel_jobs", type="a")

    assert answer == {"cancelled": 1, "descendants": 2, "left": 0}
    assert {queue.job(job["job_id"])["status"] for job in jobs} == {"cancelled"}


def test_a_call_cancels_a_thousand_and_says_how_many_are_left(queue: Queue) -> None:
    queue.rows(
        "insert into public.jobs (org_id, type, max_attempts, idempotency_key) "
        "select 'acme', 'a', 5, n::text from generate_series(1, 1003) n"
    )

    first, then = (operate(queue, "cancel_jobs") for _ in range(2))

    assert (first["cancelled"], first["left"]) == (1000, 3)
    assert (then["cancelled"], then["left"]) == (3, 0)


def test_a_job_that_was_claimed_while_the_call_waited_is_no_queued_one_any_more(
    queue: Queue, other_worker: Queue
) -> None:
    job_id = queue.enqueue()["job_id"]
    answers: list[Row] = []
    with queue.connection.transaction():
        queue.claim_one()
        call = threading.Thread(
            target=lambda: answers.append(operate(other_worker, "cancel_jobs", status="queued"))
        )
        call.start()
        until = time.monotonic() + 30
        while not queue.rows("select pid from pg_locks where not granted"):
            assert time.monotonic() < until, "the call waits for nobody"
    call.join(timeout=30)

    assert answers == [{"cancelled": 0, "descendants": 0, "left": 0}]
    assert queue.job(job_id)["status"] == "processing"


def test_the_trail_is_written_by_the_functions_alone(queue: Queue) -> None:
    insert = "insert into public.operator_actions (actor, action) values ('x', 'y')"
    with queue.connection.transaction(force_rollback=True):
        queue.connection.execute("set local role service_role")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            queue.connection.execute(insert)
