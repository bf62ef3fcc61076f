"""For the tests of handlers, yours and ours: a context without Supabase, and jobs to give to it.

    context = FakeContext(tmp_path, objects={"ingest/acme/note.txt": b"Hello."})
    output = my_handler(file_job("my_handler", "acme/note.txt"), context)
    assert context.uploads["thumbnails/acme/1/v1/256.webp"].content_type == "image/webp"

Storage is a dictionary, and what a handler did to it can be read off the context afterwards.

A decoder's answer is either given (`decoded={"handlers.media.ocr:read": {"available": False}}`), or the
real decoder runs on the file, in this process and without limits.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import Any

from handlers.contract import Decoded, FilePayload, Job, Model, Payload, Reject
from handlers.media.refused import Refused
from handlers.settings import HandlerSettings


@dataclass(frozen=True)
class Upload:
    """What a handler stored."""

    data: bytes
    content_type: str


@dataclass
class FakeContext:
    """The world as a handler sees it (`handlers.contract.Context`), and what the handler did to it."""

    folder: Path
    objects: dict[str, bytes] = field(default_factory=dict)  # "bucket/path" -> content
    parents: dict[str, Any] = field(default_factory=dict)  # job type or ref -> output, as JSON or a model
    decoded: Mapping[str, dict[str, Any] | Decoded | Exception] = field(default_factory=dict)
    seconds: float = 60.0
    uploads: dict[str, Upload] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)  # "bucket/path", in the order of the calls
    progress_reports: list[tuple[float, str]] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    decoder_calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    settings: HandlerSettings = field(default_factory=HandlerSettings)
    is_last_attempt: bool = False
    trace_parent: str | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    def seconds_left(self) -> float:
        return self.seconds

    def progress(self, done: float, note: str = "") -> None:
        self.progress_reports.append((done, note))

    def report_cost(self, amount: float) -> None:
        self.costs.append(amount)

    def download(self, bucket: str, path: str) -> bytes:
        try:
            return self.objects[f"{bucket}/{path}"]
        except KeyError:
            raise Reject("the file does not exist any more") from None

    def download_to_file(self, bucket: str, path: str, *, max_bytes: int | None = None) -> Path:
        data = self.download(bucket, path)
        if max_bytes is not None and len(data) > max_bytes:
            raise Reject(f"the file is larger than {max_bytes} bytes")
        target = Path(mkdtemp(dir=self.folder)) / f"source{PurePosixPath(path).suffix}"
        target.write_bytes(data)
        return target

    def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> None:
        self.uploads[f"{bucket}/{path}"] = Upload(data, content_type)

    def remove(self, bucket: str, paths: Sequence[str]) -> None:
        for path in paths:
            self.objects.pop(f"{bucket}/{path}", None)
            self.removed.append(f"{bucket}/{path}")

    def recall(self, key: str) -> Any:
        return self.kept.get(key)

    def keep(self, key: str, value: Any) -> None:
        self.kept.setdefault(key, value)

    def decode(
        self,
        decoder: str,
        source: Path,
        *,
        memory_mb: int | None = None,
        seconds: float | None = None,
        **options: Any,
    ) -> Decoded:
        self.decoder_calls.append((decoder, {"memory_mb": memory_mb, "seconds": seconds, **options}))
        answer = self.decoded.get(decoder)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Decoded):
            return answer
        if answer is not None:
            return Decoded(facts=answer, files={})
        return self._really_decode(decoder, source, options)

    def parent(self, name: str, model: type[Model]) -> Model:
        if name not in self.parents:
            raise Reject(f"this job did not wait for {name}: enqueue it with `after`")
        output = self.parents[name]
        return output if isinstance(output, model) else model.model_validate(output)

    def _really_decode(self, decoder: str, source: Path, options: Mapping[str, Any]) -> Decoded:
        module, function = decoder.split(":")
        folder = Path(mkdtemp(dir=self.folder))
        try:
            facts = getattr(importlib.import_module(module), function)(source, folder, **options)
        except Refused as error:
            raise Reject(str(error)) from None
        return Decoded(facts=facts, files={path.name: path.read_bytes() for path in folder.iterdir()})


def job_with(job_type: str, payload: Payload, *, org_id: str = "acme", job_id: int = 1) -> Job[Payload]:
    """The first attempt at a job that somebody enqueued with this payload."""
    return Job(job_id, org_id, job_type, payload, attempts=1, max_attempts=3, parents={})


def file_job(job_type: str, path: str = "acme/file.bin", **payload: Any) -> Job[FilePayload]:
    """The job that the storage trigger writes when an object is uploaded to `path`."""
    values: dict[str, Any] = {"file_id": 1, "bucket": "ingest", "path": path, "version": "v1", **payload}
    return job_with(job_type, FilePayload(**values), org_id=path.split("/")[0])
