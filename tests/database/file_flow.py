"""The flow of an uploaded file, resolved as a worker would, with cards that the test chooses."""

from __future__ import annotations

from tests.database.queue import Queue, Row


def run_flow(queue: Queue, cards: list[Row], title: str = "Rivers") -> None:
    """Resolves all three jobs of the current file."""
    outputs: dict[str, Row] = {
        "analyze_file": {
            "kind": "text",
            "mime_type": "text/plain",
            "title": title,
            "topics": ["water"],
            "key_terms": ["delta", "source"],
            "content": [{"text": "A delta is …", "page": 1, "time_s": None}],
            "notes": [],
            "provider": "offline",
        },
        "create_thumbnail": {
            "thumbnails": [
                {
                    "bucket": "thumbnails",
                    "path": "acme/1/v/256.webp",
                    "width": 256,
                    "height": 192,
                    "bytes": 900,
                    "size": 256,
                }
            ],
            "placeholder": "abc",
            "width": 1600,
            "height": 1200,
        },
        "create_cards": {"cards": cards},
    }
    while claimed := queue.claim():
        for job in claimed:
            assert queue.resolve_one(job, output=outputs[job["type"]])["verdict"] == "ok"


def card(key: str, front: str = "What is a delta?", back: str = "Where a river ends.") -> Row:
    return {
        "key": key,
        "type": "basic",
        "front": front,
        "back": back,
        "hint": None,
        "tags": ["water"],
        "source": {"page": 1, "time_s": None, "quote": "A delta is …"},
        "difficulty": 0.25,
        "confidence": 0.5,
    }
