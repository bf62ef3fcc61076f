"""Pipelines: flows with a name, whose steps are data."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.database.queue import Queue, Row

ADVERT = """
insert into public.pipelines (name, steps) values ('advert', '[
  {"ref": "analysis", "type": "analysis", "payload": {"depth": 2, "kind": "film"}},
  {"ref": "assets", "type": "asset_prep", "after": ["analysis"], "priority": 5},
  {"type": "render", "after": ["assets"], "max_attempts": 2}]')
"""


@pytest.fixture
def advert(queue: Queue) -> Queue:
    """A queue that knows the pipeline `advert`: analysis, then the assets, then a rendering."""
    queue.rows(ADVERT)
    return queue


def start(queue: Queue, **arguments: Any) -> list[Row]:
    answer: list[Row] = queue.call("start_pipeline", **{"pipeline": "advert", "org_id": "acme"} | arguments)
    return answer


def test_a_pipeline_enqueues_its_steps_in_order_each_waiting_for_those_before_it(advert: Queue) -> None:
    answers = start(advert, payload={"brief": 7})

    assert [answer["status"] for answer in answers] == ["queued", "waiting", "waiting"]
    assert all(answer["created"] for answer in answers)
    analysis, assets, render = (advert.job(answer["job_id"]) for answer in answers)
    assert [job["type"] for job in (analysis, assets, render)] == ["analysis", "asset_prep", "render"]
    assert (assets["priority"], render["max_attempts"]) == (5, 2)


def test_every_step_gets_the_payload_and_its_own_keys_below_it(advert: Queue) -> None:
    answers = start(advert, payload={"brief": 7, "kind": "trailer"})

    payloads = [advert.job(answer["job_id"])["payload"] for answer in answers]
    assert payloads == [
        {"depth": 2, "kind": "trailer", "brief": 7},
        {"kind": "trailer", "brief": 7},
        {"kind": "trailer", "brief": 7},
    ]


def test_the_steps_run_one_after_the_other_and_inherit_outputs(advert: Queue) -> None:
    start(advert)
    types = []
    for _ in range(3):
        (job,) = advert.claim()
        types.append((job["type"], job["parents"]))
        advert.resolve_one(job, output={"of": job["type"]})

    assert types == [
        ("analysis", {}),
        ("asset_prep", {"analysis": {"of": "analysis"}}),
        ("render", {"asset_prep": {"of": "asset_prep"}}),
    ]
    assert advert.claim() == []


def test_the_same_pipeline_with_the_same_payload_is_started_once_while_it_is_unfinished(
    advert: Queue,
) -> None:
    first = start(advert, payload={"brief": 7})

    again = start(advert, payload={"brief": 7})

    assert [answer["job_id"] for answer in again] == [answer["job_id"] for answer in first]
    assert not any(answer["created"] for answer in again)


def test_a_pipeline_that_is_half_done_is_not_started_again(advert: Queue) -> None:
    first = start(advert, payload={"brief": 7})
    advert.resolve_one(advert.claim_one())

    again = start(advert, payload={"brief": 7})

    assert [(a["job_id"], a["created"]) for a in again] == [(a["job_id"], False) for a in first]
    assert [a["status"] for a in again] == ["done", "queued", "waiting"]
    assert len(advert.rows("select 1 from public.jobs")) == 3


def test_a_pipeline_that_is_done_can_be_started_again(advert: Queue) -> None:
    first = start(advert)
    for _ in range(3):
        advert.resolve_one(advert.claim_one())

    again = start(advert)

    assert all(answer["created"] for answer in again)
    assert {a["job_id"] for a in again}.isdisjoint(a["job_id"] for a in first)


def test_a_pipeline_whose_step_failed_can_be_started_again(advert: Queue) -> None:
    start(advert)
    advert.resolve_one(advert.claim_one(), "failed", error="no such film")

    assert all(answer["created"] for answer in start(advert))


@pytest.mark.parametrize("other", [{"payload": {"brief": 8}}, {"org_id": "globex"}, {"idempotency_key": "k"}])
def test_another_payload_organisation_or_key_is_another_run(advert: Queue, other: dict[str, Any]) -> None:
    start(advert, payload={"brief": 7})

    assert all(answer["created"] for answer in start(advert, **{"payload": {"brief": 7}} | other))


def test_with_a_key_it_is_the_key_that_decides(advert: Queue) -> None:
    first = start(advert, payload={"brief": 7}, idempotency_key="monday")
    advert.resolve_one(advert.claim_one())

    again = start(advert, payload={"brief": 8}, idempotency_key="monday")

    assert [answer["job_id"] for answer in again] == [answer["job_id"] for answer in first]


def test_two_steps_of_one_type_are_two_jobs(queue: Queue) -> None:
    queue.rows(
        """
        insert into public.pipelines (name, steps) values ('advert', '[
          {"ref": "small", "type": "render"}, {"ref": "large", "type": "render"},
          {"type": "publish", "after": ["small", "large"]}]')
        """
    )
    small, large, _ = start(queue)
    assert small["job_id"] != large["job_id"]
    for job in queue.claim():
        queue.resolve_one(job, output={"job": job["job_id"]})

    assert queue.claim_one()["parents"] == {
        "small": {"job": small["job_id"]},
        "large": {"job": large["job_id"]},
    }


def test_a_pipeline_that_does_not_exist_is_refused_with_those_that_do(advert: Queue) -> None:
    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match='there is no pipeline "no_such"'
    ) as refusal:
        start(advert, pipeline="no_such")

    assert "There are: advert" in (refusal.value.diag.message_hint or "")


def test_a_changed_pipeline_holds_for_the_next_start(advert: Queue) -> None:
    start(advert, payload={"brief": 1})
    advert.rows("update public.pipelines set steps = '[{\"type\": \"render\"}]' where name = 'advert'")

    assert [advert.job(a["job_id"])["type"] for a in start(advert, payload={"brief": 2})] == ["render"]
