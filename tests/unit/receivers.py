"""A receiver of reports as Sentry and an OpenTelemetry collector are: real HTTP, in this process."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Receiver:
    """What arrived; `status` is what it answers, and it answers nothing before `lets_go` is set."""

    port: int = 0
    status: int = 200
    lets_go: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return f"http://0123456789abcdef0123456789abcdef@127.0.0.1:{self.port}/42"

    def raw(self) -> str:
        """All bodies as text, to look for what must not be there."""
        return "".join(body.decode("utf-8", "replace") for _, _, body in self.requests)

    def sentry_events(self) -> list[dict[str, Any]]:
        """The events of all envelopes: a header line, then a header and a line for each item."""
        events = []
        for path, _, body in self.requests:
            assert path == "/api/42/envelope/"
            lines = body.decode().splitlines()
            for header, item in zip(lines[1::2], lines[2::2], strict=False):
                assert json.loads(header)["type"] == "event"
                events.append(json.loads(item))
        return events

    def spans(self) -> dict[str, list[Span]]:
        """By name, in the order in which they ended."""
        found: dict[str, list[Span]] = {}
        for path, _, body in self.requests:
            assert path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found.setdefault(span.name, []).append(span)
        return found


@contextmanager
def receiver(*, hangs: bool = False) -> Iterator[Receiver]:
    """Listens until the end."""
    received = Receiver()
    if not hangs:
        received.lets_go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            received.requests.append((self.path, headers, body))
            received.lets_go.wait(20)
            self.send_response(received.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None: ...  # whoever reports may hang up

    with Server(("127.0.0.1", 0), Handler) as server:
        received.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield received
        received.lets_go.set()
        server.shutdown()
        thread.join()
