"""One running project for all of these tests; each starts with an empty queue."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.local_supabase import Leg, LocalSupabase
from tests.end_to_end.upload_to_cards.project import Function, Project, connected


@pytest.fixture(scope="session")
def running_project(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    directory = tmp_path_factory.mktemp("upload to cards")
    with LocalSupabase.start(directory, Leg(leg), fsync=False) as supabase, connected(supabase) as project:
        yield project


@pytest.fixture
def project(running_project: Project) -> Project:
    running_project.clear()
    return running_project


@pytest.fixture(scope="session")
def running_function(running_project: Project) -> Iterator[Function]:
    with running_project.function() as function:
        yield function


@pytest.fixture
def function(project: Project, running_function: Function) -> Function:
    project.set_secret("job_queue_worker_endpoint", running_function.url)
    project.set_secret("job_queue_runner_secret", running_function.runner_secret)
    return running_function
