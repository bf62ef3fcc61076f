"""How often Supabase Auth is asked for its keys, and what happens when it does not answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from functions.admin.key_ring import KeyRing
from functions.errors import KeysUnavailable, NotSignedIn
from tests.fixtures.user_tokens import SHORT, public_jwk
from tests.unit.fakes import URL, FakeClock

KEYS = "/auth/v1/.well-known/jwks.json"
ANSWER = {"keys": [public_jwk("ES256", "k1")]}
MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keys() -> Iterator[respx.Route]:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        yield router.get(KEYS).respond(json=ANSWER)


@pytest.fixture
def ring(clock: FakeClock, keys: respx.Route) -> Iterator[KeyRing]:
    ring = KeyRing(f"{URL}/auth/v1", None, now=clock.now)
    yield ring
    ring.close()


def knows(ring: KeyRing, kid: str = "k1") -> bool:
    try:
        return bool(ring.key("ES256", kid))
    except NotSignedIn:
        return False


def test_keys_are_fetched_once_and_again_after_ten_minutes(
    ring: KeyRing, keys: respx.Route, clock: FakeClock
) -> None:
    for minutes, calls in ((0, 1), (5, 1), (4.9, 1), (0.2, 2)):
        clock.advance(minutes * MINUTE)
        assert knows(ring)
        assert keys.call_count == calls


def test_a_key_that_is_withdrawn_opens_no_longer_after_ten_minutes(
    ring: KeyRing, keys: respx.Route, clock: FakeClock
) -> None:
    assert knows(ring)
    keys.respond(json={"keys": [public_jwk("ES256", "k2", 1)]})
    clock.advance(10 * MINUTE)

    assert not knows(ring)
    assert knows(ring, "k2")


def test_unknown_names_make_us_ask_once_in_thirty_seconds(
    ring: KeyRing, keys: respx.Route, clock: FakeClock
) -> None:
    assert knows(ring)
    clock.advance(31)
    assert not any(knows(ring, f"unknown-{number}") for number in range(50))
    assert keys.call_count == 2
    clock.advance(29)
    assert not knows(ring, "unknown")
    assert keys.call_count == 2


def test_a_new_key_is_found_without_waiting_for_the_old_ones_to_age(
    ring: KeyRing, keys: respx.Route, clock: FakeClock
) -> None:
    assert knows(ring)
    keys.respond(json={"keys": [*ANSWER["keys"], public_jwk("ES256", "k2", 1)]})
    clock.advance(31)

    assert knows(ring, "k2")


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 500, "json": ANSWER},
        {"status_code": 302, "headers": {"location": "https://elsewhere.example"}},
        {"text": "<html>"},
        {"json": []},
        {"json": {"keys": {}}},
        {"text": "[" * 50_000},
        {"text": " " * 70_000 + json.dumps(ANSWER)},
    ],
    ids=lambda answer: str(answer)[:40],
)
def test_known_keys_are_kept_for_a_day_while_auth_answers_nonsense(
    answer: dict[str, Any], ring: KeyRing, keys: respx.Route, clock: FakeClock
) -> None:
    assert knows(ring)
    keys.respond(**answer)
    for _ in range(23):
        clock.advance(HOUR)
        assert knows(ring)
    assert keys.call_count == 24
    clock.advance(2 * HOUR)
    with pytest.raises(KeysUnavailable):
        knows(ring)


def test_an_auth_that_fails_is_not_asked_again_at_once(
    ring: KeyRing, keys: respx.Route, clock: FakeClock
) -> None:
    keys.side_effect = httpx.ConnectError("refused")
    for seconds, calls in ((0, 1), (4, 1), (2, 2), (4, 2)):
        clock.advance(seconds)
        with pytest.raises(KeysUnavailable):
            knows(ring)
        assert keys.call_count == calls
    keys.side_effect = None
    keys.respond(json=ANSWER)
    clock.advance(2)
    assert knows(ring)


def test_a_new_name_while_auth_fails_is_not_called_unknown(
    ring: KeyRing, keys: respx.Route, clock: FakeClock
) -> None:
    assert knows(ring)
    keys.respond(500)
    clock.advance(31)
    with pytest.raises(KeysUnavailable):
        knows(ring, "k2")
    assert knows(ring)


def test_many_threads_ask_once(ring: KeyRing, keys: respx.Route) -> None:
    at_once = threading.Barrier(16)
    found: list[bool] = []

    def look() -> None:
        at_once.wait(10)
        found.append(knows(ring))

    threads = [threading.Thread(target=look) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert found == [True] * 16
    assert keys.call_count == 1


def test_while_one_thread_asks_again_the_others_go_on_with_the_keys_they_have(
    ring: KeyRing, keys: respx.Route, clock: FakeClock
) -> None:
    assert knows(ring)
    clock.advance(11 * MINUTE)
    asked, answered = threading.Event(), threading.Event()

    def slow(_request: httpx.Request) -> httpx.Response:
        asked.set()
        assert answered.wait(10)
        return httpx.Response(200, json=ANSWER)

    keys.side_effect = slow
    asking = threading.Thread(target=knows, args=(ring,))
    asking.start()
    assert asked.wait(10)
    try:
        assert knows(ring)
    finally:
        answered.set()
        asking.join(10)
    assert keys.call_count == 2


SYMMETRIC = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "k1"}
UNUSABLE = {
    "symmetric": SYMMETRIC | {"alg": "HS256"},
    "symmetric under another name": SYMMETRIC | {"alg": "ES256"},
    "for encryption": public_jwk("ES256", "k1") | {"use": "enc"},
    "for another algorithm": public_jwk("ES256", "k1") | {"alg": "RS256"},
    "for no algorithm": public_jwk("ES256", "k1") | {"alg": "none"},
    "on a list of curves": public_jwk("ES256", "k1") | {"crv": ["P-256"]},
    "off the curve": public_jwk("ES256", "k1") | {"x": "AAAA"},
    "named by a list": public_jwk("ES256", "k1") | {"kid": ["k1"]},
    "without a name": {"kty": "EC"} | {n: v for n, v in public_jwk("ES256", "k1").items() if n != "kid"},
    "short": public_jwk("RS256", "k1", SHORT),
    "text": "a key",
    "empty": {},
}


@pytest.mark.parametrize("published", UNUSABLE.values(), ids=UNUSABLE)
def test_a_published_key_that_is_none_of_ours_is_left_out_and_the_others_count(
    published: Any, ring: KeyRing, keys: respx.Route
) -> None:
    keys.respond(json={"keys": [published, public_jwk("ES256", "k2", 1)]})

    assert not knows(ring)
    assert knows(ring, "k2")


def test_a_key_says_itself_which_algorithm_it_is_for(ring: KeyRing, keys: respx.Route) -> None:
    described = public_jwk("RS256", "k1")
    keys.respond(json={"keys": [{name: described[name] for name in ("kty", "n", "e", "kid")}]})

    assert ring.key("ES256", "k1")[1] == "RS256"


def test_a_private_part_that_auth_would_publish_by_mistake_is_not_kept(
    ring: KeyRing, keys: respx.Route
) -> None:
    keys.respond(json={"keys": [public_jwk("ES256", "k1") | {"d": "c2VjcmV0"}]})

    key, _ = ring.key("ES256", "k1")

    assert not isinstance(key, bytes)
    assert not hasattr(key.key, "sign")
