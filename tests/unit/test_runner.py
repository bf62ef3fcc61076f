"""What an attempt comes to, whatever its handler does."""

from __future__ import annotations

import io
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions import log
from functions.context import JobContext
from functions.queue_rows import ClaimedJob, JobResult
from functions.runner import Attempt
from handlers.contract import Context, FilePayload, Handler, Job, Reject, Retry, Snooze
from tests.unit.fakes import FakeClock
from tests.unit.support import Output, claimed, doing, handler_of, runner_for


def attempt_at(job: ClaimedJob, handler: Handler, clock: FakeClock | None = None) -> Attempt:
    clock = clock or FakeClock()
    return runner_for(handler, clock).attempt(job, tick_ends=clock.now() + 45)


def run(handler: Handler, **changes: Any) -> JobResult:
    return attempt_at(claimed(**changes), handler).run()


def raising(error: BaseException) -> Handler:
    def fail(*_: Any) -> Output:
        raise error

    return handler_of(fail)


def test_what_a_handler_returns_is_the_output_as_json() -> None:
    result = run(doing(lambda: {"when": Path("a/b")}))
    assert (result.outcome, result.output, result.error) == ("done", {"value": {"when": "a/b"}}, None)


def test_the_output_is_freed_of_what_jsonb_refuses() -> None:
    assert run(doing(lambda: ["a\x00b", float("nan")])).output == {"value": ["ab", None]}


def test_the_handler_gets_the_job_as_it_was_claimed_with_a_typed_payload() -> None:
    seen: list[Job[Any]] = []

    def look(job: Job[Any], _: Context) -> Output:
        seen.append(job)
        return Output()

    payload = {"file_id": 3, "bucket": "ingest", "path": "acme/a.png", "version": "v", "unknown": 1}
    result = attempt_at(
        claimed(9, payload=payload, attempts=2, parents={"analyze_file": {"title": "A"}}),
        handler_of(look, payload=FilePayload),
    ).run()
    assert result.outcome == "done"
    job = seen[0]
    assert (job.id, job.org_id, job.attempts, job.parents["analyze_file"]["title"]) == (9, "acme", 2, "A")
    assert job.payload == FilePayload(file_id=3, bucket="ingest", path="acme/a.png", version="v")


@pytest.mark.parametrize(
    ("error", "outcome", "text", "retry_in"),
    [
        (Reject("the file is damaged"), "failed", "the file is damaged", None),
        (Retry("busy", after=30), "retry", "busy", 30),
        (Retry("busy", after=timedelta(minutes=2)), "retry", "busy", 120),
        (Retry("busy"), "retry", "busy", None),
        (Snooze("at night", seconds=3600), "snooze", "at night", 3600),
        (Snooze("at noon", seconds=timedelta(hours=2)), "snooze", "at noon", 7200),
        (Snooze("at once", seconds=0), "snooze", "at once", 1),
        (ValueError("no digit"), "retry", "ValueError: no digit", None),
        (SystemExit(3), "retry", "SystemExit: 3", None),
    ],
    ids=lambda value: repr(value),
)
def test_what_a_handler_raises_is_its_outcome(
    error: BaseException, outcome: str, text: str, retry_in: float | None
) -> None:
    result = run(raising(error))
    assert (result.outcome, result.error, result.retry_in) == (outcome, text, retry_in)


def test_only_a_rejection_tells_the_files_owner_why_and_without_secrets() -> None:
    result = run(raising(Reject("no text in https://x.test/f?token=hidden")))
    assert result.public_error == result.error == "no text in https://x.test/f?..."
    for error in (Retry("busy"), Snooze("later", seconds=1), ValueError("internals")):
        assert run(raising(error)).public_error is None


def test_how_a_job_was_enqueued_is_nothing_for_the_files_owner() -> None:
    assert run(handler_of(lambda *_: Output(), payload=FilePayload)).public_error is None
    assert run(doing(lambda: 1), org_id=None).public_error is None
    assert run(handler_of(lambda _, context: context.parent("analyze_file", Output))).public_error is None


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_an_exception_that_cannot_be_printed_has_an_outcome_all_the_same() -> None:
    log.configure(stream=io.StringIO())
    result = run(raising(UnprintableError()))
    assert (result.outcome, result.error) == (
        "retry",
        "UnprintableError: (an exception that cannot be printed)",
    )


def test_an_outcome_that_was_tampered_with_is_an_error_of_the_handler() -> None:
    snooze = Snooze("later", seconds=1)
    snooze.seconds = "soon"  # type: ignore[assignment]
    assert run(raising(snooze)).outcome == "retry"


