"""What a page of jobs costs: it does not grow with the backlog, nor with how deep it lies. Counted, never timed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.database.long_backlog import LONG, SHORT, Backlog

PAGE = 50
LOOKED_AT = 5000
MOST_ENTRIES = 3 * PAGE + 100
MOST_ENTRIES_OF_A_SEARCH = 3 * LOOKED_AT
LISTS = ("all", "pending", "active", "failed")
NARROWED = (
    ("all", '{"type": "no_such_type"}'),
    ("by_org", '{"org_id": "nobody"}'),
    ("all", '{"status": "cancelled"}'),
    ("pending", '{"org_id": "nobody"}'),
    ("pending", '{"type": "no_such_type"}'),
    ("pending", '{"status": "waiting"}'),
    ("failed", '{"org_id": "nobody"}'),
    ("active", '{"type": "no_such_type"}'),
)


def page(action: str, narrowed: str = "{}", cursor: str = "null") -> str:
    return f"select public.list_jobs('{action}', '{narrowed}', {PAGE}, {cursor})"


@pytest.mark.parametrize("analysed", [True, False], ids=["analysed", "never-analysed"])
def test_a_page_reads_about_what_it_shows(backlog: Callable[..., Backlog], analysed: bool) -> None:
    jobs = backlog(analysed=analysed)
    for action in LISTS:
        entries, sequential_scans = jobs.count(page(action))
        assert (entries <= MOST_ENTRIES, sequential_scans) == (True, 0), (action, entries)


def test_a_page_deep_inside_reads_no_more_than_the_first(backlog: Callable[..., Backlog]) -> None:
    jobs = backlog(analysed=True)
    deep = {
        "all": f"'all_{LONG // 2}'",
        "pending": f"'pending_50000_0_' || (select place from public.jobs where id = {LONG // 2}) || '_{LONG // 2}'",
    }
    for action, cursor in deep.items():
        found = jobs.connection.execute(f"{page(action, cursor=cursor)} -> 'jobs'".encode()).fetchone()
        assert found is not None
        assert len(found[0]) == PAGE
        entries, sequential_scans = jobs.count(page(action, cursor=cursor))
        assert (entries <= MOST_ENTRIES, sequential_scans) == (True, 0), (action, entries)


def test_a_page_reads_no_more_where_thousands_share_a_moment(backlog: Callable[..., Backlog]) -> None:
    jobs = backlog(analysed=True)
    jobs.connection.execute(
        "update public.jobs set run_at = '2999-01-01' where status = 'queued' and turn = 'later'"
    )
    jobs.connection.execute(
        "insert into public.jobs (org_id, type, max_attempts, idempotency_key, status, completed_at) "
        "select 'acme', 'a', 5, 'f' || n, 'failed', '2020-01-01' from generate_series(1, 20000) n"
    )
    jobs.connection.execute("vacuum analyze public.jobs")
    middles = {
        "pending": "select 'pending_9_1_' || public.microseconds(max(run_at)) || '_' || percentile_disc(0.5) "
        "within group (order by id) from public.jobs where status = 'queued' and turn = 'later'",
        "failed": "select 'failed_' || public.microseconds(max(completed_at)) || '_' || percentile_disc(0.5) "
        "within group (order by id) from public.jobs where status = 'failed'",
    }
    for action, middle in middles.items():
        found = jobs.connection.execute(middle.encode()).fetchone()
        assert found is not None
        entries, sequential_scans = jobs.count(page(action, cursor=f"'{found[0]}'"))
        assert (entries <= MOST_ENTRIES, sequential_scans) == (True, 0), (action, entries)


@pytest.mark.parametrize("analysed", [True, False], ids=["analysed", "never-analysed"])
def test_a_page_that_finds_nothing_gives_up_after_some_thousand_jobs(
    backlog: Callable[..., Backlog], analysed: bool
) -> None:
    jobs = backlog(analysed=analysed)
    for action, narrowed in NARROWED:
        entries, sequential_scans = jobs.count(page(action, narrowed))
        assert (entries <= MOST_ENTRIES_OF_A_SEARCH, sequential_scans) == (True, 0), (
            action,
            narrowed,
            entries,
        )


def test_one_job_costs_the_same_in_a_long_backlog_and_in_a_short_one(
    backlog: Callable[..., Backlog],
) -> None:
    describe = "select public.describe_job(500)"
    short, long = (backlog(ready, analysed=True).pages(describe) for ready in (SHORT, LONG))

    assert long <= 2 * short, (short, long)


def test_the_overview_reads_the_whole_table_once_and_the_unfinished_jobs_a_few_times(
    backlog: Callable[..., Backlog],
) -> None:
    _, sequential_scans = backlog(analysed=True).count("select public.queue_overview(6)")

    assert sequential_scans <= 1, "the counts by status are the only thing that needs every row"
