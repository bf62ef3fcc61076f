"""What stands between us and the database, and what of a call is repeated or believed when it fails."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
import respx

from functions.errors import (
    AnswerUnknown,
    ConfigurationError,
    QueueTooSlow,
    QueueUnavailable,
    RequestRefused,
)
from functions.operators_queue import OperatorsQueue
from functions.queue_rows import JobResult
from functions.supabase_client import SupabaseClient

WORKER = UUID("00000000-0000-0000-0000-000000000001")
CLAIM = "/rest/v1/rpc/claim_jobs"
RESOLVE = "/rest/v1/rpc/resolve_jobs"


def claim(queue: OperatorsQueue, **more: Any) -> Any:
    return queue.claim(WORKER, batch_size=5, lease_seconds=120, **more)


def resolve(queue: OperatorsQueue) -> Any:
    return queue.resolve(WORKER, [JobResult(7, "a", "done"), JobResult(8, "b", "done")])


def sent(route: respx.Route) -> list[Any]:
    return [json.loads(call.request.content) for call in route.calls]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520, 522, 530, 540])
@pytest.mark.parametrize(
    "body",
    [b'{"message": "name resolution failed"}', b'{"code": 503}', b"[]", b"<html>", b""],
    ids=["json", "a code that is no code", "no object", "html", "empty"],
)
def test_what_a_gateway_says_is_trouble_that_may_pass_and_not_a_refused_key(
    status: int, body: bytes, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post(CLAIM).respond(status, content=body)
    with pytest.raises(QueueUnavailable, match=str(status)):
        claim(queue)
    assert route.call_count == 5


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b'{"message": "Invalid API key"}', b"<html>"])
def test_only_401_and_403_say_that_the_key_is_refused(
    status: int, body: bytes, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    rest.post(CLAIM).respond(status, content=body)
    with pytest.raises(ConfigurationError, match="the API key was refused"):
        claim(queue)


@pytest.mark.parametrize("status", [302, 404, 413])
def test_another_status_of_a_gateway_is_a_refusal(
    status: int, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post(RESOLVE).respond(status, json={"message": "no Route matched"})
    with pytest.raises(RequestRefused, match=str(status)):
        resolve(queue)
    assert route.call_count == 1


def test_a_claim_that_is_repeated_says_what_is_held_so_that_a_lost_answer_is_given_again(
    rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post(CLAIM)
    route.side_effect = [httpx.ReadTimeout("slow"), httpx.Response(502), httpx.Response(200, json=[])]
    claim(queue, held=[3, 4])
    assert [body.get("held") for body in sent(route)] == [None, [3, 4], [3, 4]]
    assert "held" not in sent(route)[0]


@pytest.mark.parametrize("answer", [httpx.Response(502), httpx.ReadError("reset")], ids=repr)
def test_a_call_that_must_not_happen_twice_is_not_repeated_once_it_may_have_happened(
    answer: Any, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post("/rest/v1/rpc/operate").mock(side_effect=[answer])
    with pytest.raises(QueueUnavailable):
        queue.operate("me", "retry", {"job_id": 7})
    assert route.call_count == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.PoolTimeout("busy"),
        httpx.Response(429),
        httpx.Response(400, json={"code": "55P03", "message": "lock timeout"}),
    ],
    ids=repr,
)
def test_it_is_repeated_when_it_certainly_did_not_happen(
    answer: Any, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post("/rest/v1/rpc/operate")
    route.side_effect = [answer, httpx.Response(200, json={})]
    queue.operate("me", "retry", {"job_id": 7})
    assert route.call_count == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, json={"code": "57014", "message": "statement timeout"}),
        httpx.Response(504, json={"message": "The upstream server is timing out"}),
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
    ],
    ids=repr,
)
def test_results_that_take_too_long_come_back_at_once_to_be_sent_in_smaller_batches(
    answer: Any, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post(RESOLVE).mock(side_effect=[answer])
    with pytest.raises(QueueTooSlow):
        resolve(queue)
    assert route.call_count == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json=[]),
        httpx.Response(200, json=None),
        httpx.Response(204),
        httpx.Response(200, json=[{"job_id": 7, "verdict": "ok"}]),
        httpx.Response(200, json=[{"verdict": "ok"}] * 3),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={}),
    ],
    ids=["none", "null", "204", "one of two", "three for two", "html", "object"],
)
def test_an_answer_without_a_verdict_for_each_result_is_not_believed(
    answer: httpx.Response, rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    rest.post(RESOLVE).mock(return_value=answer)
    with pytest.raises(AnswerUnknown, match="resolve_jobs answered in a shape"):
        resolve(queue)


def test_no_try_begins_when_the_time_is_over_and_none_gets_more_than_is_left(
    rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post(CLAIM).mock(side_effect=httpx.ConnectError("refused"))
    left = iter([8.0, 8.0, 6.0, 0.0])
    with pytest.raises(QueueUnavailable):
        claim(queue, time_left=lambda: next(left))
    timeouts = [call.request.extensions["timeout"] for call in route.calls]
    assert [(one["read"], one["write"], one["connect"]) for one in timeouts] == [(8, 8, 4), (6, 6, 3)]


def test_without_a_limit_a_try_gets_nine_seconds_and_half_of_them_to_connect(
    rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post(CLAIM).respond(json=[])
    claim(queue)
    timeout = route.calls.last.request.extensions["timeout"]
    assert (timeout["read"], timeout["connect"]) == (9, 4.5)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://supabase.test", "sb_secret_hidden\u00e4"),
        ("http://supabase.test:abc", "sb_secret_hidden"),
        ("ftp://supabase.test", "sb_secret_hidden"),
    ],
)
def test_a_url_or_key_that_cannot_be_sent_is_a_matter_of_configuration_and_not_repeated_in_the_error(
    url: str, key: str
) -> None:
    with (
        SupabaseClient(url, key) as supabase,
        pytest.raises(ConfigurationError, match="SUPABASE_URL") as caught,
    ):
        claim(OperatorsQueue(supabase, sleep=lambda _: None))
    assert "hidden" not in str(caught.value)


def test_a_header_that_http_does_not_know_is_not_quoted_either(
    rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    illegal = httpx.LocalProtocolError("Illegal header value b'Bearer hidden\\n'")
    route = rest.post(CLAIM).mock(side_effect=illegal)
    with pytest.raises(ConfigurationError) as caught:
        claim(queue)
    assert "hidden" not in str(caught.value)
    assert route.call_count == 1


def test_it_is_known_since_when_the_database_has_not_answered(
    rest: respx.MockRouter, queue: OperatorsQueue
) -> None:
    route = rest.post(CLAIM)
    route.side_effect = httpx.ConnectError("refused")
    assert queue.unreachable_since is None
    seen: set[float | None] = set()
    for _ in range(2):
        with pytest.raises(QueueUnavailable):
            claim(queue)
        seen.add(queue.unreachable_since)
    assert len(seen) == 1, "the first failure counts"
    assert None not in seen
    route.side_effect = None
    route.respond(json=[])
    claim(queue)
    assert queue.unreachable_since is None
