"""The arithmetic of docs/scaling.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.cost import WORKS, Deployment, Work, cost_of, files_an_hour, table

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


def test_a_thousand_files_of_a_second_cost_a_thousand_seconds_of_the_instance() -> None:
    cost = cost_of(Work("file", seconds=1, megabytes=10), Deployment(vcpus=2, memory_gib=2))

    assert cost.compute == pytest.approx(1000 * (2 * 0.000024 + 2 * 0.0000025))
    assert cost.requests == pytest.approx(1000 / 45 * 0.0000004)
    assert cost.egress == pytest.approx(1000 * 2 * 0.010 * 0.09)
    assert cost.ai == 0
    assert cost.total == pytest.approx(cost.compute + cost.requests + cost.egress)


def test_what_a_model_reads_and_writes_is_paid_by_the_token() -> None:
    cost = cost_of(Work("file", 1, 0, input_tokens=1_000_000, output_tokens=500_000), Deployment(), files=2)

    assert cost.ai == pytest.approx(2 * (0.40 + 0.80))


def test_slots_work_their_budget_of_every_minute() -> None:
    assert files_an_hour(Work("file", 2, 0), Deployment(slots=1)) == 1350
    assert files_an_hour(Work("file", 2, 0), Deployment(slots=4)) == 5400


def test_the_page_shows_the_table_as_it_is_computed() -> None:
    assert table(WORKS, Deployment(), 1000) in PAGE.read_text()
