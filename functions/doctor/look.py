"""Asks whatever there is to ask, so that the checks only judge. Nothing here raises for what is broken out there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import ValidationError
from storage3.exceptions import StorageApiError

from functions.doctor.answers import WorkerAnswer
from functions.doctor.facts import Facts, Secret
from functions.doctor.findings import Unknown
from functions.errors import AnswerUnknown, CrontickError, RequestRefused
from functions.operators_queue import OperatorsQueue
from functions.queue_answers import UNKNOWN_FUNCTION
from functions.redact import message_of, redact
from functions.repetition import TimeLeft
from functions.settings import Settings
from functions.supabase_client import SupabaseClient

PATIENCE_SECONDS = 15.0
COLD_START_TRIES = 2


@dataclass(frozen=True)
class WorkerSeen:
    """A worker that the schedules call: its two secrets by their looks, and what came of each ping."""

    endpoint: Secret
    secret: Secret
    answers: tuple[WorkerAnswer, ...] = ()
    problem: str | None = None  # why it could not even be tried


@dataclass(frozen=True)
class Seen:
    """Everything that was asked. Without `facts` there is the `error` that stood in the way."""

    settings: Settings
    url: str
    key: str
    facts: Facts | None = None
    error: CrontickError | None = None
    is_older: bool = False  # the queue answers, but is too old to know inspect_project
    asked_at: datetime | None = None  # this machine's clock, in the middle of the call
    seconds: float = 0.0  # that the call took
    workers: tuple[WorkerSeen, ...] = ()
    storage_problem: str | None = None

    def known(self) -> Facts:
        """The facts. Raises `Unknown` where the database could not be asked."""
        if self.facts is None:
            raise Unknown("the database could not be asked")
        return self.facts


def look(
    settings: Settings,
    *,
    snapshot_seconds: int = 300,
    patience: float = PATIENCE_SECONDS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Seen:
    """Asks the database, through it each worker, and Storage. `patience`: seconds for each call in all."""
    url, key = settings.supabase()
    with SupabaseClient(url, key) as client:
        queue = OperatorsQueue(client)
        storage_problem = _storage_problem(client)
        asked_at, started = now(), time.monotonic()
        try:
            facts = _facts(queue, snapshot_seconds, patience)
        except CrontickError as error:
            return Seen(
                settings,
                url,
                key,
                error=error,
                asked_at=asked_at,
                is_older=_is_unknown(error) and _answers(queue, patience),
                storage_problem=storage_problem,
            )
        seconds = time.monotonic() - started
        return Seen(
            settings,
            url,
            key,
            facts=facts,
            asked_at=asked_at + timedelta(seconds=seconds / 2),
            seconds=seconds,
            workers=_workers(queue, facts, patience),
            storage_problem=storage_problem,
        )


def _facts(queue: OperatorsQueue, snapshot_seconds: int, patience: float) -> Facts:
    said = queue.inspect_project(snapshot_seconds=snapshot_seconds, time_left=_within(patience))
    try:
        return Facts.model_validate(said)
    except ValidationError as error:
        raise AnswerUnknown(
            f"inspect_project answered in another version's words: {message_of(error)}"
        ) from error


def _within(seconds: float) -> TimeLeft:
    ends = time.monotonic() + seconds
    return lambda: ends - time.monotonic()


def _is_unknown(error: CrontickError) -> bool:
    return isinstance(error, RequestRefused) and error.sqlstate == UNKNOWN_FUNCTION


def _answers(queue: OperatorsQueue, patience: float) -> bool:
    try:
        queue.is_paused(time_left=_within(patience))
    except CrontickError:
        return False
    return True


def _workers(queue: OperatorsQueue, facts: Facts, patience: float) -> tuple[WorkerSeen, ...]:
    try:
        pairs = facts.secrets.get().workers
    except Unknown:
        return ()
    if not _can_call(facts):
        return tuple(WorkerSeen(pair.endpoint, pair.secret) for pair in pairs)
    return tuple(_worker(queue, pair.endpoint, pair.secret, patience) for pair in pairs)


def _can_call(facts: Facts) -> bool:
    """Whether the database can call at all; if not, that is a finding of its own."""
    try:
        found = facts.extensions.get()
    except Unknown:
        return True
    return any(one.name == "http" and one.schema_name == "extensions" for one in found)


def _worker(queue: OperatorsQueue, endpoint: Secret, secret: Secret, patience: float) -> WorkerSeen:
    """Pings twice where the first answer may have been that of an instance that was still starting."""
    if not (endpoint.present and secret.present and endpoint.host):
        return WorkerSeen(endpoint, secret)
    answers: list[WorkerAnswer] = []
    try:
        while len(answers) < COLD_START_TRIES and not (answers and _is_final(answers[-1])):
            said = queue.worker_answers(endpoint.name, secret.name, time_left=_within(patience))
            answers.append(WorkerAnswer.model_validate(said))
    except (CrontickError, ValueError) as error:
        return WorkerSeen(endpoint, secret, tuple(answers), redact(message_of(error)))
    return WorkerSeen(endpoint, secret, tuple(answers))


def _is_final(answer: WorkerAnswer) -> bool:
    return answer.ok or (answer.status is not None and answer.status < 500 and answer.status != 429)


def _own_words(message: str) -> str:
    """The gateway's sentence, where storage3 found no words of Storage in its answer and passes all of it on."""
    _, foreign, answer = message.partition("Unable to parse error message: ")
    if not foreign:
        return message
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer


def _storage_problem(client: SupabaseClient) -> str | None:
    try:
        client.storage.list_buckets()
    except StorageApiError as error:
        return redact(f"it answered {error.status}: {_own_words(error.message)}")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return redact(f"it cannot be reached: {error or type(error).__name__}")
    return None
