"""What the function's server is told."""

from __future__ import annotations

import logging
import runpy
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CONF = Path(__file__).parents[2] / "functions/gunicorn.conf.py"


@pytest.fixture
def conf(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setenv("K_SERVICE", "test")
    monkeypatch.setattr("functions.secrecy.hide_from_own_user", lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    yield runpy.run_path(str(CONF))
    signal.signal(signal.SIGTERM, before)


def test_it_waits_for_the_last_call_of_the_queue_but_ends_before_the_platform_kills(
    conf: dict[str, Any],
) -> None:
    assert conf["graceful_timeout"] == 10


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a connection does not inherit it")
def test_a_connection_that_falls_silent_gives_its_thread_back(conf: dict[str, Any]) -> None:
    error_log = logging.getLogger("test of the server's log")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        conf["post_worker_init"](
            SimpleNamespace(sockets=[listener], log=SimpleNamespace(error_log=error_log))
        )
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
            with connection:
                limit = connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
    assert struct.unpack("ll", limit) == (10, 0)


def test_silence_is_not_logged_but_other_trouble_is(conf: dict[str, Any]) -> None:
    def record(error: Exception) -> logging.LogRecord:
        return logging.LogRecord("x", logging.ERROR, "", 0, "x", None, (type(error), error, None))

    is_worth_logging = conf["_is_worth_logging"]
    assert not is_worth_logging(record(BlockingIOError()))
    assert is_worth_logging(record(OSError()))
