"""One step of the state machine: the call, what the model makes of it, and the comparison of everything afterwards."""

from __future__ import annotations

import functools
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import psycopg
from hypothesis.stateful import RuleBasedStateMachine
from psycopg.types.json import Jsonb

from tests.database.state_machine import calls, enqueueing
from tests.database.state_machine.model import SECOND, Lease, Model, Observation, Row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REMEMBERED = 25
NOBODY = Lease(10**9, "00000000-0000-4000-8000-00000000dead", calls.WORKERS[0])


def only_if(
    condition: Callable[[Any], object],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Leaves a rule out where it has nothing to do. A precondition would have to hold again whenever Hypothesis repeats
    the draws, and what a claim picked may differ then."""

    def decorate(play: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(play)
        def play_if(machine: Harness, **drawn: Any) -> None:
            if condition(machine):
                play(machine, **drawn)

        return play_if

    return decorate


class Harness(RuleBasedStateMachine):
    """A model beside a database; a subclass has the connection, and the rules."""

    connection: ClassVar[psycopg.Connection[Any]]
    compared: ClassVar[Counter[str]]  # the calls after which everything was compared

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.trace: deque[str] = deque(maxlen=REMEMBERED)
        self.last_run = 0

    def look(self, call: str, arguments: Any) -> Observation:
        row = self.connection.execute(
            "select machine.step(%s, %s, %s)", (call, Jsonb(arguments), self.last_run)
        ).fetchone()
        assert row is not None
        return Observation.of(row[0])

    def step(self, call: str, arguments: Any, expect: Callable[[Observation], object]) -> None:
        """Makes a call; `expect` moves the model and checks the answer, then all rows are compared."""
        name = call.split("(")[0].removeprefix("select ")
        self.trace.append(f"{name} {arguments}")
        seen = self.look(call, arguments)
        self.trace.append(f"  {seen.refused or ''} {seen.answer}")
        self.model.now = seen.now
        try:
            expect(seen)
            self.compare(seen)
            self.compared[name] += 1
        except Exception as error:
            error.add_note("\n".join(self.trace))
            raise

    def compare(self, seen: Observation) -> None:
        assert seen.violations == []
        assert seen.ingest_failures == 0
        assert seen.jobs.keys() == self.model.jobs.keys(), "jobs were lost, or made from nothing"
        for job_id, row in seen.jobs.items():
            expected = self.model.jobs[job_id].shown()
            wrong = {name: (row[name], expected[name]) for name in row if row[name] != expected[name]}
            assert not wrong, f"job {job_id} differs from the model, (found, expected): {wrong}"
        ended = [
            tuple(run[name] for name in ("job_id", "attempt", "lease_token", "worker_id", "outcome"))
            for run in seen.runs
        ]
        assert sorted(ended) == sorted(self.model.new_runs), (
            "the audit rows are not those of the ended attempts"
        )
        self.model.new_runs.clear()
        self.last_run = max((run["id"] for run in seen.runs), default=self.last_run)
        used = {key: (used.jobs, used.spend) for key, used in self.model.usage.items()}
        assert seen.usage == used, "the organisations' usage is not what their attempts were"

    def element(self, drawn: Row) -> Row:
        """An element of enqueue_jobs out of a draw: times become instants, picks become jobs."""
        element = {name: value for name, value in drawn.items() if name not in ("run_in", "after_job")}
        if "run_in" in drawn:
            element["run_at_us"] = self.model.now + drawn["run_in"] * SECOND
            element["run_at"] = (EPOCH + timedelta(microseconds=element["run_at_us"])).isoformat()
        if "after_job" in drawn and self.model.jobs:
            parent = self.pick(sorted(self.model.jobs), drawn["after_job"])
            element["after"] = [parent]
            if drawn["after_job"] % 8:
                element["org_id"] = self.model.jobs[parent].org_id
        return element

    def pick(self, among: Sequence[Any], number: int) -> Any:
        return among[-1 - number % len(among)]

    def lease(self, number: int, is_live: bool) -> Lease:
        """A lease to speak of: one that runs, or one that was lost, by choice of a job that runs again."""
        running = self.model.processing()
        live = [Lease(job.id, job.lease_token or "", job.worker_id or "") for job in running]
        ids = {job.id for job in running}
        lost = [old for old in self.model.leases if old.job_id in ids and old not in live]
        among = live if is_live and live else (number % 4 and lost) or self.model.leases
        return self.pick(among, number) if among else NOBODY

    def job_id(self, number: int, statuses: Sequence[str]) -> int:
        """Mostly a job in one of these statuses, by choice one that others wait for; sometimes another."""
        among = [job.id for job in self.model.jobs.values() if job.status in statuses and number % 8]
        above = [job_id for job_id in among if number % 3 and self.model.children([job_id])]
        return int(self.pick(above or among or list(self.model.jobs), number))


def agreeing(asked: list[Row]) -> list[Row]:
    """The same batch, in which elements of one key mostly want the same of a job that exists."""
    first: dict[tuple[str, str, str], Row] = {}
    for element in asked:
        other = first.setdefault(enqueueing.key_of(element), element)
        if element["payload"] == {"n": 3}:
            continue
        for name in ("unique_for", "on_conflict", "after"):
            element.pop(name, None)
            if name in other:
                element[name] = other[name]
    return asked
