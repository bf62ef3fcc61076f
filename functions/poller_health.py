"""What a poller says of itself, to whoever watches it: a port with GET /health, and systemd."""

from __future__ import annotations

import importlib.metadata
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from functions.errors import ConfigurationError

_PATIENCE_SECONDS = 60.0  # without the database; a restart of it or of its pooler takes less
_SILENCE_SECONDS = 5.0
_LOOKS_PER_SECOND = 10


class PollerHealth:
    """The state of one process that polls. Its thread writes here, those of the port read."""

    def __init__(
        self,
        *,
        active_jobs: Callable[[], int],
        unreachable_since: Callable[[], float | None],
        stop: threading.Event,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`unreachable_since` is when the database stopped to answer, as `now` tells time; None while it does."""
        self.worker_id = f"worker-{os.getpid()}-{int(time.time())}"
        self.version = importlib.metadata.version("crontick")
        self._active_jobs = active_jobs
        self._unreachable_since = unreachable_since
        self._stop = stop
        self._now = now
        self._began = now()
        self._last_tick: datetime | None = None

    def note_tick(self) -> None:
        """A tick has ended, as it should."""
        self._last_tick = datetime.now(UTC)

    @property
    def status(self) -> str:
        """healthy, stopping, or degraded: for a minute the database has not answered."""
        if self._stop.is_set():
            return "stopping"
        since = self._unreachable_since()
        return "degraded" if since is not None and self._now() - since > _PATIENCE_SECONDS else "healthy"

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "worker_id": self.worker_id,
            "active_jobs": self._active_jobs(),
            "uptime": int(self._now() - self._began),
            "last_tick_at": self._last_tick.isoformat() if self._last_tick else None,
            "version": self.version,
        }


@contextmanager
def health_port(health: PollerHealth, address: str, port: int) -> Iterator[int]:
    """Answers GET /health until the end: 200, or 503 while it is not healthy. Yields the port."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENCE_SECONDS  # whoever connects and says nothing gives the thread back

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/health":
                self._answer(HTTPStatus.NOT_FOUND, {"error": "there is only GET /health"})
                return
            said = health.as_json()
            is_well = said["status"] == "healthy"
            self._answer(HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, said)

        def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def version_string(self) -> str:
            return "crontick"

        def log_message(self, *_: Any) -> None: ...

    try:
        server = _Server((address, port), Handler)
    except OSError as error:
        raise ConfigurationError(
            f"HEALTH_CHECK_PORT: {address}:{port} cannot be listened on ({error.strerror}); choose another port"
        ) from error
    with server:
        wait = 1 / _LOOKS_PER_SECOND
        thread = threading.Thread(
            target=server.serve_forever, args=(wait,), name="crontick-health", daemon=True
        )
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Whoever hangs up in the middle of an answer is not worth a traceback."""
