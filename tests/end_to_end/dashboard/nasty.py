"""What a queue may hold at its worst, in the shapes of the jobs API: markup, long names, both directions, nothing."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime.now(UTC).replace(microsecond=0)
MARKUP = '<img src=x onerror="alert(1)">'
SCRIPT = "</script><script>alert(2)</script>"
LONG = "organisation-" + "x" * 187
ARABIC = "منظمة الاختبار"
EMOJI = "👩‍🔬 Biology 101 🧬"
ERROR = f"Reject: {MARKUP} could not be decoded: {SCRIPT} " + "and so on " * 30
COUNTS = {"waiting": 14, "queued": 12_480, "processing": 4, "done": 231_904, "failed": 37, "cancelled": 3}


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def job(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": number, "org_id": "acme", "type": "create_thumbnail", "status": "done", "priority": 0, "run_at": ago(400),
        "attempts": 1, "max_attempts": 5, "crashes": 0, "progress": None, "file_id": None, "path": None,
        "last_error": None, "created_at": ago(420), "started_at": ago(400), "completed_at": ago(380),
        "updated_at": ago(380), "lease_expires_at": None, "lease_left_seconds": None, "running_seconds": None,
    } | values  # fmt: skip


ACTIVE = [
    job(9001, status="processing", org_id=ARABIC, type="analyze_file", path=f"acme/{MARKUP}.pdf", running_seconds=12.4,
        lease_left_seconds=104, completed_at=None, progress={"done": 0.42, "note": f"page 3 of 7 {MARKUP}"}),
    job(9002, status="processing", org_id=LONG, type="create_cards", running_seconds=188, lease_left_seconds=-61.5,
        completed_at=None, attempts=3, progress={"done": 7, "note": None}),
    job(9003, status="processing", org_id=EMOJI, running_seconds=0.4, lease_left_seconds=119, completed_at=None,
        path="acme/figures/" + "deep/" * 30 + "leaf.png"),
    job(9004, status="processing", running_seconds=2, lease_left_seconds=118, completed_at=None,
        progress=["a", {"list": SCRIPT}]),
]  # fmt: skip
FAILED = [
    job(8001, status="failed", org_id=MARKUP, type="create_cards", last_error=ERROR, attempts=5, file_id=1),
    job(8002, status="failed", org_id=LONG, last_error="TimeoutError: no answer within 60 s", attempts=5),
    job(8003, status="failed", org_id=ARABIC, last_error="خطأ: الملف تالف", attempts=1, type="analyze_file"),
    job(8004, status="failed", org_id=EMOJI, last_error=None, attempts=2),
    *(job(8005 + n, status="failed", last_error=f"HTTP 503 from the provider, try {n}", attempts=5) for n in range(20)),
]  # fmt: skip
PENDING = [
    job(7001 + n, status="queued", position=n + 1, completed_at=None, attempts=0, org_id="acme" if n % 3 else ARABIC,
        waits_for=f"2 of {MARKUP} run already (limit 2)" if n == 2 else None)
    for n in range(12)
] + [job(7100, status="waiting", position=13, completed_at=None, attempts=0, type="create_cards",
         waits_for=f"1 unfinished job(s) {MARKUP}")]  # fmt: skip


def detail(number: int) -> dict[str, Any]:
    row = next((each for each in [*ACTIVE, *FAILED, *PENDING] if each["id"] == number), job(number))
    runs = [
        {"attempt": 1, "outcome": "retry", "error": f"{MARKUP} once", "duration_ms": 812, "cost": None,
         "started_at": ago(4000), "finished_at": ago(3999), "worker_id": "6e7c7d6e-0000-4000-8000-000000000001"},
        {"attempt": 1, "outcome": "crash", "error": None, "duration_ms": None, "cost": None, "started_at": ago(3000),
         "finished_at": ago(2880), "worker_id": "6e7c7d6e-0000-4000-8000-000000000002"},
        {"attempt": 2, "outcome": "failed", "error": row["last_error"], "duration_ms": 60_012, "cost": 0.0042,
         "started_at": ago(440), "finished_at": ago(380), "worker_id": "6e7c7d6e-0000-4000-8000-000000000003"},
    ]  # fmt: skip
    return row | {
        "payload": {"path": MARKUP, "nested": {"numbers": [1, 2.5, -3e9], "flag": True, "no": None}, "متن": SCRIPT},
        "output": {"too_large": 183_422}, "public_error": "The file could not be read.", "idempotency_key": "k" * 64,
        "worker_id": None, "waiting_for": 0, "waits_for": row.get("waits_for"), "runs": runs,
        "parents": [{"id": 7999, "type": "analyze_file", "status": "done", "ref": MARKUP}],
        "children": [{"id": 8100, "type": "call_webhook", "status": "cancelled", "ref": None}],
        "file": {"id": 1, "bucket_id": "ingest", "path": f"acme/{MARKUP}.pdf", "mime_type": "application/pdf",
                 "size": 18_204_112, "deleted_at": None},
    }  # fmt: skip


def history(hours: int) -> dict[str, Any]:
    step = {1: 60, 6: 300, 24: 900, 168: 3600}[hours]
    buckets = []
    for n in range(hours * 3600 // step):
        wave = max(0.0, math.sin(n / 7) + 0.6 * math.sin(n / 2.3))
        quiet = 20 < n < 26
        done = 0 if quiet else round(90 * wave + (n * 7) % 11)
        buckets.append(
            {
                "at": ago(hours * 3600 - n * step),
                "done": done,
                "retried": (n * 5) % 13 if n % 9 == 0 else 0,
                "failed": 9 if n % 17 == 0 else 0,
                "crashed": 3 if n == 40 else 0,
                "p50_ms": None if quiet else round(420 + 160 * wave),
                "p95_ms": None if quiet else round(1700 + 900 * wave),
            }
        )
    return {"bucket_seconds": step, "buckets": buckets}


def overview(hours: int = 6) -> dict[str, Any]:
    """A busy queue, with one of everything that needs a person."""
    return {
        "health": {
            "processing_enabled": True, "paused_reason": None, "counts": dict(COUNTS), "suspects": 1, "later": 210,
            "waiting_for_limits": 2, "due": 12_269, "oldest_due_seconds": 412, "expired_leases": 1,
            "failed_over_10_min": 35, "ingest_failures": [], "oldest_snapshot": None, "dead_rows": 2011,
            "cron_schedules": [
                {"jobname": "process-flashcard-jobs", "schedule": "* * * * *", "active": True, "last_start": ago(31),
                 "last_status": "succeeded", "last_message": "1 row"},
                {"jobname": "process-flashcard-jobs-2", "schedule": "* * * * *", "active": True, "last_start": ago(31),
                 "last_status": "failed", "last_message": f"ERROR:  the function answered 503: {MARKUP}"},
                {"jobname": "crontick-prune", "schedule": "17 3 * * *", "active": False, "last_start": None,
                 "last_status": None, "last_message": None},
            ],
            "recent_ticks": [
                {"jobname": "process-flashcard-jobs", "status": "failed" if n == 2 else "succeeded",
                 "return_message": "ERROR:  Operation timed out after 55001 milliseconds" if n == 2 else "1 row",
                 "start_time": ago(31 + 60 * n), "end_time": ago(31 + 60 * n - 14.2)}
                for n in range(8)
            ],
        },
        "history": history(hours),
        "by_type": [
            {"type": "create_thumbnail", "waiting": 0, "queued": 10_200, "due": 10_100, "processing": 2, "failed": 21,
             "oldest_due_seconds": 412, "avg_ms": 312},
            {"type": "analyze_file", "waiting": 2, "queued": 2100, "due": 2000, "processing": 1, "failed": 3,
             "oldest_due_seconds": 95, "avg_ms": 8123},
            {"type": "create_cards", "waiting": 12, "queued": 180, "due": 169, "processing": 1, "failed": 13,
             "oldest_due_seconds": 4, "avg_ms": 22_010},
            {"type": "an_extremely_long_job_type_name_that_somebody_chose_in_a_hurry", "waiting": 0, "queued": 0,
             "due": 0, "processing": 0, "failed": 0, "oldest_due_seconds": None, "avg_ms": None},
        ],
        "by_org": [
            {"org_id": name, "queued": queued, "due": queued, "processing": 1, "failed": failed}
            for name, queued, failed in (
                ("acme", 9000, 20), (LONG, 2100, 1), (ARABIC, 900, 1), (MARKUP, 400, 1), (EMOJI, 75, 0),
            )
        ],
        "active": ACTIVE,
        "problems": [
            {"condition": "failed", "text": "37 job(s) failed in the last 24 hours: 21 create_thumbnail, "
             "13 create_cards, 3 analyze_file. See select * from public.jobs where status = 'failed'"},
            {"condition": "schedule", "text": f"schedule {MARKUP}: its last 3 runs failed"},
        ],
        "at": datetime.now(UTC).isoformat(),
    }  # fmt: skip


def empty_overview(hours: int = 6) -> dict[str, Any]:
    """A project on its first day."""
    busy = overview(hours)
    nothing = {"done": 0, "failed": 0, "retried": 0, "crashed": 0, "p50_ms": None, "p95_ms": None}
    buckets = [{"at": bucket["at"]} | nothing for bucket in busy["history"]["buckets"]]
    calm = {"counts": dict.fromkeys(COUNTS, 0), "due": 0, "later": 0, "suspects": 0, "oldest_due_seconds": None,
            "expired_leases": 0, "cron_schedules": [], "recent_ticks": []}  # fmt: skip
    return busy | {
        "health": busy["health"] | calm,
        "history": busy["history"] | {"buckets": buckets},
        "by_type": [], "by_org": [], "active": [], "problems": [],
    }  # fmt: skip


FILES = [
    {"id": n + 1, "org_id": "acme", "bucket_id": "ingest", "path": path, "mime_type": "image/png", "size": 18_204_112,
     "status": status, "created_at": ago(90 * n), "title": title, "cards": cards, "thumbnail": thumbnail,
     "jobs": [{"id": 8001, "type": "create_cards", "status": status}]}
    for n, (path, status, title, cards, thumbnail) in enumerate((
        (f"acme/{MARKUP}.pdf", "failed", None, 0, False),
        ("acme/lake-at-dawn.jpg", "done", "A lake at dawn", 12, True),
        ("acme/" + "very-long-name-" * 16 + ".png", "done", "x" * 300, 1, True),
        (f"acme/{ARABIC}.png", "processing", ARABIC, 0, True),
        (f"acme/{EMOJI}.md", "waiting", EMOJI, 0, False),
        ("acme/plate-tectonics.md", "done", "Plate tectonics", 31, True),
    ))
]  # fmt: skip


def file_detail(number: int) -> dict[str, Any]:
    return FILES[number - 1] | {
        "analysis": {"title": FILES[number - 1]["title"], "language": "en", "topics": ["water", MARKUP, ARABIC],
                     "summary": f"A calm summary with {SCRIPT} in it, and a second sentence."},
        "thumbnails": [{"size": size, "bucket_id": "thumbnails", "path": f"{number}/{size}.webp", "width": size,
                        "height": size} for size in (256, 1024)],
        "cards": [{"id": n, "question": f"What is {MARKUP} number {n}?", "answer": f"It is text. {SCRIPT}"}
                  for n in range(1, 6)],
    }  # fmt: skip


OPERATIONS = [
    {"id": 30 - n, "at": ago(60 * n * n), "actor": actor, "action": action, "job_id": number, "details": details}
    for n, (actor, action, number, details) in enumerate((
        ("user admin@example.com (6f1)", "retry", 8001, {"status": "queued"}),
        (f"user {MARKUP}@example.com (x)", "pause", None, {"parameters": {"reason": f"{SCRIPT} deploying"}}),
        ("runner secret", "retry_failed", None, {"parameters": {"type": "create_cards"},
                                                  "result": {"retried": 13, "skipped": 0, "left": 0}}),
        ("cli ada@laptop", "cancel_jobs", None, {"parameters": {"org_id": LONG},
                                                 "result": {"cancelled": 4, "left": 0}}),
        (f"user {ARABIC}@example.com (y)", "tick", None, {}),
    ))
]  # fmt: skip
