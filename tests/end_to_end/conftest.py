"""One local Supabase of the chosen leg for all end-to-end tests that do not stop it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from scripts.local_supabase import Leg, LocalSupabase
from tests.end_to_end.jobs_api import JobsApi, running_jobs_api


@pytest.fixture(scope="session")
def supabase(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSupabase]:
    with LocalSupabase.start(tmp_path_factory.mktemp("supabase"), Leg(leg), fsync=False) as running:
        yield running


@pytest.fixture(scope="session")
def jobs_api(supabase: LocalSupabase) -> Iterator[JobsApi]:
    """The jobs API of that Supabase; nothing works its jobs off."""
    with running_jobs_api(supabase) as running:
        yield running


@pytest.fixture
def postgres(supabase: LocalSupabase) -> Iterator[psycopg.Connection[Any]]:
    """As the role that owns the project: no superuser, as on a hosted one."""
    with psycopg.connect(supabase.database_url, autocommit=True) as connection:
        yield connection
