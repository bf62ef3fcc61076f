"""The body of a tick's request."""

from __future__ import annotations

import pytest

from functions.tick_options import BadRequest, TickOptions, parse_body


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
def test_an_empty_body_means_all_defaults(body: bytes) -> None:
    assert parse_body(body, default_limit=7) == TickOptions(limit=7)


def test_every_field_can_be_given() -> None:
    body = (
        b'{"limit": 3, "delay": 500, "types": ["create_cards"], "force": true, "drain": false, "ping": true}'
    )
    assert parse_body(body, default_limit=7) == TickOptions(
        limit=3, delay_seconds=0.5, types=("create_cards",), force=True, drain=False, ping=True
    )


def test_iterations_is_another_name_for_limit() -> None:
    assert parse_body(b'{"iterations": 3, "delay": 1000}', default_limit=7).limit == 3


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"limit": 0}', "limit: should be greater than or equal to 1"),
        (b'{"limit": 101}', "limit: should be less than or equal to 100"),
        (b'{"limit": "5"}', "limit: should be a valid integer"),
        (b'{"limit": true}', "limit: should be a valid integer"),
        (b'{"iterations": 0}', "iterations: should be greater than or equal to 1"),
        (b'{"limit": 1, "iterations": 2}', "iterations: means the same as limit"),
        (b'{"delay": -1}', "delay: should be greater than or equal to 0"),
        (b'{"delay": 60001}', "delay: should be less than or equal to 60000"),
        (b'{"types": []}', "types: "),
        (b'{"types": ["Not a type"]}', "types.0: "),
        (b'{"force": "yes"}', "force: should be a valid boolean"),
        (b'{"ping": 1}', "ping: should be a valid boolean"),
        (b'{"limitt": 1}', "limitt: there is no such field; there are limit,"),
        (b"[]", "body: should be an object"),
        (b"{", "body: Invalid JSON"),
        (b"\xff", "body: Invalid JSON"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, problem: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_body(body, default_limit=7)
    assert str(caught.value).startswith(problem)
