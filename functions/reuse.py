"""What a handler found out about some content is not worked out twice: `@handler(reuse=…)`.

Before the handler runs, the runner asks the queue for the result that the same handler stored for the same
content, within the organisation. Found: that is the output. Not found: the handler runs, and its result
is stored under the key when it is resolved. Whatever goes wrong with the asking, the handler runs.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError

from functions import log
from functions.context import JobContext
from functions.errors import CrontickError
from functions.kept_values import ContentResults
from functions.queue_rows import ContentResult
from functions.redact import message_of
from handlers.contract import FilePayload, Handler, Job
from handlers.settings import HandlerSettings

_LONGEST_VERSION = 200  # what the database takes
_LOOKUP_SECONDS = 5.0  # longer than that is no saving


@dataclass(frozen=True)
class ContentKey:
    """What a result depends on, but for the organisation and the type."""

    sha256: str
    version: str


def content_key(handler: Handler, job: Job[Any], context: JobContext) -> ContentKey | None:
    """The key of a job's content; None where the handler reuses nothing.

    Reads the file for it, once: the handler gets the same copy. What it raises is an outcome of the job.
    """
    if handler.reuse is None:
        return None
    if handler.reuse == "content":
        source = context.keep_file(job.payload.bucket, job.payload.path)
        sha256 = _sha256_of_file(source)
    else:
        sha256 = _sha256_of_json(dict(job.parents))
    return ContentKey(sha256, _version(handler, job.payload, context.settings))


def stored_output(
    results: ContentResults, handler: Handler, job: Job[Any], key: ContentKey, context: JobContext
) -> ContentResult | None:
    """The stored result, unless there is none, it cannot be had, or it is no output of today's handler."""
    seconds = min(context.seconds_left(), _LOOKUP_SECONDS)
    ends = context.clock.now() + seconds
    try:
        found = results.find_content_result(
            job.org_id, job.type, key.sha256, key.version, time_left=lambda: ends - context.clock.now()
        )
        if found is not None:
            _check(handler, found.output)
    except (CrontickError, ValidationError) as error:
        log.warning("reuse_failed", job_id=job.id, type=job.type, error=message_of(error))
        return None
    return found


def is_storable(output: BaseModel) -> bool:
    """A result that says it is poorer than it could be is not kept for others."""
    return not getattr(output, "degraded", False)


def _check(handler: Handler, output: Any) -> None:
    model = get_type_hints(handler.function).get("return")
    if isinstance(model, type) and issubclass(model, BaseModel):
        model.model_validate(output)


def _version(handler: Handler, payload: BaseModel, settings: HandlerSettings) -> str:
    """The handler's own version and a hash of what it is asked for besides the content."""
    version = handler.version(payload, settings) if callable(handler.version) else handler.version
    of_the_file = set(FilePayload.model_fields) if isinstance(payload, FilePayload) else set()
    asked = payload.model_dump(mode="json", exclude=of_the_file)
    text = f"{version} {_sha256_of_json(asked)[:16]}" if asked else version
    return text if len(text) <= _LONGEST_VERSION and text.isprintable() else _sha256_of_json(text)


def _sha256_of_file(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256_of_json(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