def test_a_private_folder_that_cannot_be_removed_does_not_cost_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(JobContext, "close", lambda _: 1 / 0)
    assert run(doing(lambda: 1)).outcome == "done"


def test_a_model_that_a_handler_could_not_build_tells_its_fields_but_not_the_files_content() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    card = str(2**32)  # a traceback shows the lines of the source

    def build(*_: Any) -> Output:
        FilePayload.model_validate({"file_id": f"no {card}", "bucket": {"card": card}})
        return Output()

    error = run(handler_of(build)).error or ""
    assert error.startswith("ValidationError: file_id: ")
    assert card not in error + stream.getvalue()
    assert '"stack_trace"' in stream.getvalue()


@pytest.mark.parametrize(("ran", "outcome"), [(22, "release"), (23, "retry"), (44, "retry")])
def test_a_job_that_had_half_of_a_ticks_budget_is_charged_when_the_tick_ends(
    ran: float, outcome: str
) -> None:
    clock = FakeClock()
    attempt = attempt_at(claimed(), doing(lambda: 1), clock)
    clock.advance(ran)
    assert attempt.give_up(stopping=False, budget=45).outcome == outcome


def test_an_error_carries_no_signed_url_and_is_cut() -> None:
    error = run(raising(RuntimeError("GET https://x.test/f?token=secret " + "x" * 5000))).error or ""
    assert "secret" not in error
    assert len(error) == 2000


def test_a_payload_that_does_not_fit_fails_with_the_fields_named() -> None:
    result = run(
        handler_of(lambda *_: Output(), payload=FilePayload), payload={"file_id": "x", "bucket": "b"}
    )
    assert result.outcome == "failed"
    for field in ("file_id", "path", "version"):
        assert f"{field}: " in (result.error or "")
    assert "bucket" not in (result.error or "")


@pytest.mark.parametrize("org_id", [None, "", "  "])
def test_a_job_without_an_organisation_fails(org_id: str | None) -> None:
    result = run(doing(lambda: 1), org_id=org_id)
    assert (result.outcome, result.error) == (
        "failed",
        "the job has no organisation: enqueue it with org_id",
    )


def test_a_type_without_a_handler_is_put_back_uncharged_with_a_clear_error() -> None:
    result = run(doing(lambda: 1), type="tomorrows_type")
    assert (result.outcome, result.retry_in) == ("snooze", 60)
    assert "tomorrows_type" in (result.error or "")


def test_an_output_that_is_no_model_is_an_error_of_the_handler() -> None:
    result = run(handler_of(lambda *_: {"a": 1}))
    assert (result.outcome, "returned dict" in (result.error or "")) == ("retry", True)


def test_the_time_it_took_is_measured() -> None:
    clock = FakeClock()
    assert attempt_at(claimed(), doing(lambda: clock.advance(1.5)), clock).run().duration_ms == 1500


def test_the_private_folder_is_gone_afterwards(tmp_path: Path) -> None:
    folders: list[Path] = []

    def use_folder(_: Any, context: Any) -> Output:
        context._store.download_to = lambda target, *_, **__: target.write_bytes(b"x")
        folders.append(context.download_to_file("ingest", "acme/a.png").parent)
        assert folders[0].is_dir()
        raise Reject("whatever")

    run(handler_of(use_folder))
    assert not folders[0].exists()


def test_a_job_sees_the_earlier_of_its_timeout_and_the_ticks_end() -> None:
    clock = FakeClock()
    runner = runner_for(
        handler_of(lambda _, context: Output(value=context.seconds_left()), timeout=60), clock
    )
    tick_ends = clock.now() + 45
    assert runner.attempt(claimed(), tick_ends=tick_ends).run().output == {"value": 45}
    assert runner.attempt(claimed(timeout_seconds=5), tick_ends=tick_ends).run().output == {"value": 5}


def test_an_attempt_that_was_given_up_ends_at_its_next_call_of_the_context() -> None:
    def hang(_: Any, context: Context) -> Output:
        attempt.give_up(stopping=True, budget=45)
        context.progress(0.5)
        raise AssertionError("it went on")

    attempt = attempt_at(claimed(), handler_of(hang))
    assert attempt.run().outcome == "release"


def test_an_exception_is_kept_for_observers_without_what_the_handler_had_in_memory() -> None:
    def fail(*_: Any) -> Output:
        content = b"x" * 100
        try:
            raise LookupError("first")
        except LookupError as error:
            raise ValueError(len(content)) from error

    result = run(handler_of(fail))
    raised = result.raised
    assert isinstance(raised, ValueError)
    for error in (raised, raised.__cause__):
        assert error is not None
        frames = [
            frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "fail"
        ]
        assert [frame.f_locals for frame in frames] == [{}]
    assert "raised" not in result.as_json()
