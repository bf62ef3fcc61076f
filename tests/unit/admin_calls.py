"""The jobs API as functions-framework serves it, in front of a database whose answers a test prepares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

SOURCE = Path(__file__).parents[2] / "functions/main.py"
SECRET = "open sesame"
ENVIRONMENT = {
    "K_SERVICE": "test",
    "SUPABASE_URL": "http://supabase.test",
    "SUPABASE_SECRET_KEY": "sb_secret_x",
    "JOB_QUEUE_RUNNER_SECRET": SECRET,
}
AT = "2026-11-22T12:00:00+00:00"

JOB_ROW: dict[str, Any] = {
    "id": 17,
    "org_id": "acme",
    "type": "create_cards",
    "status": "failed",
    "priority": 0,
    "run_at": AT,
    "attempts": 5,
    "max_attempts": 5,
    "crashes": 0,
    "last_error": "ValueError: no text",
    "created_at": AT,
    "updated_at": AT,
}
HEALTH: dict[str, Any] = {
    "processing_enabled": True,
    "paused_reason": None,
    "counts": {"waiting": 0, "queued": 3, "processing": 1, "done": 9, "failed": 2, "cancelled": 0},
    "due": 2,
    "oldest_due_seconds": 40,
    "expired_leases": 1,
    "failed_over_10_min": 2,
    "dead_rows": 12,
    "cron_schedules": [
        {"jobname": "crontick", "active": True, "last_start": AT, "last_status": "succeeded"},
        {"jobname": "crontick-2", "active": False, "last_start": AT, "last_status": "succeeded"},
        {"jobname": "crontick-prune", "active": True, "last_start": None, "last_status": "failed"},
    ],
}
TYPE_ROW: dict[str, Any] = {
    "type": "create_cards",
    "waiting": 0,
    "queued": 3,
    "due": 2,
    "processing": 1,
    "failed": 2,
    "oldest_due_seconds": 40,
    "avg_ms": 812.5,
}


def overview(**changes: Any) -> dict[str, Any]:
    """What queue_overview answers."""
    bucket = {"at": AT, "done": 4, "failed": 1, "retried": 2, "crashed": 0, "p50_ms": 300, "p95_ms": 900}
    return {
        "health": HEALTH,
        "history": {"bucket_seconds": 60, "buckets": [bucket, bucket]},
        "by_type": [TYPE_ROW],
        "by_org": [{"org_id": "acme", "queued": 3, "due": 2, "processing": 1, "failed": 2}],
        "active": [],
        "problems": [],
        "at": AT,
    } | changes


class Api:
    """Asks as whoever has the runner secret."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.ask("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> TestResponse:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, data=data, **options)

    def ask(self, method: str, path: str, **options: Any) -> TestResponse:
        return self.client.open(path, method=method, headers={"x-job-runner-secret": SECRET}, **options)


def error_of(response: TestResponse) -> tuple[int, str, str | None]:
    """Status, code and field of an error; holds the answer against the shape that all errors have."""
    said = response.json
    assert said is not None
    assert set(said) == {"code", "message", "field"}
    assert said["message"]
    assert "Traceback" not in response.text
    return response.status_code, said["code"], said["field"]
