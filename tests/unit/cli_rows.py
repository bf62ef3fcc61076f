"""Rows as the tables would return them, for the tests of the commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from functions.cli.decks import Deck
from functions.cli.rows import Analysis, Card, ExportedCard, FileJob, FileResult, FileStatus, JobRow, JobRun

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def job(job_id: int = 1, **changes: Any) -> FileJob:
    return FileJob.model_validate({"job_id": job_id, "type": "analyze_file", "status": "done"} | changes)


def file_status(file_id: int = 1, **changes: Any) -> FileStatus:
    row = {
        "file_id": file_id,
        "org_id": "demo",
        "bucket_id": "ingest",
        "path": "demo/a.pdf",
        "version": "v1",
        "status": "done",
        "created_at": START,
    }
    return FileStatus.model_validate(row | changes)


def job_row(job_id: int = 1, **changes: Any) -> JobRow:
    row = {"id": job_id, "file_id": 1, "type": "analyze_file", "created_at": START, "run_at": START}
    return JobRow.model_validate(row | changes)


def run(start: float, end: float, outcome: str = "done", job_id: int = 1) -> JobRun:
    return JobRun(job_id=job_id, attempt=1, outcome=outcome, started_at=at(start), finished_at=at(end))


def card(**changes: Any) -> Card:
    return Card.model_validate(
        {"file_id": 1, "type": "basic", "front": "What is ice?", "back": "frozen water"} | changes
    )


def result(runs: Sequence[JobRun] = (), cards: Sequence[Card] = (), **changes: Any) -> FileResult:
    """A file with one job; `changes` are the file's own."""
    return FileResult(
        status=file_status(jobs=[job()], **changes),
        analysis=Analysis(file_id=1, kind="pdf", title="Ice", summary="About ice."),
        cards=list(cards),
        jobs=[job_row()],
        runs={1: list(runs)},
    )


def exported(number: int = 1, **changes: Any) -> ExportedCard:
    row = {
        "id": UUID(int=number),
        "file_id": 1,
        "type": "basic",
        "front": f"What is ice {number}?",
        "back": "frozen water",
        "tags": ["ice"],
        "source": {"page": 2, "quote": "Ice is frozen water."},
        "due": START,
        "created_at": START,
        "updated_at": START,
        "position": number,
    }
    return ExportedCard.model_validate(row | changes)


def deck_of(*cards: ExportedCard, picture: bytes | None = None, **changes: Any) -> Deck:
    return Deck(file_status(**changes), "Ice", cards or (exported(),), picture=picture)
