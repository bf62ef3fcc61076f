"""How much may run at once and per day, as the model sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.database.state_machine.model import Job

EVERY = "*"


@dataclass
class TypeLimits:
    max_concurrency: int | None = None
    max_concurrency_per_org: int | None = None
    usual_cost: int | None = None


@dataclass
class OrgLimits:
    max_concurrency: int | None = None
    jobs_per_day: int | None = None
    spend_per_day: int | None = None


@dataclass
class Used:
    """What attempts that ended used, of one organisation on one day."""

    jobs: int = 0
    spend: int = 0


@dataclass
class Limits:
    types: dict[str, TypeLimits] = field(default_factory=dict)
    orgs: dict[str, OrgLimits] = field(default_factory=dict)

    def of_type(self, job_type: str, name: str) -> int | None:
        own = getattr(self.types.get(job_type), name, None)
        every = None if name == "max_concurrency" else getattr(self.types.get(EVERY), name, None)
        return own if own is not None else every

    def of_org(self, org_id: str, name: str) -> int | None:
        own = getattr(self.orgs.get(org_id), name, None)
        return own if own is not None else getattr(self.orgs.get(EVERY), name, None)

    def are_on(self) -> bool:
        return any(
            value is not None
            for holder in (*self.types.values(), *self.orgs.values())
            for name, value in vars(holder).items()
            if name != "usual_cost"
        )

    def cost(self, jobs: Iterable[Job]) -> int:
        return sum(self.of_type(job.type, "usual_cost") or 0 for job in jobs)

    def broken_by(self, more: Sequence[Job], live: Sequence[Job], used: dict[str, Used]) -> str | None:
        """The limit that is broken if `more` run besides those that are live; None when all are kept."""
        every = [*live, *more]
        for job_type, running in Counter(job.type for job in every).items():
            limit = self.of_type(job_type, "max_concurrency")
            if limit is not None and running > limit and any(job.type == job_type for job in more):
                return f"{running} {job_type} jobs at once, of {limit}"
        for (job_type, org_id), running in Counter((job.type, job.org_id) for job in every).items():
            limit = self.of_type(job_type, "max_concurrency_per_org")
            is_touched = any((job.type, job.org_id) == (job_type, org_id) for job in more)
            if limit is not None and running > limit and is_touched:
                return f"{running} {job_type} jobs of {org_id} at once, of {limit}"
        for org_id in {job.org_id for job in more}:
            broken = self._broken_for(org_id, more, live, used.get(org_id, Used()))
            if broken:
                return broken
        return None

    def _broken_for(self, org_id: str, more: Sequence[Job], live: Sequence[Job], used: Used) -> str | None:
        running = [job for job in live if job.org_id == org_id]
        added = [job for job in more if job.org_id == org_id]
        at_once = self.of_org(org_id, "max_concurrency")
        per_day = self.of_org(org_id, "jobs_per_day")
        budget = self.of_org(org_id, "spend_per_day")
        if at_once is not None and len(running) + len(added) > at_once:
            return f"{len(running) + len(added)} jobs of {org_id} at once, of {at_once}"
        if per_day is not None and used.jobs + len(running) + len(added) > per_day:
            return f"{used.jobs + len(running) + len(added)} jobs of {org_id} today, of {per_day}"
        if budget is not None:
            left = budget - used.spend - self.cost(running)
            if left <= 0 or self.cost(added) > left:
                return f"{self.cost(added)} to be spent by {org_id}, of {left}"
        return None
