"""When a handler need not run, because what it would find out is known."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from functions import log
from functions.errors import QueueUnavailable
from functions.object_store import ObjectStore
from functions.queue_rows import ContentResult, JobResult
from functions.repetition import TimeLeft
from handlers.contract import Context, FilePayload, Handler, Job, Reject, Reuse, Version
from tests.unit.fakes import FakeClock, client
from tests.unit.support import Anything, Output, claimed, runner_for

FILE = {"file_id": 1, "bucket": "ingest", "path": "acme/a.md", "version": "v1"}
OTHER_FILE = {"file_id": 2, "bucket": "ingest", "path": "acme/b.md", "version": "v7"}


class Known:
    """What `resolve_jobs` stored, and what the worker asks of it."""

    def __init__(self) -> None:
        self.results: dict[tuple[str, str, str, str], ContentResult] = {}
        self.error: Exception | None = None
        self.time_left = 0.0

    def find_content_result(
        self, org_id: str, job_type: str, sha256: str, version: str, *, time_left: TimeLeft | None = None
    ) -> ContentResult | None:
        if self.error:
            raise self.error
        assert time_left
        self.time_left = time_left()
        return self.results.get((org_id, job_type, sha256, version))

    def keep_content_result(
        self, org_id: str, job_type: str, sha256: str, version: str, output: Any, job_id: int
    ) -> None:
        self.results.setdefault(
            (org_id, job_type, sha256, version), ContentResult(job_id=job_id, output=output)
        )

    def store(self, org_id: str, result: JobResult) -> None:
        if result.content_sha256 and result.handler_version:
            key = (org_id, "work", result.content_sha256, result.handler_version)
            self.results.setdefault(key, ContentResult(job_id=result.job_id, output=result.output))


class Store(ObjectStore):
    """Storage in memory, which counts what is read from it."""

    def __init__(self, **objects: bytes) -> None:
        super().__init__(client(), max_bytes=1000)
        self.objects = {f"acme/{name}.md": data for name, data in objects.items()}
        self.reads: list[str] = []

    def download(self, _bucket: str, path: str) -> bytes:
        self.reads.append(path)
        return self.objects[path]

    def download_to(self, target: Path, bucket: str, path: str, **_: Any) -> None:
        target.write_bytes(self.download(bucket, path))


class World:
    """One organisation's storage and known results, and a handler that counts its runs."""

    def __init__(self, **objects: bytes) -> None:
        self.known = Known()
        self.storage = Store(**(objects or {"a": b"same", "b": b"same"}))
        self.runs = 0
        self.output: BaseModel = Output(value="found out")

    def handler(
        self,
        reuse: Reuse = "content",
        version: Version = "1",
        payload: type[BaseModel] = FilePayload,
        use: Callable[[Job[Any], Context], object] = lambda *_: None,
    ) -> Handler:
        def work(job: Job[Any], context: Context) -> Output:
            self.runs += 1
            use(job, context)
            return self.output  # type: ignore[return-value]

        return Handler("work", work, payload, 60, reuse, version)

    def run(
        self, handler: Handler, payload: Mapping[str, Any] = FILE, job_id: int = 1, **changes: Any
    ) -> JobResult:
        clock = FakeClock()
        runner = runner_for(handler, clock, store=self.storage, known=self.known)
        job = claimed(job_id, payload=payload, **changes)
        result = runner.attempt(job, tick_ends=clock.now() + 45).run()
        if not result.reused_from:
            self.known.store(job.org_id or "", result)
        return result


def test_the_same_bytes_under_another_name_are_not_worked_on_again() -> None:
    world = World()
    first = world.run(world.handler())
    second = world.run(world.handler(), OTHER_FILE, job_id=2)
    assert (world.runs, second.outcome, second.output) == (1, "done", first.output)
    assert (second.reused_from, second.content_sha256) == (1, None)
    assert 0 < world.known.time_left <= 5


def test_another_organisation_never_gets_the_result() -> None:
    world = World()
    world.run(world.handler())
    assert world.run(world.handler(), org_id="globex").reused_from is None
    assert world.runs == 2


def test_other_bytes_are_worked_on() -> None:
    world = World(a=b"one", b=b"another")
    world.run(world.handler())
    assert world.run(world.handler(), OTHER_FILE).reused_from is None


