"""What became of files, read from the tables: the queries behind the progress, the tables and the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from functions.cli.connection import Connection
from functions.cli.rows import (
    Analysis,
    Card,
    DeadLetter,
    ExportedCard,
    FileResult,
    FileStatus,
    JobError,
    JobRow,
    JobRun,
    PutBack,
    Row,
    Thumbnail,
)

_IDS_PER_REQUEST = 100  # keeps the request line short enough for every proxy

_TAKEN_AWAY = ("removed_at", "gone_at")  # null for every card that shows

Model = TypeVar("Model", bound=Row)
CardRow = TypeVar("CardRow", Card, ExportedCard)


def statuses(connection: Connection, file_ids: Iterable[int]) -> dict[int, FileStatus]:
    """The files' status by id. A file that was overwritten or deleted is not among them."""
    found = list(_of(connection, "file_status", FileStatus, sorted(file_ids), ["file_id"]))
    return {row.file_id: row for row in _for_operators(connection, found)}


def status_of_upload(
    connection: Connection, bucket: str, path: str, version: str | None
) -> FileStatus | None:
    """The file that an upload made: by its version, or the current one at that path when it is unknown."""
    where = {"bucket_id": bucket, "path": path} | ({"version": version} if version else {})
    found = connection.rows("file_status", _columns(FileStatus), where, ["-file_id"], limit=1)
    return next(iter(_for_operators(connection, [FileStatus.model_validate(row) for row in found])), None)


def recent(connection: Connection, count: int) -> list[FileStatus]:
    """The newest files, newest first."""
    found = connection.rows("file_status", _columns(FileStatus), {}, ["-file_id"], limit=count)
    return _for_operators(connection, [FileStatus.model_validate(row) for row in found])


def _for_operators(connection: Connection, found: Sequence[FileStatus]) -> list[FileStatus]:
    """The files with the errors of their jobs as the handlers raised them: the view has those for the owners."""
    ids = [job.job_id for status in found for job in status.jobs if job.error]
    errors = {row.id: row.last_error for row in _of(connection, "jobs", JobError, ids, ["id"], column="id")}
    return [
        status.model_copy(
            update={
                "jobs": [
                    job.model_copy(update={"error": errors.get(job.job_id) or job.error})
                    for job in status.jobs
                ]
            }
        )
        for status in found
    ]


def dead_letters(connection: Connection, count: int) -> list[DeadLetter]:
    """The latest failed jobs, newest first, with the file that they were about."""
    columns = f"{_columns(DeadLetter)},file:ingested_files(bucket_id,path)"
    where = {"status": "failed"}
    found = connection.rows("jobs", columns, where, ["-completed_at", "-id"], limit=count)
    return [DeadLetter.model_validate(row) for row in found]


def put_back(connection: Connection, count: int) -> list[PutBack]:
    """Queued jobs that carry an error, the next one to run first."""
    columns = f"{_columns(PutBack)},file:ingested_files(bucket_id,path)"
    where = {"status": "queued"}
    found = connection.rows("jobs", columns, where, ["run_at", "id"], limit=count, present="last_error")
    return [PutBack.model_validate(row) for row in found]


def results(connection: Connection, found: Sequence[FileStatus]) -> list[FileResult]:
    """Analysis, thumbnails, cards and times of these files, in their order."""
    ids = [status.file_id for status in found]
    analyses = analyses_of_files(connection, ids)
    thumbnails = thumbnails_of_files(connection, ids)
    cards = cards_of_files(connection, Card, ids)
    jobs = _by_file(_of(connection, "jobs", JobRow, ids, ["id"]))
    job_ids = [job.id for of_file in jobs.values() for job in of_file]
    runs: defaultdict[int, list[JobRun]] = defaultdict(list)
    for run in _of(connection, "job_runs", JobRun, job_ids, ["id"], column="job_id"):
        runs[run.job_id].append(run)
    return [
        FileResult(
            status=status,
            analysis=next(iter(analyses[status.file_id]), None),
            thumbnails=thumbnails[status.file_id],
            cards=cards[status.file_id],
            jobs=jobs[status.file_id],
            runs={job.id: runs[job.id] for job in jobs[status.file_id]},
        )
        for status in found
    ]


def cards_of_files(
    connection: Connection, model: type[CardRow], file_ids: Sequence[int]
) -> defaultdict[int, list[CardRow]]:
    """The cards of each file in their order, without those that a person or a newer version took away."""
    order = ["file_id", "position", "id"]
    return _by_file(_of(connection, "cards", model, file_ids, order, absent=_TAKEN_AWAY))


def thumbnails_of_files(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[Thumbnail]]:
    """The pictures of each file, the smallest first."""
    return _by_file(_of(connection, "thumbnails", Thumbnail, ids, ["file_id", "width", "id"]))


def analyses_of_files(connection: Connection, ids: Sequence[int]) -> defaultdict[int, list[Analysis]]:
    """The analysis of each file, if there is one."""
    return _by_file(_of(connection, "file_analyses", Analysis, ids, ["file_id"]))


def of_organisation(connection: Connection, org_id: str) -> list[FileStatus]:
    """The current files of an organisation, by path."""
    found = connection.rows("file_status", _columns(FileStatus), {"org_id": org_id}, ["path", "file_id"])
    return [FileStatus.model_validate(row) for row in found]


def _of(
    connection: Connection,
    table: str,
    model: type[Model],
    ids: Sequence[int],
    order: Sequence[str],
    column: str = "file_id",
    absent: Sequence[str] = (),
) -> Iterator[Model]:
    for start in range(0, len(ids), _IDS_PER_REQUEST):
        some = ids[start : start + _IDS_PER_REQUEST]
        for row in connection.rows(table, _columns(model), {column: some}, order, absent=absent):
            yield model.model_validate(row)


def _columns(model: type[Row]) -> str:
    return ",".join(name for name, field in model.model_fields.items() if not field.exclude)


FileRow = TypeVar("FileRow", Analysis, Thumbnail, Card, ExportedCard, JobRow)


def _by_file(rows: Iterable[FileRow]) -> defaultdict[int, list[FileRow]]:
    grouped: defaultdict[int, list[FileRow]] = defaultdict(list)
    for row in rows:
        grouped[row.file_id].append(row)
    return grouped
