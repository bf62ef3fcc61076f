"""What random schedules mean: `next_cron_time` against another implementation of cron, and where clocks change."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError

from tests.database.cron_times import next_times
from tests.database.queue import Queue

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
SECOND = timedelta(seconds=1)


def random_field(dice: random.Random, lowest: int, highest: int, names: list[str], open_share: float) -> str:
    """One field of an expression, in any of the spellings."""
    if dice.random() < open_share:
        return "*"

    def number() -> str:
        value = dice.randint(lowest, highest)
        return names[value - lowest] if names and dice.random() < 0.3 else str(value)

    def span() -> str:
        first, last = sorted(dice.sample(range(lowest, highest + 1), 2))
        return f"{first}-{last}"

    spellings: list[Callable[[], str]] = [
        number,
        span,
        lambda: f"*/{dice.randint(1, highest // 2)}",
        lambda: f"{span()}/{dice.randint(1, highest // 2)}",
        lambda: ",".join(dice.choice([number, span])() for _ in range(dice.randint(2, 4))),
    ]
    return dice.choice(spellings)()


def random_schedule(dice: random.Random) -> str:
    return " ".join(
        [
            random_field(dice, 0, 59, [], 0.2),
            random_field(dice, 0, 23, [], 0.3),
            random_field(dice, 1, 31, [], 0.4),
            random_field(dice, 1, 12, MONTHS, 0.5),
            random_field(dice, 0, 6, WEEKDAYS, 0.4),
        ]
    )


def expected_next(schedule: str, after: datetime) -> datetime | None:
    """What cronsim says, in UTC; None when it never comes due."""
    try:
        return next(CronSim(schedule, after)).astimezone(UTC)
    except (CronSimError, StopIteration):
        return None


def clocks_change_near(moment: datetime, zone: ZoneInfo) -> bool:
    offsets = {(moment + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-48, 49, 12)}
    return len(offsets) > 1


@pytest.mark.parametrize(
    "time_zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
)
def test_random_expressions_come_due_when_another_implementation_says(queue: Queue, time_zone: str) -> None:
    dice = random.Random(f"cron in {time_zone}")
    zone = ZoneInfo(time_zone)
    asked: list[dict[str, Any]] = []
    for _ in range(600):
        schedule = random_schedule(dice)
        after = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.randrange(6 * 366 * 86400))
        expected = expected_next(schedule, after.astimezone(UTC if time_zone == "UTC" else zone))
        if clocks_change_near(after, zone) or (expected is not None and clocks_change_near(expected, zone)):
            continue
        asked.append({"schedule": schedule, "after": after.isoformat(), "expected": expected})

    answers = queue.rows(
        """
        select public.next_cron_time(a.value ->> 'schedule', (a.value ->> 'after')::timestamptz, %s) as at
        from jsonb_array_elements(%s::jsonb) with ordinality a order by a.ordinality
        """,
        time_zone,
        json.dumps([{"schedule": a["schedule"], "after": a["after"]} for a in asked]),
    )

    differing = [
        (ask, answer["at"])
        for ask, answer in zip(asked, answers, strict=True)
        if answer["at"] != ask["expected"]
    ]
    assert len(asked) > 500
    assert differing == []


@pytest.mark.parametrize("time_zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Nuuk"])
def test_around_clock_changes_random_schedules_mean_what_a_look_at_every_minute_finds(
    queue: Queue, time_zone: str
) -> None:
    zone = ZoneInfo(time_zone)
    dice = random.Random(f"clocks in {time_zone}")
    for start in clock_changes(zone):
        clocks = [(start + timedelta(minutes=n)).replace(tzinfo=None) for n in range(2 * 1440)]
        for _ in range(15):
            minutes = dice.sample(range(60), dice.randint(1, 6))
            step = dice.choice([1, 2, 3, 5])
            interval = dice.random() < 0.5
            hour = f"*/{step}" if interval else ",".join(str(h) for h in range(0, 24, step))
            schedule = f"{','.join(map(str, minutes))} {hour} * * *"
            named = [c for c in clocks if c.minute in minutes and c.hour % step == 0]
            # Python reads a left-out time by the old clock (that much later), a repeated one as fold says.
            expected = sorted(
                {
                    moment
                    for clock in named
                    for fold in ((0, 1) if interval else (0,))
                    if (moment := clock.replace(tzinfo=zone, fold=fold).astimezone(UTC))
                    and (not interval or moment.astimezone(zone).replace(tzinfo=None) == clock)
                }
            )

            due = next_times(queue, schedule, (expected[0] - SECOND).isoformat(), len(expected), time_zone)

            assert due == [f"{moment:%Y-%m-%d %H:%M}" for moment in expected], schedule


def clock_changes(zone: ZoneInfo) -> list[datetime]:
    """For each change of 2025, the midnight (of that zone) a day before it."""
    days = [datetime(2025, 1, 1, tzinfo=zone) + timedelta(days=n) for n in range(364)]
    changes = [day for day in days if day.utcoffset() != (day + timedelta(days=1)).utcoffset()]
    assert len(changes) == 2
    return [day - timedelta(days=1) for day in changes]