def test_a_new_version_of_the_handler_runs_again() -> None:
    world = World()
    world.run(world.handler(version="1"))
    world.run(world.handler(version="2"))
    world.run(world.handler(version=lambda file, _: f"2 {file.path}"))
    world.run(world.handler(version=lambda file, _: f"2 {file.path}"))
    assert world.runs == 3


class Question(FilePayload):
    language: str = "en"


def test_what_else_the_payload_asks_for_counts_and_what_the_model_ignores_does_not() -> None:
    world = World()
    for extra in ({}, {"language": "fr"}, {"language": "en", "unknown": 1}):
        world.run(world.handler(payload=Question), FILE | extra)
    assert world.runs == 2


def test_a_version_is_never_longer_than_the_database_takes() -> None:
    world = World()
    result = world.run(world.handler(version="x" * 300))
    assert len(result.handler_version or "") == 64


def content_of(seen: bytes | Path) -> bytes:
    return seen if isinstance(seen, bytes) else seen.read_bytes()


@pytest.mark.parametrize("ask", ["download", "download_to_file"])
def test_the_file_is_read_once_whichever_way_the_handler_asks_for_it(ask: str) -> None:
    def use(_: Any, context: Context) -> None:
        seen.append(content_of(getattr(context, ask)("ingest", "acme/a.md")))

    world, seen = World(), list[bytes]()
    world.run(world.handler(use=use))
    assert (seen, world.storage.reads) == ([b"same"], ["acme/a.md"])


def test_a_file_that_the_handler_asks_for_twice_or_that_is_another_one_is_read_for_it() -> None:
    def use(_: Any, context: Context) -> None:
        paths = [context.download_to_file("ingest", f"acme/{name}.md") for name in "aab"]
        assert len(set(paths)) == 3
        assert [path.read_bytes() for path in paths] == [b"same"] * 3

    world = World()
    assert world.run(world.handler(use=use)).outcome == "done"
    assert world.storage.reads == ["acme/a.md", "acme/a.md", "acme/b.md"]


def test_the_handlers_own_limit_holds_for_the_copy_too() -> None:
    world = World()
    handler = world.handler(
        use=lambda _, context: context.download_to_file("ingest", "acme/a.md", max_bytes=3)
    )
    result = world.run(handler)
    assert (result.outcome, "larger than the limit" in (result.error or "")) == ("failed", True)


def test_the_same_outputs_of_the_parents_are_not_worked_on_again() -> None:
    world = World()
    handler = world.handler("parents", payload=Anything)
    parents: list[dict[str, Any]] = [
        {"a": {"x": 1, "y": 2}},
        {"a": {"y": 2, "x": 1}},
        {"a": {"x": 1, "y": 3}},
    ]
    reused = [world.run(handler, {}, parents=outputs).reused_from for outputs in parents]
    assert reused == [None, 1, None]
    assert world.storage.reads == []


class Poorer(Output):
    degraded: bool = True


def test_a_result_that_is_poorer_than_it_could_be_is_not_kept() -> None:
    world = World()
    world.output = Poorer()
    result = world.run(world.handler())
    assert (result.outcome, result.content_sha256, result.handler_version) == ("done", None, None)


def test_only_what_was_found_out_is_kept() -> None:
    def refuse(*_: Any) -> None:
        raise Reject("damaged")

    world = World()
    assert world.run(world.handler(use=refuse)).content_sha256 is None


def test_trouble_with_the_asking_does_not_cost_the_job_anything() -> None:
    log.configure(stream=io.StringIO())
    world = World()
    world.run(world.handler())
    world.known.error = QueueUnavailable("down")
    assert world.run(world.handler(), OTHER_FILE).outcome == "done"
    assert world.runs == 2


def test_a_stored_result_that_is_no_output_of_todays_handler_is_left_alone() -> None:
    class Stricter(BaseModel):
        pages: int

    def work(job: Job[FilePayload], context: Context) -> Stricter:
        return Stricter(pages=2)

    work.__annotations__["return"] = Stricter  # a local class
    log.configure(stream=io.StringIO())
    world = World()
    world.run(world.handler())
    result = world.run(Handler("work", work, FilePayload, 60, "content", "1"))
    assert (result.output, result.reused_from) == ({"pages": 2}, None)


def test_a_handler_that_reuses_nothing_asks_for_nothing() -> None:
    world = World()
    world.known.error = AssertionError("it asked")
    result = world.run(Handler("work", lambda *_: Output(), FilePayload, 60))
    assert (result.outcome, result.content_sha256, world.storage.reads) == ("done", None, [])
