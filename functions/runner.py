"""Runs one claimed job: finds its handler, checks its payload, and turns what comes out into a result.

The tick decides when; this file decides what an attempt came to. It never raises: a job's trouble is its
own result, so that the other jobs of a batch never notice.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from functions import log
from functions.clock import Clock
from functions.context import Decoder, JobContext, WronglyEnqueued
from functions.errors import HandlerUnavailable, LeaseLost
from functions.kept_values import ContentResults, KeptValues
from functions.log_lines import chain
from functions.object_store import ObjectStore
from functions.queue_rows import ClaimedJob, JobResult, OutcomeName
from functions.redact import message_of, named_problems, redact, storable
from functions.registry import Registry
from functions.reuse import content_key, is_storable, stored_output
from handlers.contract import DEFAULT_TIMEOUT_SECONDS, Handler, Job, Reject, Retry, Snooze
from handlers.settings import HandlerSettings

Start = Callable[[Callable[[], None]], None]

HANDLER_UNAVAILABLE_SECONDS = 60.0
_SHORTEST_SNOOZE_SECONDS = 1.0  # or the same tick would claim the job again and again


@dataclass
class Attempt:
    """One try at one job. `run` is called in a thread of its own; the tick may give up on it meanwhile."""

    job: ClaimedJob
    handler: Handler | HandlerUnavailable
    timeout: float
    started: float
    context: JobContext
    clock: Clock = field(repr=False)
    known: ContentResults | None = field(repr=False)

    def run(self) -> JobResult:
        """Runs the handler to its outcome. Never raises: the tick would wait for a result until its end."""
        try:
            return self._outcome()
        except BaseException as error:  # an outcome that was tampered with, a full disk under the log
            return self.result("retry", error=f"{type(error).__name__}: {message_of(error)}")
        finally:
            with contextlib.suppress(Exception):
                self.context.close()

    def _outcome(self) -> JobResult:
        try:
            return self._done()
        except WronglyEnqueued as error:
            return self.result("failed", error=message_of(error))
        except Reject as outcome:
            said = message_of(outcome)
            return self.result("failed", error=said, public_error=said)
        except Retry as outcome:
            return self.result("retry", error=message_of(outcome), retry_in=outcome.after)
        except Snooze as outcome:
            seconds = max(outcome.seconds, _SHORTEST_SNOOZE_SECONDS)
            return self.result("snooze", error=message_of(outcome), retry_in=seconds)
        except HandlerUnavailable as error:
            log.warning("handler_unavailable", job_id=self.job.job_id, type=self.job.type, error=error)
            return self.result("snooze", error=str(error), retry_in=HANDLER_UNAVAILABLE_SECONDS)
        except LeaseLost as error:
            return self.result("release", error=str(error))
        except BaseException as error:  # SystemExit out of a library must not end the worker either
            log.error("handler_raised", exception=error, job_id=self.job.job_id, type=self.job.type)
            result = self.result("retry", error=f"{type(error).__name__}: {message_of(error)}")
            return replace(result, raised=without_variables(error))

    def give_up(self, *, stopping: bool, budget: float) -> JobResult:
        """Leaves a handler behind whose time is over, and says what that makes of the attempt.

        A job that the end of its tick cut short is released, uncharged; but not one that had most of a
        tick's budget, or a job that needs more than that would run again and again for ever.
        """
        ran = self.clock.now() - self.started
        outcome: OutcomeName = "retry"
        if ran >= self.timeout - 0.01:  # sums of floats
            why = f"timed out after {self.timeout:g} s"
        elif stopping or ran < budget / 2:
            outcome, why = "release", f"stopped after {ran:.0f} s, because its worker ended"
        else:
            why = f"did not finish in the {ran:.0f} s that a tick gave it; raise TICK_BUDGET_SECONDS"
        self.context.abandon(why)
        return self.result(outcome, error=why)

    def result(
        self,
        outcome: OutcomeName,
        *,
        output: Any = None,
        error: str | None = None,
        retry_in: float | None = None,
        public_error: str | None = None,
    ) -> JobResult:
        """This attempt's element for `resolve_jobs`."""
        return JobResult(
            job_id=self.job.job_id,
            lease_token=self.job.lease_token,
            outcome=outcome,
            output=output,
            error=redact(error) if error is not None else None,
            public_error=redact(public_error) if public_error is not None else None,
            retry_in=retry_in,
            duration_ms=round((self.clock.now() - self.started) * 1000),
            cost=self.context.cost,
        )

    def _done(self) -> JobResult:
        """What the handler returns, or what it returned for the same content before."""
        handler = self.handler
        if isinstance(handler, HandlerUnavailable):
            raise handler
        job = self._typed_job(handler)
        key = content_key(handler, job, self.context) if self.known else None
        if key and self.known and (found := stored_output(self.known, handler, job, key, self.context)):
            return replace(self.result("done", output=found.output), reused_from=found.job_id)
        output = handler(job, self.context)
        if not isinstance(output, BaseModel):
            raise TypeError(
                f"handler {self.job.type} returned {type(output).__name__}; it has to return a pydantic model"
            )
        result = self.result("done", output=storable(output.model_dump(mode="json")))
        if key and is_storable(output):
            return replace(result, content_sha256=key.sha256, handler_version=key.version)
        return result

    def _typed_job(self, handler: Handler) -> Job[Any]:
        job = self.job
        if not (job.org_id or "").strip():
            raise WronglyEnqueued("the job has no organisation: enqueue it with org_id")
        try:
            payload = handler.payload_model.model_validate(job.payload)
        except ValidationError as error:
            raise WronglyEnqueued(f"the payload does not fit {job.type}: {named_problems(error)}") from error
        return Job(
            id=job.job_id,
            org_id=job.org_id or "",
            type=job.type,
            payload=payload,
            attempts=job.attempts,
            max_attempts=job.max_attempts,
            parents=job.parents,
        )


