"""What a poller says of itself: its port and systemd."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from functions.clock import SystemClock
from functions.errors import ConfigurationError
from functions.poller import PollersClock, poll_forever
from functions.poller_health import PollerHealth, health_port
from functions.systemd import Systemd
from functions.tick_report import TickReport
from tests.unit.fakes import FakeClock
from tests.unit.test_poller import IDLE


class Poller:
    """A poller whose state a test sets."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.stop = threading.Event()
        self.unreachable_since: float | None = None
        self.health = PollerHealth(
            active_jobs=lambda: 2,
            unreachable_since=lambda: self.unreachable_since,
            stop=self.stop,
            now=self.clock.now,
        )


@pytest.fixture
def poller() -> Poller:
    return Poller()


@pytest.fixture
def http(poller: Poller) -> Iterator[httpx.Client]:
    with (
        health_port(poller.health, "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=5) as client,
    ):
        yield client


def test_a_healthy_poller_says_who_it_is_and_what_it_does(http: httpx.Client, poller: Poller) -> None:
    poller.clock.advance(3600.7)
    answer = http.get("/health")
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert body.pop("worker_id").startswith("worker-")
    assert body.pop("version")
    assert body == {"status": "healthy", "active_jobs": 2, "uptime": 3600, "last_tick_at": None}


def test_it_tells_when_its_last_tick_ended(http: httpx.Client, poller: Poller) -> None:
    poller.health.note_tick()
    assert datetime.fromisoformat(http.get("/health").json()["last_tick_at"]).tzinfo is not None


def test_it_is_degraded_once_the_database_has_not_answered_for_a_minute(
    http: httpx.Client, poller: Poller
) -> None:
    poller.unreachable_since = poller.clock.now()
    poller.clock.advance(60)
    assert http.get("/health").status_code == 200
    poller.clock.advance(1)
    answer = http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
    poller.unreachable_since = None
    assert http.get("/health").status_code == 200


def test_while_it_stops_it_wants_no_more_to_be_counted_on(http: httpx.Client, poller: Poller) -> None:
    poller.stop.set()
    answer = http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "stopping")


@pytest.mark.parametrize(("path", "status"), [("/health?x=1", 200), ("/", 404), ("/healthz", 404)])
def test_there_is_nothing_else_to_ask(http: httpx.Client, path: str, status: int) -> None:
    assert http.get(path).status_code == status


def test_nothing_can_be_sent_to_it(http: httpx.Client) -> None:
    assert http.post("/health", content=b"x").status_code == 501


def test_whoever_falls_silent_keeps_nobody_else_waiting(http: httpx.Client) -> None:
    host, port = http.base_url.host, http.base_url.port or 0
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection((host, port))).sendall(b"GET /hea")
        assert http.get("/health").status_code == 200


def test_a_port_that_is_taken_is_named_with_its_variable(poller: Poller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"HEALTH_CHECK_PORT: 127.0.0.1:{port}"):  # noqa: SIM117
            with health_port(poller.health, "127.0.0.1", port):
                pass


@pytest.fixture
def address() -> Iterator[str]:
    with TemporaryDirectory() as folder:  # the path of a socket may have 107 bytes
        yield str(Path(folder) / "notify")


@pytest.fixture
def listener(address: str) -> Iterator[socket.socket]:
    """The end that systemd holds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(address)
        end.setblocking(False)
        yield end


def heard(end: socket.socket) -> list[str]:
    states = []
    while True:
        try:
            states.append(end.recv(1000).decode())
        except BlockingIOError:
            return states


def test_systemd_hears_that_it_is_ready_alive_and_stopping(listener: socket.socket, address: str) -> None:
    clock = FakeClock()
    systemd = Systemd(address, 40_000_000, now=clock.now)
    systemd.ready("working")
    for _ in range(21):
        systemd.alive()
        clock.advance(1)
    assert heard(listener) == ["READY=1\nSTATUS=working", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]
    systemd.alive(stopping=True)
    systemd.alive(stopping=True)
    assert heard(listener) == ["STOPPING=1"]


def test_an_abstract_address_is_one_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0crontick-test-notify")
        Systemd("@crontick-test-notify", None).ready("x")
        assert end.recv(100) == b"READY=1\nSTATUS=x"


@pytest.mark.parametrize("address", [None, "/nowhere/at/all"])
def test_without_systemd_nothing_is_said(address: str | None) -> None:
    systemd = Systemd(address, 1)
    systemd.ready("x")
    systemd.alive(stopping=True)


def test_a_poller_is_alive_while_it_pauses_and_while_its_tick_waits() -> None:
    signs: list[str] = []
    stop = threading.Event()

    def tick() -> TickReport:
        return IDLE

    def sleep(_: float) -> None:
        if len(signs) == 3:
            stop.set()

    poll_forever(tick, interval_ms=5000, stop=stop, sleep=sleep, alive=lambda: signs.append("pause"))
    assert signs == ["pause"] * 3
    clock = PollersClock(lambda: signs.append("wait"))
    assert isinstance(clock, SystemClock)
    clock.wait(queue.SimpleQueue(), 0)
    assert signs[-1] == "wait"
