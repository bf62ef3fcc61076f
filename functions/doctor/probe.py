"""A scratch file is uploaded, followed to its jobs (and, if wanted, to their end), and removed with all its traces."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import httpx
from postgrest.exceptions import APIError

from functions.doctor.facts import Route
from functions.doctor.findings import Check, Finding, Verdict, broken, note, ok, warning
from functions.doctor.look import Seen
from functions.errors import CrontickError
from functions.operators_queue import OperatorsQueue
from functions.redact import message_of, redact
from functions.supabase_client import SupabaseClient

ORG = "crontick-doctor"
_KINDS = (  # what a route may take: extension, MIME type, bytes
    (
        "txt",
        "text/plain",
        b"The moon goes around the earth in 27 days. This file is a probe of crontick doctor.\n",
    ),
    ("md", "text/markdown", b"# Probe\n\nThe moon goes around the earth in 27 days.\n"),
)
_POLL_SECONDS = 0.5
_ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class _Upload:
    bucket: str
    path: str
    mime_type: str
    content: bytes


@dataclass
class Probe:
    """One probe. `wait_seconds`: how long its jobs may take to end; 0 does not wait for them."""

    seen: Seen
    client: SupabaseClient
    wait_seconds: float = 0.0
    sleep: Callable[[float], None] = time.sleep

    def findings(self) -> list[Finding]:
        return Check("upload", Probe._verdicts).findings("probe", self)

    def _verdicts(self) -> Iterator[Verdict]:
        routes = [route for route in self.seen.known().routes.get() if route.active]
        upload = _chosen(routes)
        if upload is None:
            yield note("no active route takes a text file under crontick-doctor/: nothing was uploaded")
            return
        try:
            yield from self._follow(upload)
        except (httpx.HTTPError, APIError, CrontickError) as error:
            yield broken(f"the probe got lost: {redact(message_of(error))}", "crontick doctor")
        finally:
            left = self._remove(upload)
        if left:
            yield warning(f"the probe left traces: {left}", f"Remove {upload.bucket}/{upload.path} by hand.")

    def _follow(self, upload: _Upload) -> Iterator[Verdict]:
        answer = self.client.upload(upload.bucket, upload.path, upload.content, upload.mime_type)
        if not answer.is_success:
            yield broken(
                f"Storage refuses {upload.bucket}/{upload.path}: {redact(answer.text[:300])}",
                "Does a trigger or a policy of yours on storage.objects raise?",
            )
            return
        files = self._rows("ingested_files", "id", "path", upload.path)
        if not files:
            yield broken(
                "the upload was stored, and no row of ingested_files was made",
                "select * from public.ingest_failures order by created_at desc;\ncrontick doctor --only storage",
            )
            return
        jobs = self._jobs(files[0]["id"])
        if not jobs:
            yield broken(
                "the upload was seen, and no job was made",
                "select * from public.ingest_failures order by created_at desc;",
            )
            return
        yield ok(f"an upload to {upload.bucket} makes {', '.join(sorted(job['type'] for job in jobs))}")
        if self.wait_seconds:
            yield self._awaited(files[0]["id"])

    def _awaited(self, file_id: int) -> Verdict:
        started = time.monotonic()
        while True:
            jobs = self._jobs(file_id)
            seconds = time.monotonic() - started
            states = ", ".join(f"{job['type']} {job['status']}" for job in jobs)
            if all(job["status"] in _ENDED for job in jobs):
                break
            if seconds > self.wait_seconds:
                return broken(
                    f"after {seconds:.0f} s not all of its jobs have ended: {states}",
                    "crontick doctor --only worker",
                )
            self.sleep(_POLL_SECONDS)
        failed = [job for job in jobs if job["status"] != "done"]
        if failed:
            said = redact(str(failed[0]["last_error"] or "no reason given"))
            return warning(f"its jobs ended as {states}: {said}", "crontick status")
        return ok(f"its jobs were worked off in {seconds:.0f} s")

    def _jobs(self, file_id: int) -> list[dict[str, Any]]:
        return self._rows("jobs", "type,status,last_error", "file_id", file_id)

    def _rows(self, table: str, columns: str, column: str, value: object) -> list[dict[str, Any]]:
        answer = self.client.rest.from_(table).select(columns).eq(column, value).execute()
        return cast("list[dict[str, Any]]", answer.data)

    def _remove(self, upload: _Upload) -> str:
        """Takes away the object, what was made of it and the rows; says what did not work."""
        try:
            files = self._rows("ingested_files", "id", "path", upload.path)
            pictures = [row for file in files for row in self._rows("thumbnails", "*", "file_id", file["id"])]
            self.client.remove(upload.bucket, [upload.path]).raise_for_status()
            for picture in pictures:
                self.client.remove(picture["bucket_id"], [picture["path"]]).raise_for_status()
            OperatorsQueue(self.client).forget_probe(upload.path)
        except (httpx.HTTPError, APIError, CrontickError) as error:
            return redact(message_of(error))
        return ""


def _chosen(routes: list[Route]) -> _Upload | None:
    for route in routes:
        for extension, mime_type, content in _KINDS:
            path = f"{ORG}/probe-{uuid.uuid4().hex}.{extension}"
            if _is_like(path, route.path_pattern) and _is_like(mime_type, route.mime_pattern):
                return _Upload(route.bucket, path, mime_type, content)
    return None


def _is_like(text: str, pattern: str) -> bool:
    """SQL's LIKE."""
    parts = {"%": ".*", "_": "."}
    with suppress(re.error):
        return re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), text, re.DOTALL) is not None
    return False
