"""What a schedule means: the spellings that `next_cron_time` reads, and where clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import psycopg
import pytest

from tests.database.cron_times import next_times
from tests.database.queue import Queue


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
