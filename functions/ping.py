"""What the function says of itself to `{"ping": true}`: who is asked, not whether the queue works.

Loaded for such a call alone: naming the job types imports every handler.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from functions.registry import Registry
from functions.settings import Settings


def ping_answer(settings: Settings) -> dict[str, Any]:
    """Version, clock, time budget (seconds), job types and the host of its project; no secret is in it."""
    found, problems = Registry(more=settings.handler_modules()).listing()
    return {
        "status": "ok",
        "ping": True,
        "version": version("crontick"),
        "time": datetime.now(UTC).isoformat(),
        "budget_seconds": settings.tick_budget_seconds,
        "lease_seconds": settings.lease_seconds,
        "job_types": [one.handler.job_type for one in found],
        "unusable": problems,
        "backend": settings.job_queue_backend,
        "project": urlsplit(settings.supabase_url or "").hostname,
    }
