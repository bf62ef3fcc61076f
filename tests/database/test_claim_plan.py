"""What a claim costs: its plans, rows and pages do not grow with the backlog. Counted, never timed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.database.long_backlog import BATCH, LONG, SHORT, Backlog, nodes_of, rows_read

MOST_ROWS_OF_A_NODE = 25 * BATCH
MOST_ENTRIES = 50 * BATCH


@pytest.mark.parametrize("analysed", [True, False], ids=["analysed", "never-analysed"])
def test_no_statement_of_a_claim_scans_the_jobs_or_walks_through_the_backlog(
    backlog: Callable[..., Backlog], analysed: bool
) -> None:
    plans = backlog(analysed=analysed).plans()

    nodes = [node for plan in plans for node in nodes_of(plan)]
    of_jobs = [node for node in nodes if node.get("Relation Name") == "jobs"]
    assert len(of_jobs) > 10, "the plans of the functions inside are among them"
    assert [node for node in of_jobs if "Seq Scan" in node["Node Type"]] == []
    worst = max(nodes, key=rows_read)
    assert rows_read(worst) <= MOST_ROWS_OF_A_NODE, worst


@pytest.mark.parametrize("analysed", [True, False], ids=["analysed", "never-analysed"])
def test_a_claim_reads_a_bounded_number_of_index_entries(
    backlog: Callable[..., Backlog], analysed: bool
) -> None:
    entries, sequential_scans = backlog(analysed=analysed).count()

    assert (entries <= MOST_ENTRIES, sequential_scans) == (True, 0), entries
    assert entries >= BATCH, "the counters count"


@pytest.mark.parametrize("analysed", [True, False], ids=["analysed", "never-analysed"])
def test_a_claim_touches_at_most_twice_the_pages_when_the_backlog_is_a_hundred_times_as_long(
    backlog: Callable[..., Backlog], analysed: bool
) -> None:
    short, long = (backlog(ready, analysed=analysed).pages() for ready in (SHORT, LONG))

    assert long <= 2 * short, (short, long)


def test_a_claim_of_some_types_does_not_walk_past_the_jobs_of_others(
    backlog: Callable[..., Backlog],
) -> None:
    jobs = backlog(analysed=True)
    rare = (
        "insert into public.jobs (org_id, type, max_attempts, idempotency_key) "
        "select 'org-' || n, 'rare', 5, n::text from generate_series(1, 5) n"
    )

    one, scans_of_one = jobs.count(
        f"select public.claim_jobs(gen_random_uuid(), {BATCH}, array['rare'])", before=rare
    )
    none, scans_of_none = jobs.count(
        f"select public.claim_jobs(gen_random_uuid(), {BATCH}, array['no_such_type'])"
    )

    assert (scans_of_one, scans_of_none) == (0, 0)
    assert one <= 2 * BATCH
    assert none <= BATCH


def test_a_claim_makes_a_bounded_number_of_jobs_ready_however_many_are_due(
    backlog: Callable[..., Backlog],
) -> None:
    due = "update public.jobs set run_at = now() - interval '1 minute' where turn = 'later'"

    entries, sequential_scans = backlog(analysed=True).count(before=due)

    assert (entries <= MOST_ENTRIES + 5 * 1000, sequential_scans) == (True, 0), entries


def test_a_claim_within_limits_reads_no_more_of_a_long_backlog_than_of_a_short_one(
    backlog: Callable[..., Backlog],
) -> None:
    limits = "update public.org_limits set max_concurrency = 1, spend_per_day = 10 where org_id = '*'"
    entries, sequential_scans = backlog(analysed=True).count(before=limits)

    assert (entries <= 5 * MOST_ENTRIES, sequential_scans) == (True, 0), entries


@pytest.mark.parametrize("up_to", [1, 5 * BATCH])
@pytest.mark.parametrize(
    "limits", ["select 1", "update public.org_limits set max_concurrency = 5 where org_id = '*'"]
)
def test_counting_what_could_be_claimed_stops_at_what_was_asked_for(
    backlog: Callable[..., Backlog], up_to: int, limits: str
) -> None:
    count = f"select public.count_claimable_jobs({up_to})"
    entries, sequential_scans = backlog(analysed=True).count(count, before=limits)

    assert (entries <= 4 * MOST_ENTRIES, sequential_scans) == (True, 0), entries