def without_variables(error: BaseException) -> BaseException:
    """The exception, which keeps its lines but no longer what the handler had in memory."""
    for one in chain(error):
        traceback.clear_frames(one.__traceback__)
    return error


def start_thread(work: Callable[[], None]) -> None:
    """A daemon thread per job rather than a pool: one that hangs takes no slot and blocks no exit."""
    threading.Thread(target=work, daemon=True, name="crontick-job").start()


class Runner:
    """Makes attempts. One per process is enough: it holds no state of a tick."""

    def __init__(
        self,
        registry: Registry,
        store: ObjectStore,
        sandbox: Decoder,
        clock: Clock,
        *,
        settings: HandlerSettings | None = None,
        max_attempts: int | None = None,
        known: ContentResults | None = None,
    ) -> None:
        """Without `known`, where results are looked up by content, every handler runs."""
        self._registry = registry
        self._store = store
        self._sandbox = sandbox
        self._clock = clock
        self._settings = settings or HandlerSettings()
        self._max_attempts = max_attempts
        self._known = known
        self._kept = KeptValues(known) if known else None

    def attempt(self, job: ClaimedJob, *, tick_ends: float) -> Attempt:
        """Prepares an attempt that has to end at its own timeout or with the tick, whichever is first."""
        handler: Handler | HandlerUnavailable
        try:
            handler = self._registry.find(job.type)
        except HandlerUnavailable as error:
            handler = error
        own = handler.timeout if isinstance(handler, Handler) else DEFAULT_TIMEOUT_SECONDS
        timeout = job.timeout_seconds or own
        started = self._clock.now()
        context = JobContext(
            job,
            store=self._store,
            sandbox=self._sandbox,
            clock=self._clock,
            deadline=min(started + timeout, tick_ends),
            settings=self._settings,
            max_attempts=min(job.max_attempts, self._max_attempts or job.max_attempts),
            kept=self._kept,
        )
        return Attempt(job, handler, timeout, started, context, self._clock, self._known)
