"""From a local file to a row in `ingested_files`: the upload, and finding the file that it made."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console

from functions.cli import files
from functions.cli.connection import Connection
from functions.cli.naming import LocalFile
from functions.cli.rows import FileStatus
from functions.cli.terminal import Problem, command, shown

_APPEARS_WITHIN_SECONDS = 5.0


@dataclass(frozen=True)
class Upload:
    """A local file and the version of it that Supabase now holds."""

    file: LocalFile
    status: FileStatus


def upload_all(
    connection: Connection, bucket: str, local_files: Iterable[LocalFile], console: Console
) -> list[Upload]:
    """Uploads the files one after the other and finds the jobs that the storage trigger wrote."""
    uploads: list[Upload] = []
    with console.status("uploading") as spinner:
        for file in local_files:
            spinner.update(f"uploading {shown(file.name)}".replace("[", "\\["))
            version = connection.upload(bucket, file)
            uploads.append(Upload(file, _found(connection, bucket, file, version)))
    return uploads


def _found(connection: Connection, bucket: str, file: LocalFile, version: str | None) -> FileStatus:
    deadline = time.monotonic() + _APPEARS_WITHIN_SECONDS
    while True:
        status = files.status_of_upload(connection, bucket, file.path, version)
        if status is not None:
            return status
        if time.monotonic() > deadline:
            raise Problem(
                f"{file.name} was stored as {bucket}/{file.path}, but no job was written for it",
                f"Does an active row of ingest_routes match it? Failed ingests are shown by: {command('status')}",
            )
        time.sleep(0.2)
