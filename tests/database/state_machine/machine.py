"""Draws calls, makes them, tells the model, and compares the whole queue with it after every step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from psycopg.types.json import Jsonb

from tests.database.state_machine import calls, claiming, enqueueing, operating, pruning, running
from tests.database.state_machine.limits import EVERY, OrgLimits, TypeLimits
from tests.database.state_machine.model import DEAD, SECOND, UNFINISHED, Lease, Model, Observation, Row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REMEMBERED = 25
FULL = 25
RARELY = 17
NOBODY = Lease(10**9, "00000000-0000-4000-8000-00000000dead", calls.WORKERS[0])


class QueueMachine(RuleBasedStateMachine):
    """One worker fleet, its operators and its uploaders, as one connection. Give a subclass the connection."""

    connection: ClassVar[psycopg.Connection[Any]]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.trace: deque[str] = deque(maxlen=REMEMBERED)
        self.last_run = 0

    # What every step does

    def look(self, call: str, arguments: Any) -> Observation:
        row = self.connection.execute(
            "select machine.step(%s, %s, %s)", (call, Jsonb(arguments), self.last_run)
        ).fetchone()
        assert row is not None
        return Observation.of(row[0])

    def step(self, call: str, arguments: Any, expect: Callable[[Observation], object]) -> None:
        """Makes a call; `expect` moves the model and checks the answer, then all rows are compared."""
        self.trace.append(f"{call.split('(')[0].removeprefix('select ')} {arguments}")
        seen = self.look(call, arguments)
        self.trace.append(f"  {seen.refused or ''} {seen.answer}")
        self.model.now = seen.now
        try:
            expect(seen)
            self.compare(seen)
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

    @initialize(
        luck=st.integers(-99, 99), drawn=st.lists(calls.elements, min_size=2, max_size=6), edges=calls.edges
    )
    def begin_with_a_flow(self, luck: int, drawn: list[Row], edges: set[tuple[int, int]]) -> None:
        self.model.now = self.look(calls.RESET, {"luck": luck / 100}).now
        self.enqueue_edges(drawn, edges)

    # Producers

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

    @precondition(lambda self: len(self.model.jobs) < FULL)
    @rule(drawn=calls.elements)
    def enqueue_one(self, drawn: Row) -> None:
        self.enqueue([self.element(drawn)])

    @precondition(lambda self: len(self.model.jobs) < FULL)
    @rule(drawn=st.lists(calls.elements, min_size=2, max_size=5))
    def enqueue_batch(self, drawn: list[Row]) -> None:
        self.enqueue(agreeing([self.element(element) for element in drawn]))

    @precondition(lambda self: len(self.model.jobs) < FULL)
    @rule(drawn=st.lists(calls.elements, min_size=2, max_size=4), edges=calls.edges)
    def enqueue_flow(self, drawn: list[Row], edges: set[tuple[int, int]]) -> None:
        self.enqueue_edges(drawn, edges)

    def enqueue_edges(self, drawn: list[Row], edges: set[tuple[int, int]]) -> None:
        flow = [self.element(element) for element in drawn]
        for at, element in enumerate(flow):
            element["org_id"], element["ref"] = flow[0]["org_id"], f"r{at}"
        for one, other in sorted(edges):
            parent, child = sorted((one % len(flow), other % len(flow)))
            if parent < child and f"r{parent}" not in flow[child].get("after", []):
                flow[child].setdefault("after", []).append(f"r{parent}")
        self.enqueue(agreeing(flow))

    @precondition(lambda self: 0 < len(self.model.jobs) < FULL)
    @rule(number=calls.picks, drawn=calls.wishes)
    def enqueue_again(self, number: int, drawn: Row) -> None:
        job = self.model.jobs[self.job_id(number, UNFINISHED)]
        same = {"org_id": job.org_id, "type": job.type, "payload": {"n": 9}, "idempotency_key": job.key}
        self.enqueue([self.element({**same, **drawn})])

    def enqueue(self, asked: list[Row]) -> None:
        self.step(calls.ENQUEUE, asked, lambda seen: enqueueing.enqueue(self.model, asked, seen))

    # Workers

    @rule(
        worker_id=calls.worker_ids,
        batch_size=st.sampled_from((1, 1, 2, 3, 10, 10, 0, None)),
        types=st.one_of(
            st.none(), st.none(), st.lists(st.sampled_from(calls.TYPES), max_size=2, unique=True)
        ),
        lease_seconds=calls.lease_seconds,
        force=st.booleans(),
    )
    def claim(self, **asked: Any) -> None:
        self.step(calls.CLAIM, asked, lambda seen: claiming.claim(self.model, asked, seen))

    @rule(worker_id=calls.worker_ids, batch_size=st.sampled_from((2, 10)), result=calls.results)
    def tick(self, worker_id: str, batch_size: int, result: Row) -> None:
        """What is due is claimed, and ends in the same way."""
        self.claim(worker_id=worker_id, batch_size=batch_size, force=True)
        self.finish(worker_id, result)

    @rule(worker_id=calls.worker_ids, knows=st.lists(calls.picks, max_size=3))
    def claim_after_a_lost_answer(self, worker_id: str, knows: list[int]) -> None:
        own = [job.id for job in self.model.processing() if job.worker_id == worker_id]
        held = sorted({self.pick(own, number) for number in knows}) if own else []
        asked = {"worker_id": worker_id, "batch_size": 2, "held": held}
        self.step(calls.CLAIM, asked, lambda seen: claiming.claim(self.model, asked, seen))

    @precondition(lambda self: len(self.model.jobs) < FULL)
    @rule(
        worker_id=calls.worker_ids,
        drawn=calls.elements,
        lease_seconds=calls.lease_seconds,
        force=st.booleans(),
    )
    def start_job(self, drawn: Row, **asked: Any) -> None:
        asked["job"] = self.element(drawn)
        self.step(calls.START, asked, lambda seen: operating.start(self.model, asked, seen))

    def lease(self, number: int, is_live: bool) -> Lease:
        """A lease to speak of: one that runs, or one that was lost, by choice of a job that runs again."""
        running = self.model.processing()
        live = [Lease(job.id, job.lease_token or "", job.worker_id or "") for job in running]
        ids = {job.id for job in running}
        lost = [old for old in self.model.leases if old.job_id in ids and old not in live]
        among = live if is_live and live else (number % 4 and lost) or self.model.leases
        return self.pick(among, number) if among else NOBODY

    @precondition(lambda self: self.model.leases)
    @rule(
        number=calls.picks,
        is_live=st.booleans(),
        more=st.lists(calls.picks, max_size=2),
        progress=st.sampled_from((None, {"percent": 5})),
        is_other=st.sampled_from((False, False, False, True)),
        lease_seconds=calls.lease_seconds,
    )
    def heartbeat(
        self,
        number: int,
        is_live: bool,
        more: list[int],
        progress: Any,
        is_other: bool,
        lease_seconds: int | None,
    ) -> None:
        first = self.lease(number, is_live)
        leases = [
            {"job_id": old.job_id, "lease_token": old.lease_token}
            for old in (first, *(self.lease(n, True) for n in more))
        ]
        if progress:
            leases[0]["progress"] = progress
        if number == 0:
            leases.append({"job_id": "one", "lease_token": first.lease_token})
        worker_id = calls.WORKERS[number % 2] if is_other else first.worker_id
        asked = {"worker_id": worker_id, "leases": leases, "lease_seconds": lease_seconds}
        self.step(calls.EXTEND, asked, lambda seen: running.extend(self.model, asked, seen))

    @precondition(lambda self: self.model.leases)
    @rule(
        drawn=st.lists(
            st.tuples(calls.picks, st.sampled_from((True, True, True, False)), calls.results),
            min_size=1,
            max_size=4,
        ),
        is_other=st.sampled_from((False, False, False, False, True)),
    )
    def resolve(self, drawn: list[tuple[int, bool, Row]], is_other: bool) -> None:
        leases = [self.lease(number, is_live) for number, is_live, _ in drawn]
        worker_id = calls.WORKERS[drawn[0][0] % 2] if is_other else leases[0].worker_id
        results = [
            {**result, "job_id": old.job_id, "lease_token": old.lease_token}
            for old, (_, _, result) in zip(leases, drawn, strict=True)
        ]
        if drawn[0][0] == 1:
            results[-1]["job_id"] = "one"
        asked = {"worker_id": worker_id, "results": results}
        self.step(calls.RESOLVE, asked, lambda seen: running.resolve(self.model, worker_id, results, seen))

    @precondition(lambda self: self.model.processing())
    @rule(worker_id=calls.worker_ids)
    def finish_everything(self, worker_id: str) -> None:
        self.finish(worker_id, {"outcome": "done", "output": {"all": 1}})

    def finish(self, worker_id: str, result: Row) -> None:
        mine = [job for job in self.model.processing() if job.worker_id == worker_id]
        results = [{**result, "job_id": job.id, "lease_token": job.lease_token} for job in mine]
        asked = {"worker_id": worker_id, "results": results}
        self.step(calls.RESOLVE, asked, lambda seen: running.resolve(self.model, worker_id, results, seen))

    # Operators, uploaders and time

    @precondition(lambda self: self.model.has_several_unfinished())
    @rule(number=calls.picks)
    def cancel_job(self, number: int) -> None:
        job_id = NOBODY.job_id if number == RARELY else self.job_id(number, UNFINISHED)
        self.step(calls.CANCEL, {"job_id": job_id}, lambda seen: operating.cancel(self.model, job_id, seen))

    @precondition(lambda self: any(job.status in DEAD for job in self.model.jobs.values()))
    @rule(number=calls.picks)
    def retry_job(self, number: int) -> None:
        job_id = NOBODY.job_id if number == RARELY else self.job_id(number, DEAD)
        self.step(calls.RETRY, {"job_id": job_id}, lambda seen: operating.retry(self.model, job_id, seen))

    @rule(job_type=st.sampled_from((None, *calls.TYPES)))
    def retry_dead_letters(self, job_type: str | None) -> None:
        self.step(
            calls.RETRY_FAILED,
            {"type": job_type},
            lambda seen: operating.retry_failed(self.model, job_type, seen),
        )

    @rule(days=st.sampled_from((0, 8, 8, 91)))
    def prune(self, days: int) -> None:
        if days:
            self.time_passes(days * 86_400)
        self.step(calls.PRUNE, {}, lambda seen: pruning.prune(self.model, seen))

    def job_id(self, number: int, statuses: Sequence[str]) -> int:
        """Mostly a job in one of these statuses, sometimes another."""
        among = [job.id for job in self.model.jobs.values() if job.status in statuses and number % 8]
        return int(self.pick(among or list(self.model.jobs), number))

    @rule(seconds=st.sampled_from((1, 11, 31, 125, 125, 305, 700, 4000, 90_000)))
    def time_passes(self, seconds: int) -> None:
        self.step(calls.PASS, {"seconds": seconds}, lambda _: self.model.pass_time(seconds))

    @rule(is_paused=st.sampled_from((True, False, False)))
    def pause_or_resume(self, is_paused: bool) -> None:
        self.model.is_paused = is_paused
        self.step(calls.PAUSE if is_paused else calls.RESUME, {}, lambda _: None)

    @precondition(lambda self: len(self.model.jobs) < FULL)
    @rule(org_id=st.sampled_from(calls.ORGS), name=st.sampled_from(("a", "b")))
    def upload(self, org_id: str, name: str) -> None:
        path = f"{org_id}/{name}"
        self.step(calls.UPLOAD, {"path": path}, lambda seen: operating.store_file(self.model, path, seen))

    @precondition(lambda self: self.model.files)
    @rule(number=calls.picks)
    def delete_file(self, number: int) -> None:
        path = self.pick(self.model.files, number).path
        self.step(calls.DELETE, {"path": path}, lambda _: operating.retire(self.model, path))

    @precondition(lambda self: any(file.is_current for file in self.model.files))
    @rule(number=calls.picks)
    def replace_file_unnoticed(self, number: int) -> None:
        file = self.pick([file for file in self.model.files if file.is_current], number)
        file.is_current = False
        self.step(calls.OUTDATE, {"file_id": file.id}, lambda _: None)

    @rule(
        job_type=st.sampled_from(("plain", "picky", EVERY)),
        max_concurrency=calls.limit,
        max_concurrency_per_org=calls.limit,
        usual_cost=st.sampled_from((None, 2, 4)),
    )
    def limit_type(self, job_type: str, **limits: int | None) -> None:
        if job_type == EVERY:
            limits["max_concurrency"] = None
        self.model.limits.types[job_type] = TypeLimits(**limits)
        self.step(calls.LIMIT_TYPE, {"type": job_type, **limits}, lambda _: None)

    @rule(
        org_id=st.sampled_from(("acme", EVERY)),
        max_concurrency=calls.limit,
        jobs_per_day=st.sampled_from((None, None, 1, 4)),
        spend_per_day=st.sampled_from((None, 3, 5, 9)),
    )
    def limit_org(self, org_id: str, **limits: int | None) -> None:
        self.model.limits.orgs[org_id] = OrgLimits(**limits)
        self.step(calls.LIMIT_ORG, {"org_id": org_id, **limits}, lambda _: None)


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
