"""When pg_cron would run a job: the part of the stand-in that needs no database and no real clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

INTERVAL = re.compile(r"\s*(\d+)\s+seconds?\s*", re.IGNORECASE)
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
CLOCK_JUMP = timedelta(minutes=5)


def interval_seconds(schedule: str) -> int | None:
    found = INTERVAL.fullmatch(schedule)
    return int(found.group(1)) if found else None


def five_fields(schedule: str) -> str:
    """pg_cron reads five fields and ignores a sixth; its `$` is the last day of the month."""
    expression = NICKNAMES.get(schedule.strip().lower(), schedule)
    fields = expression.split()[:5]
    return " ".join("L" if number == 2 and field == "$" else field for number, field in enumerate(fields))


class Task:
    """The pending runs of one job. Never two at a time; what an expression missed meanwhile piles up."""

    def __init__(self, schedule: str, now: datetime, *, server_started: bool = False) -> None:
        self.last_started = now
        self.pending = 0
        self.running = False
        self.looked_at = now
        self.reschedule(schedule, now)
        if server_started and schedule.strip().lower() == "@reboot":
            self.pending = 1

    def reschedule(self, schedule: str, now: datetime) -> None:
        self.schedule = schedule
        self.interval = interval_seconds(schedule)
        self.minutes = iter(()) if self.interval else matching_minutes(schedule, now)
        self.next_minute = next(self.minutes, None)
        self.is_wildcard = any(field.startswith("*") for field in five_fields(schedule).split()[:2])

    def advance(self, now: datetime) -> None:
        """Counts the runs that have become due since the last look."""
        jumped = now - self.looked_at > CLOCK_JUMP
        self.looked_at = now
        if self.interval is not None:
            if self.pending == 0 and now - self.last_started >= timedelta(seconds=self.interval):
                self.pending = 1
            return
        due = 0
        while self.next_minute is not None and self.next_minute <= now:
            due += 1
            self.next_minute = next(self.minutes, None)
        self.pending += min(due, 1) if jumped and self.is_wildcard else due

    def skip(self, now: datetime) -> None:
        """For a paused job: what falls due while it is paused is not made up for."""
        self.advance(now)
        self.pending = 0

    def start(self, now: datetime) -> bool:
        """Takes one pending run if there is one and none is running."""
        if self.running or self.pending == 0:
            return False
        self.pending -= 1
        self.running = True
        self.last_started = now
        return True


def matching_minutes(schedule: str, now: datetime) -> Iterator[datetime]:
    try:
        return iter(CronSim(five_fields(schedule), now))
    except CronSimError:
        return iter(())
