"""The calls that are drawn: producers, workers, operators, uploaders and time."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.database.state_machine import calls, claiming, enqueueing, operating, pruning, running
from tests.database.state_machine.harness import NOBODY, Harness, agreeing, only_if
from tests.database.state_machine.limits import EVERY, OrgLimits, TypeLimits
from tests.database.state_machine.model import DEAD, UNFINISHED, Row

FULL = 25
RARELY = 17


class QueueMachine(Harness):
    """All who call the queue, one after the other, over one connection."""

    @initialize(
        luck=st.integers(-99, 99),
        drawn=st.lists(calls.elements, min_size=2, max_size=6),
        edges=calls.many_edges,
    )
    def begin_with_a_flow(self, luck: int, drawn: list[Row], edges: set[tuple[int, int]]) -> None:
        self.model.now = self.look(calls.RESET, {"luck": luck / 100}).now
        self.enqueue_edges(drawn, edges)

    @rule(drawn=calls.elements)
    @only_if(lambda self: len(self.model.jobs) < FULL)
    def enqueue_one(self, drawn: Row) -> None:
        self.enqueue([self.element(drawn)])

    @rule(drawn=st.lists(calls.elements, min_size=2, max_size=5))
    @only_if(lambda self: len(self.model.jobs) < FULL)
    def enqueue_batch(self, drawn: list[Row]) -> None:
        self.enqueue(agreeing([self.element(element) for element in drawn]))

    @rule(drawn=st.lists(calls.elements, min_size=2, max_size=4), edges=calls.edges)
    @only_if(lambda self: len(self.model.jobs) < FULL)
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

    @rule(number=calls.picks, drawn=calls.wishes)
    @only_if(lambda self: 0 < len(self.model.jobs) < FULL)
    def enqueue_again(self, number: int, drawn: Row) -> None:
        job = self.model.jobs[self.job_id(number, UNFINISHED)]
        same = {"org_id": job.org_id, "type": job.type, "payload": {"n": 9}, "idempotency_key": job.key}
        self.enqueue([self.element({**same, **drawn})])

    def enqueue(self, asked: list[Row]) -> None:
        self.step(calls.ENQUEUE, asked, lambda seen: enqueueing.enqueue(self.model, asked, seen))

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

    @rule(
        worker_id=calls.worker_ids,
        drawn=calls.elements,
        lease_seconds=calls.lease_seconds,
        force=st.booleans(),
    )
    @only_if(lambda self: len(self.model.jobs) < FULL)
    def start_job(self, drawn: Row, **asked: Any) -> None:
        asked["job"] = self.element(drawn)
        self.step(calls.START, asked, lambda seen: operating.start(self.model, asked, seen))

    @rule(
        number=calls.picks,
        is_live=st.booleans(),
        more=st.lists(calls.picks, max_size=2),
        progress=st.sampled_from((None, {"percent": 5})),
        is_other=st.sampled_from((False, False, False, True)),
        lease_seconds=calls.lease_seconds,
    )
    @only_if(lambda self: self.model.leases)
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

    @rule(
        drawn=st.lists(
            st.tuples(calls.picks, st.sampled_from((True, True, True, False)), calls.results),
            min_size=1,
            max_size=4,
        ),
        is_other=st.sampled_from((False, False, False, False, True)),
    )
    @only_if(lambda self: self.model.leases)
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

    @rule(worker_id=calls.worker_ids)
    @only_if(lambda self: self.model.processing())
    def finish_everything(self, worker_id: str) -> None:
        self.finish(worker_id, {"outcome": "done", "output": {"all": 1}})

    def finish(self, worker_id: str, result: Row) -> None:
        mine = [job for job in self.model.processing() if job.worker_id == worker_id]
        results = [{**result, "job_id": job.id, "lease_token": job.lease_token} for job in mine]
        asked = {"worker_id": worker_id, "results": results}
        self.step(calls.RESOLVE, asked, lambda seen: running.resolve(self.model, worker_id, results, seen))

    @rule(number=calls.picks)
    @only_if(lambda self: self.model.has_several_unfinished())
    def cancel_job(self, number: int) -> None:
        job_id = NOBODY.job_id if number == RARELY else self.job_id(number, UNFINISHED)
        self.step(calls.CANCEL, {"job_id": job_id}, lambda seen: operating.cancel(self.model, job_id, seen))

    @rule(number=calls.picks)
    @only_if(lambda self: any(job.status in DEAD for job in self.model.jobs.values()))
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

    @rule(seconds=st.sampled_from((1, 11, 31, 125, 125, 305, 700, 4000, 90_000)))
    def time_passes(self, seconds: int) -> None:
        self.step(calls.PASS, {"seconds": seconds}, lambda _: self.model.pass_time(seconds))

    @rule(is_paused=st.sampled_from((True, False, False)))
    def pause_or_resume(self, is_paused: bool) -> None:
        self.model.is_paused = is_paused
        self.step(calls.PAUSE if is_paused else calls.RESUME, {}, lambda _: None)

    @rule(org_id=st.sampled_from(calls.ORGS), name=st.sampled_from(("a", "b")))
    @only_if(lambda self: len(self.model.jobs) < FULL)
    def upload(self, org_id: str, name: str) -> None:
        path = f"{org_id}/{name}"
        self.step(calls.UPLOAD, {"path": path}, lambda seen: operating.store_file(self.model, path, seen))

    @rule(number=calls.picks)
    @only_if(lambda self: self.model.files)
    def delete_file(self, number: int) -> None:
        path = self.pick(self.model.files, number).path
        self.step(calls.DELETE, {"path": path}, lambda seen: operating.retire(self.model, path, seen.day))

    @rule(number=calls.picks)
    @only_if(lambda self: any(file.is_current for file in self.model.files))
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
