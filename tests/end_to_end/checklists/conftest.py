"""A project to walk through, one checklist after the other; no schedule of a checklist outlives it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.local_supabase import LocalSupabase
from tests.end_to_end.upload_to_cards.project import Function, Project, connected


@pytest.fixture
def project(supabase: LocalSupabase) -> Iterator[Project]:
    """Empty, and nothing scheduled, as a project is to which the migrations were just applied."""
    with connected(supabase) as project:
        start_afresh(project)
        yield project
        start_afresh(project)


def start_afresh(project: Project) -> None:
    project.rows("select cron.unschedule(jobid) from cron.job")
    project.rows("delete from vault.secrets where name like 'job_queue_%'")
    project.clear()


@pytest.fixture(scope="session")
def running_function(supabase: LocalSupabase) -> Iterator[Function]:
    with connected(supabase) as project, project.function(CRON_SECRET="vercels-own") as function:
        yield function


@pytest.fixture
def function(project: Project, running_function: Function) -> Function:
    """Deployed, but the project does not know of it yet: that is a step of the checklists."""
    return running_function
