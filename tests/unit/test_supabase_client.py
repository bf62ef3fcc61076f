"""The connections to a project: where they go, and where a proxy must not come between."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from functions.job_queue import JobQueue
from functions.supabase_client import SupabaseClient


class PostgrestAnswer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"job_id": 1, "created": true, "status": "queued"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_local_project_is_reached_past_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    with HTTPServer(("127.0.0.1", 0), PostgrestAnswer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = SupabaseClient(f"http://127.0.0.1:{server.server_port}", "sb_secret_x")
        try:
            assert JobQueue(client).enqueue("acme", "render").job_id == 1
        finally:
            client.close()
            server.shutdown()
