"""What a schedule means: `next_cron_time` against another implementation of cron, and where clocks change."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from cronsim import CronSim, CronSimError

from tests.database.queue import Queue

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
SECOND = timedelta(seconds=1)


def next_times(queue: Queue, schedule: str, after: str, count: int, time_zone: str = "UTC") -> list[str]:
    """That many due times in a row, in UTC, as `2026-03-29 01:30`."""
    rows = queue.rows(
        """
        with recursive due (at, number) as (
          select %s::timestamptz, 0
          union all
          select public.next_cron_time(%s, due.at, %s), number + 1 from due where number < %s)
        select to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as at from due where number > 0 order by number
        """,
        after,
        schedule,
        time_zone,
        count,
    )
    return [row["at"] for row in rows]


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


@pytest.mark.parametrize(
    ("schedule", "means"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("  0  7 * * MON-Fri ", "0 7 * * 1-5"),
        ("0 7 * * 7", "0 7 * * 0"),
        ("0 7 * * fri-sun", "0 7 * * 0,5,6"),
        ("0 7 * JAN,dec *", "0 7 * 1,12 *"),
    ],
)
def test_a_schedule_can_be_written_in_several_ways(queue: Queue, schedule: str, means: str) -> None:
    after = "2026-05-01 12:00:00Z"

    assert next_times(queue, schedule, after, 15) == next_times(queue, means, after, 15)


def test_a_day_of_the_month_and_a_weekday_are_either_or_when_both_are_restricted(queue: Queue) -> None:
    either = next_times(queue, "0 0 13 * fri", "2026-11-01 00:00Z", 3)
    both = next_times(queue, "0 0 */13 * fri", "2026-11-01 00:00Z", 2)

    assert either == ["2026-11-06 00:00", "2026-11-13 00:00", "2026-11-20 00:00"]
    assert both == ["2026-11-27 00:00", "2027-01-01 00:00"]


def test_the_next_time_is_strictly_later(queue: Queue) -> None:
    assert next_times(queue, "*/5 * * * *", "2026-05-01 12:00:00Z", 1) == ["2026-05-01 12:05"]
    assert next_times(queue, "*/5 * * * *", "2026-05-01 11:59:59.999Z", 1) == ["2026-05-01 12:00"]


def test_a_leap_day_is_found_years_ahead(queue: Queue) -> None:
    assert next_times(queue, "0 0 29 2 *", "2096-03-01 00:00Z", 1) == ["2104-02-29 00:00"]
    assert next_times(queue, "0 0 29 2 */7", "2088-03-01 00:00Z", 1) == ["2128-02-29 00:00"]


def test_intervals_lie_on_a_grid_that_every_database_shares(queue: Queue) -> None:
    rows = queue.rows(
        """
        select s.seconds, extract(epoch from public.next_cron_time(s.seconds || ' seconds', t.at)) as due,
          extract(epoch from t.at) as after
        from (values (1), (7), (45), (3600), (86400)) s (seconds),
          (values ('2026-05-01 12:00:00Z'::timestamptz), ('2026-05-01 12:00:07.5Z')) t (at)
        """
    )

    assert [row for row in rows if row["due"] % row["seconds"]] == []
    assert [row for row in rows if not 0 < row["due"] - row["after"] <= row["seconds"]] == []
    assert len(rows) == 10


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ("60 * * * *", 'minute "60" is not allowed.* 0-59'),
        ("* 24 * * *", 'hour "24" is not allowed.* 0-23'),
        ("* * 0 * *", 'day "0" is not allowed.* 1-31'),
        ("* * * 13 *", r'month "13" is not allowed.* 1-12 \(or jan to dec\)'),
        ("* * * * 8", r'weekday "8" is not allowed.* 0-7 \(or sun to sat\)'),
        ("* * * * funday", 'weekday "funday"'),
        ("* * * may-mon *", 'month "may-mon"'),
        ("5-1 * * * *", 'minute "5-1"'),
        ("5/10 * * * *", 'minute "5/10"'),
        ("*/0 * * * *", r'minute "\*/0"'),
        ("*/90 * * * *", r'minute "\*/90"'),
        ("1,,2 * * * *", 'minute "1,,2"'),
        ("-5 * * * *", 'minute "-5"'),
        ("* * L * *", 'day "l"'),
        ("* * * *", "4 field.s. instead of five"),
        ("*/30 * * * * *", "6 field.s. instead of five"),
        ("", "0 field.s. instead of five"),
        ("@reboot", "1 field.s. instead of five"),
        ("0 seconds", "from 1 to 86400"),
        ("86401 seconds", "from 1 to 86400"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_field_and_what_is_allowed(
    queue: Queue, schedule: str, complaint: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=complaint):
        queue.rows("select public.next_cron_time(%s, now())", schedule)


SPRING_IN_BERLIN = "2026-03-28 12:00Z"  # 02:00 becomes 03:00 on the 29th, at 01:00 UTC
AUTUMN_IN_BERLIN = "2026-10-24 12:00Z"  # 03:00 becomes 02:00 on the 25th, at 01:00 UTC


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("30 2 * * *", ["2026-03-29 01:30", "2026-03-30 00:30", "2026-03-31 00:30"]),
        ("30 2,3 * * *", ["2026-03-29 01:30", "2026-03-30 00:30", "2026-03-30 01:30"]),
        ("30 1-4 * * *", ["2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 02:30", "2026-03-29 23:30"]),
        ("0,30 2,3 29 3 *", ["2026-03-29 01:00", "2026-03-29 01:30", "2027-03-29 00:00"]),
        ("45 2 29 3 *", ["2026-03-29 01:45", "2027-03-29 00:45"]),
    ],
)
def test_a_fixed_hour_that_the_clock_leaves_out_comes_as_much_later(
    queue: Queue, schedule: str, due: list[str]
) -> None:
    assert next_times(queue, schedule, SPRING_IN_BERLIN, len(due), "Europe/Berlin") == due


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("0 */2 29 3 *", ["2026-03-28 23:00", "2026-03-29 02:00", "2026-03-29 04:00"]),
        ("30 * 29 3 *", ["2026-03-28 23:30", "2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 02:30"]),
    ],
)
def test_an_interval_of_hours_skips_the_hour_that_is_left_out(
    queue: Queue, schedule: str, due: list[str]
) -> None:
    assert next_times(queue, schedule, SPRING_IN_BERLIN, len(due), "Europe/Berlin") == due


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("30 2 * * *", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("0,30 2 * * *", ["2026-10-25 00:00", "2026-10-25 00:30", "2026-10-26 01:00"]),
        ("30 1-3 * * *", ["2026-10-24 23:30", "2026-10-25 00:30", "2026-10-25 02:30", "2026-10-26 00:30"]),
    ],
)
def test_a_fixed_hour_that_the_clock_repeats_comes_once(queue: Queue, schedule: str, due: list[str]) -> None:
    assert next_times(queue, schedule, AUTUMN_IN_BERLIN, len(due), "Europe/Berlin") == due


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("30 * 25 10 *", ["2026-10-24 22:30", "2026-10-24 23:30", "2026-10-25 00:30", "2026-10-25 01:30"]),
        ("30 */2 25 10 *", ["2026-10-24 22:30", "2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 03:30"]),
    ],
)
def test_an_interval_of_hours_comes_in_both_passes_of_a_repeated_hour(
    queue: Queue, schedule: str, due: list[str]
) -> None:
    assert next_times(queue, schedule, AUTUMN_IN_BERLIN, len(due), "Europe/Berlin") == due


def test_every_quarter_of_an_hour_stays_so_while_clocks_change_by_half_an_hour(queue: Queue) -> None:
    """Lord Howe: 02:00 becomes 01:30 on 5 April 2026, at 15:00 UTC the day before."""
    due = next_times(queue, "*/15 * * * *", "2026-04-04 13:00Z", 16, "Australia/Lord_Howe")

    moments = [datetime.fromisoformat(f"{at}+00:00") for at in due]
    assert {later - sooner for sooner, later in pairwise(moments)} == {timedelta(minutes=15)}


def test_a_half_hour_that_is_left_out_moves_a_fixed_hour_by_half_an_hour(queue: Queue) -> None:
    """Lord Howe: 02:00 becomes 02:30 on 4 October 2026, at 15:30 UTC the day before."""
    due = next_times(queue, "15 2 * * *", "2026-10-03 00:00Z", 2, "Australia/Lord_Howe")

    assert due == ["2026-10-03 15:45", "2026-10-04 15:15"]


def test_a_calendar_day_that_an_island_skipped_comes_a_day_later(queue: Queue) -> None:
    """Samoa had no 30 December 2011."""
    due = next_times(queue, "0 12 30,31 12 *", "2011-12-28 00:00Z", 2, "Pacific/Apia")

    assert due == ["2011-12-30 22:00", "2012-12-29 22:00"]


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
