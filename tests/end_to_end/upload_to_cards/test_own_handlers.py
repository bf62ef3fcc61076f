"""A deployment with handlers of its own: written by the command, in a folder outside of the repository."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from functions.cli import app
from tests.end_to_end.upload_to_cards.project import Function, Project

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def received() -> list[tuple[dict[str, str], bytes]]:
    return []


@pytest.fixture(scope="module")
def receiver(received: list[tuple[dict[str, str], bytes]]) -> Iterator[str]:
    """The URL of somebody who takes calls."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hooks"
        server.shutdown()


@pytest.fixture(scope="module")
def studio(
    running_project: Project, receiver: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Function]:
    folder: Path = tmp_path_factory.mktemp("outside")
    for arguments in (["count_lines"], ["greet", "--no-file"]):
        written = CliRunner().invoke(
            app, ["new-handler", *arguments, "--folder", str(folder / "studio_jobs")]
        )
        assert written.exit_code == 0, written.stderr
    with running_project.function(
        PYTHONPATH=str(folder),
        CRONTICK_HANDLERS="studio_jobs, not_deployed_yet",
        WEBHOOK_URLS=receiver,
        WEBHOOK_SECRET=SECRET,
    ) as function:
        yield function


def test_handlers_outside_of_the_repository_do_their_jobs_and_one_bad_entry_stops_nobody(
    project: Project, studio: Function
) -> None:
    project.upload("acme/rivers.md", b"# Rivers\n\nDelta: where a river ends.\n", "text/markdown")
    file = project.rows("select id, bucket_id, path, version from public.ingested_files")[0]
    payload = {
        "file_id": file["id"],
        "bucket": file["bucket_id"],
        "path": file["path"],
        "version": file["version"],
    }
    for job_type, body in (("count_lines", payload), ("greet", {"name": "Ada"}), ("unknown", {})):
        project.rpc("enqueue_job", org_id="acme", type=job_type, payload=body)

    studio.tick()

    rows = project.rows(
        "select type, status, output, last_error from public.jobs where type in ('count_lines', 'greet', 'unknown')"
    )
    jobs = {row["type"]: row for row in rows}
    assert (jobs["count_lines"]["status"], jobs["count_lines"]["output"]) == ("done", {"lines": 3})
    assert (jobs["greet"]["status"], jobs["greet"]["output"]) == ("done", {"greeting": "Hello, Ada."})
    assert jobs["unknown"]["status"] == "queued"
    assert "CRONTICK_HANDLERS: not_deployed_yet cannot be imported" in jobs["unknown"]["last_error"]
    assert set(project.statuses("acme/rivers.md").values()) == {"done"}


def test_a_webhook_is_called_signed(
    project: Project, studio: Function, receiver: str, received: list[tuple[dict[str, str], bytes]]
) -> None:
    body = {"type": "order.paid", "data": {"order": 7, "note": "grün"}}
    project.rpc("enqueue_job", org_id="acme", type="call_webhook", payload={"url": receiver, "body": body})
    project.rpc("enqueue_job", org_id="acme", type="call_webhook", payload={"url": "https://evil.example/"})

    studio.tick()

    rows = project.rows("select id, status, output, public_error from public.jobs order by id")
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert rows[0]["output"]["status"] == 204
    assert "not one of those that may be called" in rows[1]["public_error"]
    ((headers, sent),) = received
    assert Webhook(SECRET).verify(sent, headers) == body
    assert headers["webhook-id"] == f"job_{rows[0]['id']}"
