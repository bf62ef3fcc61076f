"""How a link is broken: in SQL, with what doctor has to say of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.end_to_end.doctor.patient import NEVER, Symptom


@dataclass(frozen=True)
class Break:
    """SQL that breaks a link, what doctor then says, and SQL that mends it where the remedy is not itself SQL."""

    sql: str
    group: str
    check: str
    severity: str
    words: str  # in what it says
    mend: str | None = None  # None: the remedy is SQL, and is run
    as_admin: bool = True
    restore: str | None = None  # what the remedy sets anew, as it was before

    @property
    def symptom(self) -> Symptom:
        return self.group, self.check, self.severity


TICK = "(select jobid from cron.job where jobname = 'process-flashcard-jobs')"
SCHEDULE = f"select public.schedule_cron_tick(schedule => '{NEVER}')"
